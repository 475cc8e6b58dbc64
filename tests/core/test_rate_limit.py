"""When calls may start: for any sequence of attempts within TikTok's window, and hardly below it."""

import math
from bisect import bisect_left
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.core.rate_limit import RateLimit
from connector.core.turns import NOTHING, WHOLE, Part
from tests.core.strategies import some

MINUTES_5 = 300.0
HALF = Part((0,), 2)
TO_MIDNIGHT = 40_000.0


@st.composite
def some_parts(draw: st.DrawFn) -> Part:
    """Some places of up to twelve, in any distribution."""
    places = draw(st.integers(1, 12))
    return Part(tuple(sorted(draw(st.sets(st.integers(0, places - 1))))), places)


def most_in_a_second(starts: Sequence[float]) -> int:
    """The most calls in any window of one second."""
    return max(
        (bisect_left(starts, start + 1.0) - index for index, start in enumerate(starts)), default=0
    )


def same(at: float) -> float:
    """A wall clock that began with the monotonic one."""
    return at


def shared(calls_per_second: float, part: Part, now: float = 0.0) -> RateLimit:
    """A limit whose allowance is shared, as a rebalance at that time left it."""
    limit = RateLimit(calls_per_second, same)
    limit.set_part(part, now)
    return limit


def answered(calls_per_second: float) -> RateLimit:
    """A limit that TikTok has accepted a call of: from then on it goes at full speed."""
    limit = RateLimit(calls_per_second, same)
    limit.accepted()
    return limit


def run(
    limit: RateLimit, seconds: float, *, begin: float = 0.0, late: Sequence[float] = (0.0,)
) -> list[float]:
    """Start a call whenever one may start; each wake-up is late by the next of these times."""
    starts: list[float] = []
    now = begin
    while now < begin + seconds:
        delay = limit.delay(now)
        if delay > 0.0:
            now += delay + late[len(starts) % len(late)]
            continue
        limit.take(now)
        starts.append(now)
    return starts


# Spacing.


def test_the_first_call_may_start_at_once() -> None:
    assert RateLimit(10).delay(0.0) == 0.0


def test_calls_are_spaced_with_a_margin() -> None:
    limit = answered(10)
    for _ in range(3):
        now = limit.delay(0.0)
        limit.take(now)

    assert limit.delay(now) == pytest.approx(0.104)
    assert limit.delay(now + 0.05) == pytest.approx(0.054)


def test_idleness_saves_up_no_burst() -> None:
    limit = answered(10)
    limit.take(0.0)
    limit.take(1_000.0)

    assert limit.delay(1_000.0) == pytest.approx(0.099)


@some
@given(
    allowance=st.integers(1, 60),
    gaps=st.lists(
        st.floats(0, 3) | st.floats(0, 0.03) | st.sampled_from([0.0, 0.02, 1e-9]), max_size=150
    ),
)
def test_no_window_of_a_second_has_more_calls_than_the_allowance(
    allowance: int, gaps: list[float]
) -> None:
    limit = answered(allowance)
    now = 1_000.0
    starts = []
    for gap in gaps:
        now += gap
        while (delay := limit.delay(now)) > 0.0 and gap < 1e-6:
            now += delay
        if limit.delay(now) == 0.0:
            limit.take(now)
            starts.append(now)

    assert most_in_a_second(starts) <= allowance


@some
@given(
    allowance=st.integers(1, 60),
    parts=st.lists(
        st.tuples(st.sampled_from([NOTHING, WHOLE, HALF]) | some_parts(), st.floats(0.0, 3.0)),
        max_size=8,
    ),
    refusals=st.lists(st.booleans(), min_size=1, max_size=5),
)
def test_no_change_of_the_rate_makes_a_window_too_full(
    allowance: int, parts: list[tuple[Part, float]], refusals: list[bool]
) -> None:
    limit = answered(allowance)
    now, starts = 0.0, []
    for part, seconds in parts:
        limit.set_part(part, now)
        end = now + seconds
        while now + limit.delay(now) < end:
            now += limit.delay(now)
            if limit.delay(now) == 0.0:
                limit.take(now)
                starts.append(now)
                if refusals[len(starts) % len(refusals)]:
                    limit.refused(now, TO_MIDNIGHT)
                else:
                    limit.accepted()
        now = end

    assert most_in_a_second(starts) <= allowance


@some
@given(
    allowance=st.sampled_from([1, 2, 5, 10, 20, 30, 50]),
    late=st.lists(st.floats(0, 0.002), min_size=1, max_size=20),
)
def test_at_least_nine_tenths_of_the_allowance_are_used(allowance: int, late: list[float]) -> None:
    starts = run(answered(allowance), 20.0, late=late)

    assert len(starts) >= 0.9 * allowance * 20
    assert most_in_a_second(starts) <= allowance


# The beginning.


