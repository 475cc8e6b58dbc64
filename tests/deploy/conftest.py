"""Fixtures that the tests of deploy/ share, and which of its files `make test` need not read."""

from pathlib import Path

import pytest

from tests.deploy.loaded import loaded, make_prometheus, prometheus

__all__ = ["loaded", "make_prometheus", "prometheus"]

_NEED_DEPLOY_GROUP = ("test_sbom.py", "test_status_page.py")
"""They import what only `make test-deploy` installs, and all of their tests are marked deploy."""


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Where the marked tests are left out anyway, these files are not imported; None leaves it to pytest."""
    is_left_out = "not deploy" in config.getoption("markexpr")
    return True if is_left_out and collection_path.name in _NEED_DEPLOY_GROUP else None
