"""Memory is bounded.

Whatever the backlog, the outage's length or the skew: what is pending, the calls under way, the letters that wait,
and how far reading runs ahead of the commit. A crash reads at most so much again.
"""

import asyncio

from hypothesis import example, given
from hypothesis import strategies as st

from connector.core.outcome import Outcome
from tests import virtual_time
from tests.fakes.tiktok import BAD_TOKEN, NO_AUDIENCE, OK, RATE_LIMITED, SERVER_ERROR, TIMED_OUT
from tests.promises.worlds import rarely
from tests.test_intake import P0, P1, event
from tests.whole import Life, finish

POLL = 20
troubles = st.sampled_from([OK, SERVER_ERROR, TIMED_OUT, RATE_LIMITED, BAD_TOKEN, NO_AUDIENCE])


def backlog_of(life: Life, records: int) -> None:
    """Far more than fits: people of one audience in one partition, the same ones again and again in the other."""
    for number in range(records):
        life.kafka.push(P0, [event(2 * number, "segment-1")])
        life.kafka.push(P1, [event(2 * (number % 7) + 1, "both"), b"no event"])


@rarely
@given(troubles, st.integers(40, 200), st.integers(60, 300), st.booleans())
@example(SERVER_ERROR, 10_000, 60, True)  # noqa: FBT003
@example(SERVER_ERROR, 60, 10_000, True)  # noqa: FBT003
@example(OK, 10_000, 60, False)  # noqa: FBT003
def test_promise_6_memory_is_bounded(
    outcome: Outcome,
    most: int,
    ahead: int,
    takes_letters: bool,  # noqa: FBT001
) -> None:
    async def test() -> None:
        life = Life(most=most, most_uncommitted=ahead, poll_records=POLL, linger=0.2)
        backlog_of(life, 1_000)
        life.emea.answer = lambda *_: outcome
        life.emea.seconds = 5.0
        life.letters.refusing = not takes_letters
        async with life.flowing():
            for _ in range(60):
                await asyncio.sleep(1.0)
                assert life.backlog.pending <= most + 2 * POLL
                assert life.dispatcher.calls <= 16
                assert len(life.dead_letters) <= 2 * ahead + 2 * POLL
                await life.committer.commit()
                for partition in (P0, P1):
                    position = life.checkpoint.position(partition) or 0
                    read_again = position - life.committed.get(partition, 0)
                    assert (
                        read_again <= ahead + 2 * POLL
                    )  # one before it pauses, one while it commits

    virtual_time.run(test())


def test_promise_6_what_was_held_goes_on_when_the_outage_ends() -> None:
    async def test() -> None:
        life = Life(most=60, most_uncommitted=100, poll_records=POLL, linger=0.2, qps=50.0)
        backlog_of(life, 300)
        life.emea.answer = lambda *_: SERVER_ERROR
        life.letters.refusing = True
        async with life.flowing():
            await asyncio.sleep(600.0)
            assert max(life.committed.values(), default=0) < 200
        life = Life(life, most=60, most_uncommitted=100, poll_records=POLL, linger=0.2, qps=50.0)
        await finish(life)

    virtual_time.run(test())