def test_it_begins_with_one_call_a_second_until_one_is_accepted() -> None:
    limit = RateLimit(10)
    limit.take(0.0)

    assert limit.delay(0.0) == pytest.approx(1.035)

    limit.refused(0.2, TO_MIDNIGHT)

    assert limit.delay(0.2) == pytest.approx(0.835)

    limit.accepted()

    assert limit.delay(0.2) == 0.0


def test_started_on_a_used_up_allowance_it_makes_a_dozen_calls_and_pauses() -> None:
    limit = RateLimit(50)
    now, calls = 0.0, 0
    while limit.paused_until < now:
        now += limit.delay(now)
        limit.take(now)
        calls += 1
        limit.refused(now + 0.1, TO_MIDNIGHT)

    assert calls <= 12


# The share of a replica.


def test_a_replica_has_its_part_of_the_allowance() -> None:
    limit = shared(10, HALF)

    assert limit.share == 5.0
    assert limit.rate == 5.0


def test_without_a_part_no_call_may_start() -> None:
    limit = shared(10, NOTHING)

    assert limit.delay(0.0) == math.inf
    assert not limit.is_unused(1.0)

    limit.refused(0.0, TO_MIDNIGHT)
    limit.set_part(WHOLE, 0.0)

    assert limit.delay(0.2) == 0.0
    assert limit.rate == 10.0


def test_whoever_owned_the_turns_before_may_just_have_used_one() -> None:
    limit = answered(10)
    limit.set_part(WHOLE, 5.0)

    assert limit.delay(5.0) == pytest.approx(0.104)
    assert not limit.is_unused(5.05)

    limit.set_part(HALF, 20.8)  # a turn of ours begins just then

    assert limit.delay(20.8) == pytest.approx(0.208)


def test_an_allowance_is_not_shared_without_a_clock_that_all_have() -> None:
    with pytest.raises(ValueError, match="to_epoch"):
        RateLimit(10).set_part(HALF, 0.0)


def test_a_replica_starts_calls_in_its_turns_alone() -> None:
    limit = shared(10, Part((1, 4), 5))
    limit.accepted()

    assert run(limit, 1.0) == pytest.approx([0.104, 0.416, 0.624, 0.936])


def test_a_change_of_the_part_keeps_what_was_learnt() -> None:
    limit = RateLimit(20, same)
    limit.refused(0.0, TO_MIDNIGHT)
    limit.set_part(HALF, 0.0)

    assert limit.rate == pytest.approx(0.7 * 10)


def test_a_change_of_the_part_ends_no_pause() -> None:
    limit = RateLimit(10, same)
    refuse_only(limit, 0.0)
    limit.set_part(WHOLE, 0.0)

    assert limit.delay(10.0) == MINUTES_5

    limit.set_part(HALF, 0.0)

    assert MINUTES_5 <= limit.delay(10.0) <= MINUTES_5 + 0.208


@pytest.mark.parametrize("part", [WHOLE, HALF])
def test_the_next_call_can_be_reserved_before_all_who_wait(part: Part) -> None:
    limit = shared(10, part)
    limit.accepted()
    spacing = 0.104 / part.fraction
    first = 1.0 + limit.reserve(1.0)

    assert 1.0 + limit.reserve(1.0) == pytest.approx(first + spacing, abs=0.006)
    assert 1.0 + limit.delay(1.0) == pytest.approx(first + 2 * spacing, abs=0.006)


@pytest.mark.parametrize("part", [WHOLE, HALF])
def test_it_tells_when_calls_are_left_over(part: Part) -> None:
    limit = shared(10, part)
    limit.accepted()
    starts = run(limit, 5.0)

    assert not limit.is_unused(starts[-1] + 0.9 * 0.104 / part.fraction)
    assert limit.is_unused(starts[-1] + 0.4)


# Too many calls.


def refuse_only(limit: RateLimit, begin: float) -> float:
    """Nothing but refusals for ten seconds; returns when they ended."""
    for second in range(11):
        limit.refused(begin + second, TO_MIDNIGHT)
    return begin + 10.0


def test_a_refusal_slows_down_by_three_tenths() -> None:
    limit = RateLimit(10)
    limit.refused(0.0, TO_MIDNIGHT)

    assert limit.rate == pytest.approx(7.0)


def test_refusals_within_a_second_slow_down_once() -> None:
    limit = RateLimit(10)
    for now in (0.0, 0.1, 0.5, 0.999):
        limit.refused(now, TO_MIDNIGHT)

    assert limit.rate == pytest.approx(7.0)

    limit.refused(1.0, TO_MIDNIGHT)

    assert limit.rate == pytest.approx(4.9)


