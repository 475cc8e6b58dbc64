"""The autoscaler's query, in Prometheus' own words: when more replicas are wanted, and when they would not help."""

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from connector.telemetry.catalogue import Catalogue
from connector.telemetry.families import PREFIX
from tests.deploy.loaded import Loaded
from tests.deploy.prometheus import Prometheus
from tests.end_to_end.deployment import until
from tests.promtool import promtool

KEDA = Path(__file__).parents[2] / "deploy" / "kubernetes" / "components" / "keda"

MINUTES = 10
"""How long each state has lasted when the query is asked."""

ALLOWANCE = 10.0


@pytest.fixture(scope="module")
def trigger() -> Any:
    (one,) = yaml.safe_load((KEDA / "scaled-object.yaml").read_text("utf-8"))["spec"]["triggers"]
    return one["metadata"]


@dataclass(frozen=True)
class Group:
    """A consumer group as Prometheus sees it: replicas, partitions dealt among them, calls of all together.

    Attributes:
        lag: records, of each partition.
        calls: calls a second that TikTok accepts.
        failures: calls a second without an answer.
        allowed: calls a second that the replicas allow themselves.
        reported_twice: partitions that changed hands a minute ago: the owner before reported them until then.
        is_rebalancing: partitions have been nobody's for less than a minute.
    """

    replicas: int = 2
    partitions: int = 12
    lag: int = 0
    calls: float = 3.0
    failures: float = 0.0
    allowed: float = ALLOWANCE
    reported_twice: int = 0
    is_rebalancing: bool = False
    extra: Mapping[str, str] = field(default_factory=dict)

    def series(self) -> dict[str, str]:
        """Each series with its values, in promtool's notation: one for each minute."""
        found: dict[str, str] = {}
        for replica in range(self.replicas):
            own = f'job="tiktok-connector", instance="replica-{replica}"'
            found[f"{PREFIX}build_info{{{own}}}"] = f"1x{MINUTES}"
            found[f"{PREFIX}rate_limit_calls_per_second{{{own}}}"] = (
                f"{self.allowed / self.replicas}x{MINUTES}"
            )
            for code, rate in (("0", self.calls), ("timeout", self.failures)):
                labels = f'{own}, endpoint="segment/mapping", code="{code}"'
                found[f"{PREFIX}api_requests_total{{{labels}}}"] = (
                    f"0+{60 * rate / self.replicas}x{MINUTES}"
                )
        until_now = f"{self.lag}x{MINUTES}"
        until_lately = f"{self.lag}x{MINUTES - 1} stale"
        for partition in range(self.partitions):
            values = until_lately if self.is_rebalancing else until_now
            found[self._lag(partition, partition % self.replicas)] = values
        for partition in range(self.reported_twice):
            found[self._lag(partition, (partition + 1) % self.replicas)] = until_lately
        return {**found, **self.extra}

    def _lag(self, partition: int, replica: int) -> str:
        return (
            f'{PREFIX}consumer_lag_records{{job="tiktok-connector", instance="replica-{replica}",'
            f' topic="segment-membership", partition="{partition}"}}'
        )


