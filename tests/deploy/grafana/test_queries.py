"""Every query of the dashboard on a real Prometheus that scrapes a real connector under load: none finds nothing."""

import pytest

from connector.telemetry.families import PREFIX
from tests.deploy.grafana.reading import Target, dashboard, filled, targets
from tests.deploy.loaded import SERIES_PATIENCE
from tests.deploy.prometheus import JOB, Prometheus
from tests.end_to_end.deployment import until

pytestmark = pytest.mark.deploy

SECONDS = 30
"""Stands for Grafana's intervals: in so long everything has happened that happens only now and then."""


@pytest.mark.parametrize(
    "target",
    [pytest.param(one, id=f"{one.panel}: {one.legend}") for one in targets(dashboard())],
)
def test_a_query_finds_something(target: Target, prometheus: Prometheus) -> None:
    expression = filled(target.expression, SECONDS, SECONDS)
    until(
        lambda: any(one.points for one in prometheus.query(expression)), SERIES_PATIENCE, expression
    )


def test_the_variables_lists_hold_the_connector(prometheus: Prometheus) -> None:
    until(lambda: bool(prometheus.query(f"{PREFIX}build_info")), SERIES_PATIENCE, "a scrape")
    jobs = prometheus.api("label/job/values", **{"match[]": f"{PREFIX}build_info"})
    instances = prometheus.api("label/instance/values", **{"match[]": f'up{{job=~"{JOB}"}}'})

    assert jobs == [JOB]
    assert len(instances) == 1
