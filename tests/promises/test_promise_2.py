"""The last change wins.

Per identifier and audience, in partition order: the audience at TikTok ends equal to applying the raw changes one by
one. An identifier with a call under way holds back only its own next change.
"""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from connector.core.outcome import Outcome
from tests import virtual_time
from tests.delivery.rig import TIMEOUT
from tests.fakes.tiktok import TIMED_OUT
from tests.promises.worlds import (
    Change,
    changes,
    durations,
    first,
    late,
    outcomes,
    seconds,
    some,
    unsteady,
)
from tests.test_intake import digest_of
from tests.whole import Life, members_at_tiktok, members_by_events


@some
@given(st.lists(st.tuples(changes, seconds), min_size=1, max_size=4), durations, outcomes)
def test_promise_2_the_last_change_wins(
    steps: list[tuple[list[Change], float]], durations: list[float], ends: list[Outcome]
) -> None:
    async def test() -> None:
        life = Life(poll_records=5, qps=20.0, linger=0.2)
        unsteady(life, durations, ends)
        late(life, durations)
        async with life.flowing():
            for some_changes, wait in steps:
                life.write(*some_changes)
                await asyncio.sleep(wait)
            await life.until_all_is_committed()
            await asyncio.sleep(TIMEOUT)  # what may still be applied
        assert members_at_tiktok(life) == members_by_events(life)

    virtual_time.run(test())


def test_promise_2_a_call_under_way_holds_back_only_the_next_change_of_its_identifiers() -> None:
    async def test() -> None:
        life = Life(linger=0.2)
        life.emea.seconds = 10.0
        async with life.flowing():
            life.write((0, "segment-1", "entered"))
            await life.until(lambda: len(life.emea.calls) == 1)
            life.emea.seconds = 0.1
            life.write((0, "segment-1", "exited"), (2, "segment-1", "entered"))
            await asyncio.sleep(5.0)
            assert life.members(1) == {digest_of(2)}
            assert len(life.emea.calls) == 2
            await life.until_all_is_committed()
            assert life.members(1) == {digest_of(2)}
            assert len(life.emea.calls) == 3

    virtual_time.run(test())


def test_promise_2_a_call_that_is_applied_after_its_timeout_undoes_no_newer_change() -> None:
    async def test() -> None:
        life = Life(linger=0.2)
        first(life, [TIMED_OUT])
        late(life, [TIMEOUT])
        async with life.flowing():
            life.write((0, "segment-1", "entered"))
            await life.until(lambda: len(life.emea.calls) == 1)
            life.write((0, "segment-1", "exited"))
            await life.until_all_is_committed()
            await asyncio.sleep(TIMEOUT)
        assert life.members(1) == set()

    virtual_time.run(test())