def assert_wanted(query: str, group: Group, wanted: float | None, folder: Path) -> None:
    """Let promtool evaluate the query after ten minutes in this state; None for no answer."""
    samples = [] if wanted is None else [{"value": wanted}]
    tests = {
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [
                    {"series": name, "values": values} for name, values in group.series().items()
                ],
                "promql_expr_test": [
                    {"expr": query, "eval_time": f"{MINUTES}m", "exp_samples": samples}
                ],
            }
        ],
    }
    file = folder / "tests.yaml"
    file.write_text(yaml.safe_dump(tests))
    done = subprocess.run(
        [promtool(), "test", "rules", file], check=False, text=True, capture_output=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


LAGGING = Group(lag=50_000)  # 600,000 in all: six replicas' worth


@pytest.mark.parametrize(
    ("group", "wanted"),
    [
        pytest.param(LAGGING, 6.0, id="lag, and allowance left"),
        pytest.param(replace(LAGGING, calls=7.9), 6.0, id="lag, and a fifth of the allowance left"),
        pytest.param(replace(LAGGING, calls=8.1), 2.0, id="lag, and the allowance used up"),
        pytest.param(
            replace(LAGGING, calls=8.1, replicas=4), 4.0, id="the same stays at any number"
        ),
        pytest.param(
            replace(LAGGING, calls=4.0, failures=4.1), 2.0, id="failed calls use it up too"
        ),
        pytest.param(
            replace(LAGGING, calls=2.9, allowed=3.0), 2.0, id="TikTok allows less at present"
        ),
        pytest.param(replace(LAGGING, calls=0.0, failures=0.5), 2.0, id="TikTok does not answer"),
        pytest.param(replace(LAGGING, calls=0.0), 2.0, id="halted, paused: no calls"),
        pytest.param(
            Group(lag=1_000_000, partitions=4), 4.0, id="no more replicas than partitions"
        ),
        pytest.param(Group(lag=0), 0.0, id="no lag"),
        pytest.param(
            Group(lag=4_000, calls=9.5, replicas=4), 0.48, id="used up, but the lag is gone"
        ),
        pytest.param(replace(LAGGING, reported_twice=6), 6.0, id="who changes hands counts once"),
        pytest.param(
            Group(lag=1_000_000, partitions=4, reported_twice=4), 4.0, id="and is one partition"
        ),
        pytest.param(replace(LAGGING, is_rebalancing=True), 6.0, id="a rebalance hides nothing"),
    ],
)
def test_replicas_are_wanted_where_they_help(
    trigger: Any, group: Group, wanted: float, tmp_path: Path
) -> None:
    assert float(trigger["threshold"]) == 1.0  # so that the query's value is a number of replicas
    assert_wanted(trigger["query"], group, wanted, tmp_path)


def test_without_metrics_there_is_no_answer_and_no_answer_is_no_zero(
    trigger: Any, tmp_path: Path
) -> None:
    assert_wanted(trigger["query"], Group(replicas=0, partitions=0), None, tmp_path)
    assert trigger["ignoreNullValues"] == "false"


@pytest.mark.parametrize(("calls", "wanted"), [(3.0, 6.0), (9.0, 2.0)])
def test_another_job_counts_for_nothing(
    trigger: Any, calls: float, wanted: float, tmp_path: Path
) -> None:
    foreign = {
        name.replace("tiktok-connector", "another"): values
        for name, values in Group(replicas=9, lag=900_000, calls=9.0).series().items()
    }
    both = replace(LAGGING, calls=calls, extra=foreign)

    assert_wanted(trigger["query"], both, wanted, tmp_path)


def test_a_wrong_number_would_be_seen(trigger: Any, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="FAILED"):
        assert_wanted(trigger["query"], LAGGING, 5.0, tmp_path)


def test_the_query_is_valid_for_prometheus(trigger: Any, tmp_path: Path) -> None:
    rule = {"record": "job:wanted:replicas", "expr": trigger["query"]}
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "scaling", "rules": [rule]}]}))
    check = [promtool(), "check", "rules", "--lint=all", "--lint-fatal", str(file)]
    done = subprocess.run(check, check=False, text=True, capture_output=True)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.deploy
def test_a_real_prometheus_answers_it_with_one_number(
    trigger: Any, loaded: Loaded, prometheus: Prometheus
) -> None:
    def answered() -> bool:
        return len(prometheus.query(trigger["query"])) == 1

    until(answered, 30, "an answer")
    ((labels, ((_, wanted),)),) = prometheus.query(trigger["query"])

    assert labels == {}
    assert 0 <= wanted <= len(loaded.deployment.offsets)


def test_the_query_names_only_metrics_that_exist(trigger: Any) -> None:
    named = set(re.findall(rf"{PREFIX}(\w+)", trigger["query"]))

    assert named
    assert named <= {family.name for family in Catalogue()}
