"""One outcome of a closed set for each batch.

What may succeed later is retried without end, with backoff. Of a rejected batch only the bad rows are set aside. An
audience that rejects everything is halted, and a halt never dead-letters a stream.
"""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from connector.core.outcome import Outcome
from tests import virtual_time
from tests.fakes.tiktok import BAD_ROW, BAD_TOKEN, NO_AUDIENCE, OK, REFUSED, SERVER_ERROR, TIMED_OUT
from tests.promises.worlds import few, rarely
from tests.whole import Life, finish, home, letters, members_at_tiktok, members_by_events

LONG = 600.0


def enter(life: Life, count: int) -> None:
    life.write(*((user, "segment-1", "entered") for user in range(count)))


@few
@given(
    st.integers(2, 60).flatmap(
        lambda n: st.tuples(st.just(n), st.sets(st.integers(0, n - 1), max_size=4))
    )
)
def test_promise_4_of_a_rejected_batch_only_the_bad_rows_are_set_aside(
    crowd: tuple[int, set[int]],
) -> None:
    count, bad = crowd

    async def test() -> None:
        life = Life(bad=bad, linger=0.2)
        enter(life, count)
        await finish(life)
        # Users alternate between two partitions, so a user's number halved is the offset.
        assert letters(life) == {(home(user), user // 2, "rejected") for user in bad}

    virtual_time.run(test())


@rarely
@given(st.sampled_from([SERVER_ERROR, REFUSED, TIMED_OUT]), st.floats(0.2, 1.0))
def test_promise_4_what_may_succeed_later_is_retried_without_end_and_without_a_flood(
    outcome: Outcome, chance: float
) -> None:
    async def test() -> None:
        life = Life(linger=0.2)
        life.emea.answer = lambda *_: outcome
        enter(life, 20)
        async with life.flowing():
            await asyncio.sleep(LONG)
            assert LONG / 60.0 < len(life.emea.calls) < LONG / 10.0
            assert life.letters.written == []
            life.emea.answer = lambda *_: OK
            await life.until_all_is_committed()
        assert members_at_tiktok(life) == members_by_events(life)

    virtual_time.run(test())


@rarely
@given(st.sampled_from([BAD_ROW, BAD_TOKEN, NO_AUDIENCE]), st.integers(8, 200))
def test_promise_4_a_halt_is_left_when_it_is_mended_and_dead_letters_nothing(
    outcome: Outcome, count: int
) -> None:
    async def test() -> None:
        life = Life(linger=0.2)
        life.emea.answer = lambda *_: outcome
        life.emea.token = outcome if outcome is BAD_TOKEN else OK
        enter(life, count)
        async with life.flowing():
            await asyncio.sleep(LONG)
            assert life.audience(1).is_halted or life.accounts["emea"].is_halted
            assert life.letters.written == []
            assert not any(life.committed.values())
            life.emea.answer, life.emea.token = (lambda *_: OK), OK
            mended = life.now
            await life.until_all_is_committed()
            assert life.now - mended < 35.0
        assert members_at_tiktok(life) == members_by_events(life)

    virtual_time.run(test())
