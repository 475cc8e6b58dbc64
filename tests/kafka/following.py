"""A follower as tests use it: what it handed over, and what it confirmed."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Self

from connector.core.model import Chunk, Partition
from connector.kafka.follower import Follower
from connector.kafka.security import Security
from tests.fakes.kafka import FakeFollower
from tests.kafka.member import START_SECONDS, eventually

ASK_SECONDS = 0.2

AnyFollower = Follower | FakeFollower
MakeFollower = Callable[[Callable[[float], None]], AnyFollower]


def kafka_follower(
    bootstrap_servers: str,
    topic: str,
    confirmed: Callable[[float], None],
    *,
    isolation_level: str = "read_committed",
    security: Security | None = None,
    on_reread: Callable[[], None] = lambda: None,
) -> Follower:
    return Follower(
        [bootstrap_servers],
        security or Security(),
        topic,
        isolation_level,
        confirmed,
        on_reread,
        ask_every_seconds=ASK_SECONDS,
    )


class Following:
    """One follower, loaded and followed.

    Attributes:
        check: called at each confirmation.
    """

    def __init__(self, make: MakeFollower) -> None:
        self.follower = make(self._note)
        self.confirmations: list[float] = []
        self.values: dict[int, list[bytes | None]] = defaultdict(list)
        self.unreadable: dict[int, list[int]] = defaultdict(list)
        self.positions: dict[int, int] = {}
        self.check: Callable[[], None] = lambda: None
        self._following: asyncio.Task[None] | None = None

    @property
    def count(self) -> int:
        return sum(map(len, self.values.values()))

    async def load(self) -> Self:
        async for partition, chunk in self.follower.load():
            self.take(partition, chunk)
        return self

    async def load_and_fail(self) -> None:
        async for _ in self.follower.load():
            raise LookupError

    def follow(self) -> asyncio.Task[None]:
        """In the background, until it is closed."""
        self._following = asyncio.create_task(self._follow())
        return self._following

    async def end(self, timeout: float = 1.0) -> None:
        if self._following is not None:
            self._following.cancel()
            await asyncio.wait({self._following})
        await self.follower.stop(timeout)

    def take(self, partition: Partition, chunk: Chunk) -> None:
        self.values[partition.partition] += [one.value for one in chunk.records]
        self.unreadable[partition.partition] += chunk.unreadable
        self.positions[partition.partition] = chunk.position

    async def until(self, holds: Callable[[], bool], what: str) -> None:
        """Wait until it holds, while it is followed."""

        def holds_or_has_failed() -> bool:
            if self._following is not None and self._following.done():
                self._following.result()
            return holds()

        await eventually(holds_or_has_failed, what)

    async def until_count(self, count: int) -> None:
        await self.until(lambda: self.count >= count, f"{count} records")

    async def until_fresh(self) -> None:
        """Wait until all that is written now has been handed over, by the follower's own word."""
        now = asyncio.get_running_loop().time()
        await self.until(
            lambda: bool(self.confirmations) and self.confirmations[-1] > now, "a confirmation"
        )

    def _note(self, at: float) -> None:
        assert at <= asyncio.get_running_loop().time()
        assert self.follower.fresh_at == at
        self.confirmations.append(at)
        self.check()

    async def _follow(self) -> None:
        async for partition, chunk in self.follower.follow():
            self.take(partition, chunk)


@asynccontextmanager
async def started(make: MakeFollower) -> AsyncIterator[Following]:
    """Start it, and stop it in the end."""
    one = Following(make)
    await one.follower.start(START_SECONDS, lambda _: None)
    try:
        yield one
    finally:
        await one.end()
