"""Rebalance and stop.

Intake closes, what is resolved is committed, all lanes are due, calls are waited for up to a bound, and what then is
resolved is committed. The next owner goes on where that ends, and no call of the last one can undo its own.
"""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from connector.core.model import Partition
from connector.core.outcome import Outcome
from tests import virtual_time
from tests.delivery.rig import TIMEOUT
from tests.fakes.tiktok import TIMED_OUT
from tests.promises.worlds import (
    Change,
    changes,
    durations,
    few,
    first,
    late,
    outcomes,
    seconds,
    unsteady,
)
from tests.test_intake import DRAIN, P0, P1
from tests.whole import Life, finish, members_at_tiktok, members_by_events, owed

BOTH = frozenset({P0, P1})


async def share(one: Life, other: Life, ones: frozenset[Partition]) -> None:
    """Take all partitions from both, and give them anew."""
    await asyncio.gather(one.source.rebalance([]), other.source.rebalance([]))
    assert not any(one.emea.under_way.values())  # or the last owner's call may undo the next one's
    await one.source.rebalance([*ones])
    await other.source.rebalance([*(BOTH - ones)])


moves = st.lists(
    st.tuples(changes, seconds, st.sets(st.sampled_from([P0, P1])).map(frozenset)),
    min_size=1,
    max_size=4,
)


@few
@given(moves, durations, outcomes)
def test_promise_7_partitions_that_change_hands_lose_nothing_and_undo_nothing(
    moves: list[tuple[list[Change], float, frozenset[Partition]]],
    durations: list[float],
    ends: list[Outcome],
) -> None:
    async def test() -> None:
        one = Life(poll_records=5, qps=20.0, linger=0.2)
        other = Life(one, poll_records=5, qps=20.0, linger=0.2)
        unsteady(one, durations, ends)
        async with one.flowing():
            await one.source.rebalance([])
            async with other.flowing():
                for some_changes, wait, ones in moves:
                    one.write(*some_changes)
                    await asyncio.sleep(wait)
                    await share(one, other, ones)
                    assert owed(one) == []
                await one.until_all_is_committed()
                await asyncio.sleep(TIMEOUT)
        assert members_at_tiktok(one) == members_by_events(one)

    virtual_time.run(test())


@few
@given(changes, st.floats(0.0, 2.0), st.floats(0.01, 4.0))
def test_promise_7_a_stop_delivers_and_commits_all_that_was_taken_in(
    some_changes: list[Change], running: float, call: float
) -> None:
    async def test() -> None:
        life = Life(poll_records=5, qps=20.0, linger=30.0)
        life.emea.seconds = call
        life.write(*some_changes)
        async with life.flowing():
            await asyncio.sleep(running)
            await life.ownership.leave()
            for partition in BOTH:
                taken = life.checkpoint.position(partition) or 0
                assert life.committed.get(partition, 0) == taken
        assert owed(life) == []
        await finish(Life(life))

    virtual_time.run(test())


@few
@given(changes, st.floats(TIMEOUT + 0.1, 1_000.0), st.booleans())
def test_promise_7_a_call_that_does_not_end_is_waited_for_no_longer_than_the_bound(
    some_changes: list[Change],
    call: float,
    is_stop: bool,  # noqa: FBT001
) -> None:
    async def test() -> None:
        life = Life(linger=0.2)
        life.emea.seconds = call
        life.write(*some_changes)
        async with life.flowing():
            await life.until(lambda: life.dispatcher.calls > 0)
            began = life.now
            await (life.ownership.leave() if is_stop else life.source.rebalance([P1]))
            assert life.now - began <= DRAIN + 1.0
            assert life.now - began >= min(call, DRAIN) - 3.0
        assert owed(life) == []
        life.emea.seconds = 0.05
        await finish(Life(life))

    virtual_time.run(test())


def test_promise_7_a_call_in_doubt_undoes_no_change_of_the_next_owner() -> None:
    """It timed out before the hand-over, and TikTok applies it within another timeout."""

    async def test() -> None:
        one = Life(linger=0.2)
        other = Life(one, linger=0.2)
        first(one, [TIMED_OUT])
        late(one, [DRAIN - 6.0])
        async with one.flowing():
            await one.source.rebalance([])
            async with other.flowing():
                await share(one, other, BOTH)
                one.write((0, "segment-1", "entered"))
                await one.until(lambda: bool(one.audience(1).is_in_trouble))
                await share(one, other, frozenset())
                one.write((0, "segment-1", "exited"))
                await one.until_all_is_committed()
                await asyncio.sleep(TIMEOUT)
        assert one.members(1) == set()

    virtual_time.run(test())
