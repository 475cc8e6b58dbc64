"""Turns: who may start a call when, and what any clocks and any distribution of partitions make of the allowance."""

import math
from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from operator import add

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.core.model import Partition
from connector.core.turns import NOTHING, WHOLE, Part, Turns, part_of
from tests.core.strategies import some
from tests.core.test_rate_limit import most_in_a_second, some_parts

TODAY = 1_795_000_000.0


def since_epoch(at: float) -> float:
    return TODAY + at


def starts_of(
    turns: Turns, seconds: float, *, slowness: float = 1.0, late: Sequence[float] = (0.0,)
) -> list[float]:
    """Start a call whenever one may start; each wake-up is late by the next of these times."""
    starts: list[float] = []
    now = 0.0
    while True:
        soonest = turns.next(now, slowness)
        if soonest > seconds:
            return starts
        if soonest > now:
            now = soonest + late[len(starts) % len(late)]
            continue
        turns.take(now, slowness)
        starts.append(now)


@st.composite
def divided(draw: st.DrawFn) -> list[Part]:
    """Replicas that own all partitions among them."""
    owners = draw(st.lists(st.integers(0, 4), min_size=1, max_size=30))
    return [
        Part(tuple(place for place, one in enumerate(owners) if one == owner), len(owners))
        for owner in set(owners)
    ]


# Whose turns they are.


def test_a_part_is_where_the_partitions_stand_among_all() -> None:
    every = [Partition(topic, number) for topic in ("b", "a") for number in range(3)]

    assert part_of([Partition("b", 0), Partition("a", 2)], every) == Part((2, 3), 6)
    assert part_of([], every) == Part((), 6)
    assert part_of(every, every).fraction == 1.0
    assert part_of([], []).fraction == NOTHING.fraction == 0.0
    assert WHOLE.fraction == 1.0


def test_partitions_are_ordered_by_number_not_by_digits() -> None:
    every = [Partition("members", number) for number in range(12)]

    assert part_of([every[2], every[10]], every).mine == (2, 10)


def test_what_is_ours_counts_where_the_topic_is_not_known_to_have_grown() -> None:
    known = [Partition("members", 0), Partition("members", 1)]

    assert part_of([Partition("members", 2)], known) == Part((2,), 3)


@some
@given(divided(), st.integers(1, 60))
def test_together_replicas_have_each_turn_once(parts: list[Part], allowance: int) -> None:
    seconds = 3 * len(parts) + 5.0
    begun = sorted(
        round(since_epoch(start) * allowance / 1.04)
        for part in parts
        for start in starts_of(Turns(allowance, part, since_epoch), seconds)
        if start > 0.0  # at the beginning a turn may be under way
    )

    assert begun == list(range(begun[0], begun[0] + len(begun)))
    assert len(begun) >= 0.9 * allowance * seconds - 1


@some
@given(
    parts=divided(),
    allowance=st.integers(1, 60),
    skews=st.lists(st.floats(-0.002, 0.002), min_size=5, max_size=5),
    late=st.lists(st.floats(0.0, 0.03), min_size=1, max_size=20),
)
def test_no_window_of_a_second_has_more_calls_than_the_allowance(
    parts: list[Part], allowance: int, skews: list[float], late: list[float]
) -> None:
    starts = sorted(
        start
        for part, skew in zip(parts, skews, strict=False)
        for start in starts_of(Turns(allowance, part, partial(add, TODAY + skew)), 5.0, late=late)
    )

    assert most_in_a_second(starts) <= allowance


@pytest.mark.parametrize("replicas", [2, 3, 7, 30])
def test_partitions_dealt_out_one_by_one_have_evenly_spaced_turns(replicas: int) -> None:
    for first in range(replicas):
        part = Part(tuple(range(first, 100, replicas)), 100)
        starts = starts_of(Turns(10, part, since_epoch), 60.0)
        longest = max(after - before for before, after in pairwise(starts))

        assert longest <= 2 * 0.104 * replicas