@pytest.mark.parametrize(
    ("allowance", "part", "slowest"),
    [
        (50, WHOLE, 1.0),
        (10, HALF, 1.0),
        (10, Part((7,), 20), 0.5),
        (1, WHOLE, 1.0),
        (0.2, WHOLE, 0.2),
    ],
)
def test_it_is_never_slower_than_one_a_second_or_the_share(
    allowance: float, part: Part, slowest: float
) -> None:
    limit = shared(allowance, part)
    for second in range(60):
        limit.refused(float(second), TO_MIDNIGHT)

    assert limit.rate == pytest.approx(slowest)


def test_a_smaller_part_is_not_slower_than_one_a_second_either() -> None:
    limit = RateLimit(50, same)
    for second in range(60):
        limit.refused(float(second), TO_MIDNIGHT)
    limit.set_part(Part((3,), 10), 60.0)

    assert limit.rate == pytest.approx(1.0)


def test_each_second_without_a_refusal_gives_back_a_twentieth_of_the_share() -> None:
    limit = RateLimit(10)
    limit.refused(0.0, TO_MIDNIGHT)
    seen = []
    for now in (0.5, 1.0, 2.0, 4.5, 5.0, 6.0, 60.0):
        limit.take(now)
        seen.append(limit.rate)

    assert seen == pytest.approx([7.0, 7.5, 8.0, 9.0, 9.5, 10.0, 10.0])


def test_recovery_begins_at_the_slowest_rate() -> None:
    limit = RateLimit(10)
    for second in range(60):
        limit.refused(float(second), TO_MIDNIGHT)
    limit.take(61.0)

    assert limit.rate == pytest.approx(2.0)


def test_a_refusal_begins_the_second_anew() -> None:
    limit = RateLimit(10)
    limit.refused(0.0, TO_MIDNIGHT)
    limit.refused(0.9, TO_MIDNIGHT)
    limit.take(1.8)

    assert limit.rate == pytest.approx(7.0)

    limit.take(1.95)

    assert limit.rate == pytest.approx(7.5)


def test_only_refusals_for_ten_seconds_pause_for_five_minutes() -> None:
    limit = RateLimit(10)
    for second in range(10):
        limit.refused(float(second), TO_MIDNIGHT)

    assert limit.paused_until == -math.inf

    limit.refused(10.0, TO_MIDNIGHT)

    assert limit.paused_until == 310.0
    assert limit.delay(10.0) == MINUTES_5
    assert limit.delay(310.0) == 0.0


def test_an_accepted_call_among_them_prevents_the_pause() -> None:
    limit = RateLimit(10)
    for second in range(60):
        limit.refused(float(second), TO_MIDNIGHT)
        if second % 9 == 8:
            limit.accepted()

    assert limit.paused_until == -math.inf


def test_refusals_far_apart_are_no_series() -> None:
    limit = RateLimit(10)
    for hour in range(5):
        limit.refused(hour * 3600.0, TO_MIDNIGHT)

    assert limit.paused_until == -math.inf


@pytest.mark.parametrize("allowance", [0.2, 0.05, 0.01])
def test_refusals_are_a_series_also_where_calls_are_seldom(allowance: float) -> None:
    limit = answered(allowance)
    now, calls = 0.0, 0
    while limit.paused_until < now:
        now += limit.delay(now)
        limit.take(now)
        limit.refused(now, TO_MIDNIGHT)
        calls += 1

    assert calls <= 4


def test_answers_that_arrive_within_the_pause_do_not_lengthen_it() -> None:
    limit = RateLimit(10)
    refuse_only(limit, 0.0)
    for now in (10.1, 11.0, 15.0):
        limit.refused(now, TO_MIDNIGHT)

    assert limit.paused_until == 310.0


def test_again_only_refusals_pause_until_midnight() -> None:
    limit = RateLimit(10)
    refuse_only(limit, 0.0)
    refuse_only(limit, 310.0)

    assert limit.paused_until == 320.0 + TO_MIDNIGHT


def test_an_accepted_call_after_a_pause_forgets_it() -> None:
    limit = RateLimit(10)
    refuse_only(limit, 0.0)
    limit.accepted()
    refuse_only(limit, 1_000.0)

    assert limit.paused_until == 1_010.0 + MINUTES_5


@some
@given(
    allowance=st.floats(0.05, 100),
    answers=st.lists(st.tuples(st.floats(0, 20), st.booleans()), max_size=60),
)
def test_whatever_tiktok_answers_the_rate_stays_between_the_slowest_and_the_share(
    allowance: float, answers: list[tuple[float, bool]]
) -> None:
    limit = RateLimit(allowance)
    now, last = 0.0, limit.rate
    for gap, is_refusal in answers:
        now += gap
        if is_refusal:
            limit.refused(now, TO_MIDNIGHT)
            assert limit.rate <= last + 1e-9
        else:
            limit.accepted()
            limit.take(now)
            assert limit.rate >= last - 1e-9
        last = limit.rate

        assert min(1.0, allowance) - 1e-9 <= limit.rate <= allowance + 1e-9
