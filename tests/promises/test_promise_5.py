"""Bulkheads.

One audience that waits, retries or halts does not stop another, until its own bound is reached. Then
`when_blocked: hold` pauses the intake, and `dead_letter` sets that audience's changes aside.
"""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from connector.core.batch import Batch
from connector.core.outcome import Outcome
from tests import virtual_time
from tests.fakes.tiktok import BAD_ROW, NO_AUDIENCE, OK, SERVER_ERROR, TIMED_OUT
from tests.promises.worlds import rarely
from tests.whole import Life, letters, members_at_tiktok, members_by_events, owed

troubles = st.sampled_from([SERVER_ERROR, TIMED_OUT, NO_AUDIENCE, BAD_ROW])


def trouble(life: Life, outcome: Outcome) -> None:
    """Audience 2 has it; the others have none."""

    def answer(audience: str, batch: Batch) -> Outcome:
        return outcome if audience == "2" else OK

    life.emea.answer = answer


def enter(life: Life, users: range, segment: str) -> None:
    life.write(*((user, segment, "entered") for user in users))


@rarely
@given(troubles, st.integers(1, 300))
def test_promise_5_trouble_of_one_audience_does_not_stop_another(
    outcome: Outcome, count: int
) -> None:
    async def test() -> None:
        life = Life(linger=0.2, poll_records=50)
        trouble(life, outcome)
        async with life.flowing():
            enter(life, range(count), "segment-2")
            await asyncio.sleep(120.0)
            enter(life, range(1_000, 1_100), "segment-1")
            await asyncio.sleep(10.0)
            assert len(life.members(1)) == 100
            assert owed(life) == []

    virtual_time.run(test())


@rarely
@given(troubles, st.integers(50, 200))
def test_promise_5_at_its_bound_a_blocked_audience_holds_the_intake_until_it_is_mended(
    outcome: Outcome, bound: int
) -> None:
    async def test() -> None:
        life = Life(linger=0.2, poll_records=20, most_blocked=bound)
        trouble(life, outcome)
        async with life.flowing():
            enter(life, range(bound + 1), "segment-2")
            await asyncio.sleep(120.0)  # so long that it counts as blocked, whatever the trouble
            enter(life, range(1_000, 2_000), "segment-2")
            await life.until(lambda: life.pauses.is_full)
            held = life.backlog.pending
            assert held <= bound + 40
            for _ in range(10):
                await asyncio.sleep(60.0)
                assert life.backlog.pending <= held
            life.emea.answer = lambda *_: OK
            await life.until_all_is_committed()
        assert members_at_tiktok(life) == members_by_events(life)

    virtual_time.run(test())


@rarely
@given(troubles, st.integers(50, 200))
def test_promise_5_at_its_bound_a_blocked_audience_is_set_aside_where_its_route_says_so(
    outcome: Outcome, bound: int
) -> None:
    async def test() -> None:
        life = Life(linger=0.2, poll_records=20, most_blocked=bound, sets_aside=True)
        trouble(life, outcome)
        async with life.flowing():
            for wave in range(10):
                enter(life, range(wave * 100, wave * 100 + 100), "segment-2")
                await asyncio.sleep(60.0)
            assert not life.pauses.is_full
            assert life.backlog.pending <= bound + 40
            enter(life, range(1_000, 1_100), "segment-1")
            await life.until(lambda: len(life.members(1)) == 100, 10.0)
            assert owed(life) == []
        assert {reason for _, _, reason in letters(life)} == {"blocked"}

    virtual_time.run(test())