# What a call may do with a turn.


def test_a_call_may_be_late_by_thirty_milliseconds_and_then_the_turn_is_lost() -> None:
    turns = Turns(10, Part((0,), 4), lambda at: at)

    assert turns.next(4.16 + 0.029, 1.0) == 4.16 + 0.029
    assert turns.next(4.16 + 0.031, 1.0) == pytest.approx(4.576)


def test_a_turn_is_used_once() -> None:
    turns = Turns(10, Part((0,), 4), lambda at: at)
    turns.take(turns.next(1.0, 1.0), 1.0)

    assert turns.next(1.248, 1.0) == pytest.approx(1.664)


def test_idleness_saves_up_nothing() -> None:
    turns = Turns(10, Part((0,), 4), lambda at: at)
    turns.take(turns.next(1.0, 1.0), 1.0)
    now = turns.next(1_000.0, 1.0)
    turns.take(now, 1.0)

    assert turns.next(now, 1.0) == pytest.approx(now + 0.416)


def test_short_turns_that_a_busy_loop_missed_are_made_up_for() -> None:
    turns = Turns(1_000, Part((0,), 2), lambda at: at)
    now = turns.next(5.0, 1.0) + 0.02
    calls = 0
    while turns.next(now, 1.0) == now:
        turns.take(now, 1.0)
        calls += 1

    assert 14 <= calls <= 15  # a turn each 2.08 milliseconds, over the last 30


@some
@given(
    part=some_parts().filter(lambda part: part.mine),
    tenths=st.integers(10, 80),
    n=st.integers(1, 60),
)
def test_a_slower_pace_takes_so_many_turns_for_a_call_on_average(
    part: Part, tenths: int, n: int
) -> None:
    seconds = 40 * 1.04 / n / part.fraction
    turns = len(starts_of(Turns(n, part, since_epoch), seconds))
    calls = len(starts_of(Turns(n, part, since_epoch), seconds, slowness=tenths / 10))

    assert calls == pytest.approx(turns * 10 / tenths, abs=2.0)


def test_another_pace_counts_at_once() -> None:
    turns = Turns(10, Part((0,), 4), lambda at: at)
    turns.take(0.0, 5.0)

    assert turns.next(0.0, 5.0) == pytest.approx(5 * 0.416)
    assert turns.next(0.0, 1.0) == pytest.approx(0.416)


def test_a_turn_that_went_by_is_noticed() -> None:
    turns = Turns(10, Part((0,), 4), lambda at: at)
    turns.take(turns.next(4.16, 1.0), 1.0)

    assert not turns.is_unused(4.16 + 0.44, 1.0)  # the next one is not over
    assert turns.is_unused(4.16 + 0.45, 1.0)
    assert not turns.is_unused(4.16 + 0.45, 2.0)


# The wall clock.


@pytest.mark.parametrize("step", [-86_400.0, -5.0, -0.3, 0.3, 5.0, 86_400.0])
def test_a_clock_that_is_set_costs_no_more_than_a_moment(step: float) -> None:
    offset = TODAY
    turns = Turns(10, Part((0, 2), 4), lambda at: at + offset)
    now = turns.next(100.0, 1.0)
    turns.take(now, 1.0)
    offset += step
    again = turns.next(now + 0.1, 1.0)

    assert again - now <= 0.1 + 0.3 + 0.208 + 1e-6
    turns.take(again, 1.0)
    assert turns.next(again, 1.0) - again == pytest.approx(0.208, abs=1e-6)


def test_the_turns_of_two_replicas_agree_to_a_microsecond() -> None:
    even = Turns(7, Part((0,), 2), lambda at: at + TODAY)
    odd = Turns(7, Part((1,), 2), lambda at: at - 3_000.0 + TODAY)
    now = even.next(50.0, 1.0)
    other = odd.next(now + 3_000.0, 1.0) - 3_000.0

    assert math.isclose(other - now, 1.04 / 7, abs_tol=1e-6)
