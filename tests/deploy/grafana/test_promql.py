"""What the pieces of PromQL say when there is nothing to say: promtool tries them on series of the test."""

import json
from pathlib import Path
from typing import Any

import pytest

from deploy.grafana.promql import age, grown, or_zero, per_second, quantile, ratio
from tests import promtool
from tests.deploy.grafana.reading import filled
from tests.deploy.prometheus import JOB

A, B = (f'job="{JOB}", instance="{name}"' for name in "ab")
P = "tiktok_connector_"
UP = {f"{P}build_info{{{A}}}": "1x20", f"{P}build_info{{{B}}}": "1x20"}
DOWN: dict[str, str] = {}

PENDING = "oldest_pending_change_timestamp_seconds"
RATIO = ratio(per_second("changes_total", 'outcome="dead_lettered"'), per_second("changes_total"))
P99 = quantile(0.99, "delivery_latency_seconds")
LETTERS = or_zero(grown("dead_letters_total"))

CASES: list[tuple[str, str, dict[str, str], dict[str, float]]] = [
    ("an age", age(PENDING), {**UP, f"{P}{PENDING}{{{A}}}": "540x20"}, {"{}": 60}),
    (
        "the age of the oldest of all replicas",
        age(PENDING),
        {**UP, f"{P}{PENDING}{{{A}}}": "540x20", f"{P}{PENDING}{{{B}}}": "500x20"},
        {"{}": 100},
    ),
    ("no age while nothing waits", age(PENDING), UP, {"{}": 0}),
    (
        "ages by replica, of which one has nothing that waits",
        age(PENDING, "instance"),
        {**UP, f"{P}{PENDING}{{{A}}}": "540x20"},
        {'{instance="a"}': 60, '{instance="b"}': 0},
    ),
    ("no age, and not 0, without a replica", age(PENDING), DOWN, {}),
    (
        "a ratio",
        RATIO,
        {
            f'{P}changes_total{{{A}, outcome="delivered"}}': "0+30x20",
            f'{P}changes_total{{{A}, outcome="dead_lettered"}}': "0+10x20",
        },
        {"{}": 0.25},
    ),
    (
        "a ratio of nothing is 0",
        RATIO,
        {
            f'{P}changes_total{{{A}, outcome="delivered"}}': "7x20",
            f'{P}changes_total{{{A}, outcome="dead_lettered"}}': "0x20",
        },
        {"{}": 0},
    ),
    (
        "a quantile of nothing observed is nothing",
        P99,
        {
            f'{P}delivery_latency_seconds_bucket{{{A}, le="1.0"}}': "5x20",
            f'{P}delivery_latency_seconds_bucket{{{A}, le="+Inf"}}': "5x20",
        },
        {},
    ),
    ("no letters while none was ever written", LETTERS, UP, {"{}": 0}),
    (
        "the first letter of a reason, and the later ones of another",
        LETTERS,
        {
            **UP,
            f'{P}dead_letters_total{{{A}, reason="rejected"}}': "_x8 1x20",
            f'{P}dead_letters_total{{{A}, reason="blocked"}}': "0+2x30",
        },
        {"{}": 11},
    ),
]


@pytest.mark.parametrize(
    ("expression", "given", "found"), [one[1:] for one in CASES], ids=[one[0] for one in CASES]
)
def test_the_piece_says(
    expression: str, given: dict[str, str], found: dict[str, float], tmp_path: Path
) -> None:
    tests: dict[str, Any] = {
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [
                    {"series": one, "values": values} for one, values in given.items()
                ],
                "promql_expr_test": [
                    {
                        "expr": filled(expression, 300, 300),
                        "eval_time": "10m",
                        "exp_samples": [
                            {"labels": labels, "value": value} for labels, value in found.items()
                        ],
                    }
                ],
            }
        ],
    }
    file = tmp_path / "tests.yaml"
    file.write_text(json.dumps(tests))  # which is YAML, too
    done = promtool.run("test", "rules", file)

    assert done.returncode == 0, done.stdout.decode()
