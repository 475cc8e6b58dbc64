"""Any await may be the last: each one hangs in turn, the process ends there, and the next one loses nothing.

The whole core runs between fakes whose awaits are numbered, once before and once after each takes effect. The k-th
of them never ends, for each k until a run needs no more. At the end of each such life nothing may be committed that
is not kept, nothing taken in may be missing from the accounts, and a second life must end where the events say.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest

from connector.core.batch import Batch
from connector.core.outcome import Outcome
from tests import virtual_time
from tests.fakes.kafka import Hole
from tests.fakes.tiktok import SERVER_ERROR, TIMED_OUT
from tests.test_intake import DRAIN, P0, P1
from tests.whole import Life, finish, owed, unaccounted

BAD = (4, 7)
PATIENCE = 2.0 * DRAIN
"""Longer than a drain."""

A_WHILE = 3.0
"""Longer than what there is to do when nothing hangs."""


class Hang:
    """Numbers the awaits of a life's fakes, and lets one of them hang.

    Attributes:
        passed: how many awaits there have been.
        reached: set when the one that hangs is reached.
        under_way: batches that were given to TikTok and have not come back, those that hang among them.
    """

    def __init__(self, life: Life, at: int) -> None:
        self.passed = 0
        self.reached = asyncio.Event()
        self.under_way: list[Batch] = []
        self._at = at
        for owner, name in (
            (life.source, "poll"),
            (life.source, "commit"),
            (life.letters, "send"),
            (life.emea, "probe"),
        ):
            self._wrap(owner, name)
        self._send = life.emea.send
        life.emea.send = self.send  # type: ignore[method-assign]

    async def send(self, audience_id: str, batch: Batch) -> Outcome:
        self.under_way.append(batch)
        await self._pass()
        outcome = await self._send(audience_id, batch)
        await self._pass()
        self.under_way.remove(batch)
        return outcome

    def _wrap(self, owner: object, name: str) -> None:
        inner = getattr(owner, name)

        async def call(*arguments: object) -> object:
            await self._pass()
            result = await inner(*arguments)
            await self._pass()
            return result

        setattr(owner, name, call)

    async def _pass(self) -> None:
        self.passed += 1
        if self.passed == self._at:
            self.reached.set()
            await asyncio.Event().wait()


def a_life() -> Life:
    """Adds, deletes, a change that replaces one, bad rows and records, a call in doubt and one that failed."""
    life = Life(bad=BAD, poll_records=6, qps=50.0, linger=0.2)
    life.write(*((user, "segment-1", "entered") for user in range(10)))
    life.kafka.push(P0, [None, b"no event", Hole.GAP])
    life.write((0, "segment-1", "exited"), (2, "both", "entered"), (3, "segment-2", "entered"))
    life.write((0, "segment-1", "entered"), (1, "segment-1", "exited"), (2, "both", "exited"))
    life.kafka.push(P1, [Hole.UNREADABLE, b"", None])
    failures = [TIMED_OUT, SERVER_ERROR]
    life.emea.answer = lambda audience, batch: (
        failures.pop() if failures and len(batch.rows) > 1 else life.rejecting(audience, batch)
    )
    return life


async def leave(life: Life) -> None:
    """As on SIGTERM; what hangs for ever is ended by a second signal."""
    with suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE):
            await life.ownership.leave()


async def at_once(_: Life) -> None:
    """Ends without a word, where it hangs."""


async def leave_after_a_while(life: Life) -> None:
    """As on SIGTERM, when everything else has gone as far as it can."""
    await asyncio.sleep(A_WHILE)
    await leave(life)


async def rebalance(life: Life) -> None:
    """Loses a partition first, and ends in the midst of it or after."""
    with suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE):
            await life.source.rebalance([P1])
            await life.source.rebalance([P0, P1])


Ending = Callable[[Life], Awaitable[None]]


async def hang_at(number: int, ending: Ending, begin: float | None = None) -> bool:
    """One life in which that await hangs, and the next one; whether there was such an await.

    Args:
        begin: when the ending begins; None for when it hangs, or all is done.
    """
    life = a_life()
    hang = Hang(life, number)
    async with life.flowing():
        await (until_it_hangs(life, hang) if begin is None else asyncio.sleep(begin))
        await ending(life)
    where = f"await {number}, {ending.__name__}"
    assert owed(life) == [], where
    if ending is not rebalance:  # which forgets what it hands over
        assert unaccounted(life, hang.under_way) == [], where
    await finish(Life(life, bad=BAD, linger=0.2, qps=50.0))
    return hang.reached.is_set()


async def until_it_hangs(life: Life, hang: Hang) -> None:
    done = asyncio.create_task(life.until_all_is_committed())
    reached = asyncio.create_task(hang.reached.wait())
    await asyncio.wait((done, reached), return_when=asyncio.FIRST_COMPLETED)
    for task in (done, reached):
        task.cancel()


async def hang_everywhere(ending: Ending, begin: float | None = None) -> int:
    """One pair of lives for each await there is; how many awaits there are."""
    number = 0
    while await hang_at(number + 1, ending, begin):
        number += 1
    return number


@pytest.mark.parametrize("ending", [at_once, leave, leave_after_a_while, rebalance])
def test_wherever_it_hangs_before_its_end_nothing_is_lost(ending: Ending) -> None:
    awaits = virtual_time.run(hang_everywhere(ending))

    assert awaits > 50  # or the scenario has become too small to tell anything


@pytest.mark.parametrize("begin", [0.01, 0.5])
@pytest.mark.parametrize("ending", [leave, rebalance])
def test_wherever_it_hangs_while_it_ends_nothing_is_lost(ending: Ending, begin: float) -> None:
    awaits = virtual_time.run(hang_everywhere(ending, begin))

    assert awaits > 20
