"""A goal that is missed is said; the table is Markdown that a terminal shows well."""

import math

import pytest

from tests.benchmarks.table import Figure, missed, table


@pytest.mark.parametrize(
    ("figure", "is_met"),
    [
        (Figure("a", 0.45, at_least=0.45), True),
        (Figure("a", 0.449, at_least=0.45), False),
        (Figure("a", 250, at_most=250), True),
        (Figure("a", 250.1, at_most=250), False),
        (Figure("a", math.nan, at_most=250), False),
        (Figure("a", math.nan, at_least=250), False),
        (Figure("a", 1), None),
    ],
)
def test_a_figure_knows_whether_its_goal_is_met(figure: Figure, *, is_met: bool | None) -> None:
    assert figure.is_met is is_met
    assert missed([figure]) == ([figure] if is_met is False else [])


def test_each_figure_stands_beside_its_goal() -> None:
    assert table(
        [
            Figure("connector", 123_456.7, "records/CPU-s"),
            Figure("… connector / limit", 0.4, at_least=0.45),
            Figure("… peak memory", 96.04, "MB", at_most=250),
        ]
    ).splitlines() == [
        "| what                |                figure |     goal | met        |",
        "|---------------------|-----------------------|----------|------------|",
        "| connector           | 123,457 records/CPU-s |          |            |",
        "| … connector / limit |                  0.40 |   ≥ 0.45 | **missed** |",
        "| … peak memory       |               96.0 MB | ≤ 250 MB | yes        |",
    ]
