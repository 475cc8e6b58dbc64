"""Who is to blame: Hypothesis plays a TikTok that rejects any group with a bad row, or everything."""

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.core.batch import Row
from connector.core.inquiry import Inquiry
from connector.core.outcome import Rejected, Response
from tests.core.strategies import row

REFUSAL = Rejected("bad_parameters", Response("40002", 200, 40002))


def rows_of(count: int) -> list[Row]:
    return [row([number.to_bytes(32)]) for number in range(count)]


class Verdict:
    def __init__(self) -> None:
        self.bad: list[Row] = []
        self.accepted: list[Row] = []
        self.calls = 0
        self.is_audiences_fault = False


def look_into(rows: list[Row], is_bad: Callable[[Row], bool]) -> Verdict:
    """Try what the inquiry says, in its order, until nothing is left to try."""
    verdict = Verdict()
    inquiry = Inquiry(len(rows))
    steps = [inquiry.rejected(rows, REFUSAL)]
    while steps:
        step = steps.pop(0)
        verdict.bad += [one for one, _ in step.bad]
        verdict.is_audiences_fault |= step.is_audiences_fault
        for group in step.groups:
            verdict.calls += 1
            if any(is_bad(one) for one in group):
                steps.append(inquiry.rejected(group, REFUSAL))
            else:
                verdict.accepted += group
                steps.append(inquiry.accepted())
    return verdict


@given(count=st.integers(1, 300), data=st.data())
def test_exactly_the_bad_rows_are_found_as_long_as_a_good_one_is_tried(
    count: int, data: st.DataObject
) -> None:
    rows = rows_of(count)
    places = data.draw(st.sets(st.integers(0, count - 1), min_size=1, max_size=max(1, count // 20)))
    bad = {id(rows[place]) for place in places}
    verdict = look_into(rows, lambda one: id(one) in bad)

    if not verdict.is_audiences_fault:
        assert {id(one) for one in verdict.bad} == bad
        assert len(verdict.bad) == len(bad)
        assert {id(one) for one in verdict.accepted} == {id(one) for one in rows} - bad
    else:
        assert verdict.bad == []


@pytest.mark.parametrize("place", [0, 1, 499, 500, 998, 999])
def test_one_bad_row_in_a_thousand_costs_few_calls(place: int) -> None:
    rows = rows_of(1000)
    verdict = look_into(rows, lambda one: one is rows[place])

    assert verdict.bad == [rows[place]]
    assert len(verdict.accepted) == 999
    assert verdict.calls <= 2 * math.log2(1000) + 2


def test_fifty_bad_rows_in_a_thousand_are_found_and_blame_nobody_else() -> None:
    rows = rows_of(1000)
    bad = {id(one) for one in rows[::20]}
    verdict = look_into(rows, lambda one: id(one) in bad)

    assert {id(one) for one in verdict.bad} == bad
    assert len(verdict.accepted) == 950
    assert not verdict.is_audiences_fault


@pytest.mark.parametrize("count", [8, 9, 50, 1000])
def test_when_everything_is_rejected_the_audience_is_blamed_and_no_row(count: int) -> None:
    verdict = look_into(rows_of(count), lambda _: True)

    assert verdict.is_audiences_fault
    assert verdict.bad == []
    assert verdict.calls <= 14 + 8


@pytest.mark.parametrize("count", [1, 2, 7])
def test_of_fewer_than_eight_rows_each_is_tried_alone_and_blamed(count: int) -> None:
    verdict = look_into(rows_of(count), lambda _: True)

    assert len(verdict.bad) == count
    assert not verdict.is_audiences_fault


def test_rows_taken_over_meanwhile_are_neither_tried_nor_blamed() -> None:
    rows = rows_of(16)
    inquiry = Inquiry(16)
    first, second = inquiry.rejected(rows, REFUSAL).groups
    halves = inquiry.rejected(first, REFUSAL).groups
    for one in halves[0]:
        one.left = 0
    inquiry.accepted()  # the second half
    step = inquiry.rejected(halves[0], REFUSAL)

    assert len(second) == 8
    assert step.groups == []
    assert step.bad == []


def test_a_group_that_vanished_does_not_keep_the_verdict_waiting() -> None:
    rows = rows_of(8)
    inquiry = Inquiry(8)
    pending = list(inquiry.rejected(rows, REFUSAL).groups)
    gone = pending.pop()
    for one in gone:
        one.left = 0
    inquiry.vanished()
    blamed = False
    while pending:
        step = inquiry.rejected(pending.pop(0), REFUSAL)
        pending += step.groups
        blamed |= step.is_audiences_fault

    assert blamed
