"""One member of a group as tests use it: it records what it is told, and reads until something holds."""

import asyncio
import selectors
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any

from connector.core.model import Partition, Record
from connector.core.turns import Part
from connector.kafka.security import Security
from connector.kafka.source import KafkaSource, SourceConfig
from tests.fakes.kafka import FakeSource

AnySource = KafkaSource | FakeSource

START_SECONDS = 20.0
PATIENCE = 20.0


def run(test: Coroutine[Any, Any, None]) -> None:
    """Run it, and fail when a task or a connection is left behind: a client that was not ended."""
    selector = selectors.DefaultSelector()

    async def complete() -> None:
        own = len(selector.get_map())
        await test
        left = asyncio.all_tasks() - {asyncio.current_task()}
        if left:  # what was cancelled has yet to end
            await asyncio.wait(left, timeout=2.0)
        assert not [one for one in left if not one.done()]
        # A login that was refused is closed by aiokafka in the background, and TLS says goodbye both ways.
        await eventually(lambda: len(selector.get_map()) == own, "connections to be closed")

    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selector)) as runner:
        runner.run(complete())


async def eventually(holds: Callable[[], Awaitable[bool] | bool], what: str) -> None:
    """Wait until it holds; fail with what was waited for."""
    deadline = asyncio.get_running_loop().time() + PATIENCE
    while True:
        found = holds()
        if found if isinstance(found, bool) else await found:
            return
        assert asyncio.get_running_loop().time() < deadline, f"waited {PATIENCE} s for {what}"
        await asyncio.sleep(0.02)


class Told:
    """An Assignment that records, and does in `revoked` what a test wants done there."""

    def __init__(self, on_revoked: Callable[[], Awaitable[None]] | None = None) -> None:
        self.assignments: list[tuple[set[Partition], Part]] = []
        self.revocations: list[set[Partition]] = []
        self.confirmations: list[float] = []
        self._on_revoked = on_revoked

    async def revoked(self, partitions: Collection[Partition]) -> None:
        self.revocations.append(set(partitions))
        if partitions and self._on_revoked is not None:
            await self._on_revoked()

    def assigned(self, partitions: Collection[Partition], part: Part) -> None:
        self.assignments.append((set(partitions), part))

    def confirmed(self, at: float) -> None:
        self.confirmations.append(at)


class Reader:
    """What polls brought."""

    def __init__(self, source: AnySource) -> None:
        self.source = source
        self.records: dict[Partition, list[Record]] = defaultdict(list)
        self.positions: dict[Partition, int] = {}
        self.unreadable: dict[Partition, list[int]] = defaultdict(list)

    def values(self, partition: Partition) -> list[bytes | None]:
        return [one.value for one in self.records[partition]]

    def offsets(self, partition: Partition) -> list[int]:
        return [one.offset for one in self.records[partition]]

    @property
    def count(self) -> int:
        return sum(len(some) for some in self.records.values())

    async def poll(self) -> None:
        for partition, chunk in (await self.source.poll()).items():
            offsets = [one.offset for one in chunk.records]
            assert offsets == sorted(offsets)
            assert all(offset < chunk.position for offset in (*offsets, *chunk.unreadable))
            self.records[partition] += chunk.records
            self.unreadable[partition] += chunk.unreadable
            self.positions[partition] = chunk.position

    async def until(self, holds: Callable[[], bool], what: str) -> None:
        """Poll until it holds."""
        deadline = asyncio.get_running_loop().time() + PATIENCE
        while not holds():
            assert asyncio.get_running_loop().time() < deadline, f"waited {PATIENCE} s for {what}"
            await asyncio.wait_for(self.poll(), PATIENCE)

    async def until_count(self, count: int) -> None:
        await self.until(lambda: self.count >= count, f"{count} records")

    async def until_position(self, partition: Partition, position: int) -> None:
        await self.until(
            lambda: self.positions.get(partition, -1) >= position, f"position {position}"
        )


def kafka_source(
    bootstrap_servers: str,
    topics: Sequence[str],
    group: str,
    security: Security | None = None,
    **config: Any,
) -> KafkaSource:
    known = {"drain_seconds": 5.0, **config}
    return KafkaSource(
        SourceConfig([bootstrap_servers], group, tuple(topics), **known), security or Security()
    )


@asynccontextmanager
async def started(
    source: AnySource, told: Told | None = None, **options: Any
) -> AsyncIterator[Reader]:
    """Start the source, and stop it in the end."""
    await source.start(told or Told(), START_SECONDS, lambda _: None, **options)
    try:
        yield Reader(source)
    finally:
        await source.stop(5.0)
