"""Fixtures that the tests of deploy/ share."""

from tests.deploy.loaded import loaded, make_prometheus, prometheus

__all__ = ["loaded", "make_prometheus", "prometheus"]
