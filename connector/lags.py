"""How far each partition is behind, also of those that are paused.

Kafka's client learns where a partition ends from what it fetches, and of a paused one it fetches nothing: its lag
would stand still for as long as the pause lasts, which is when people look. So the ends of paused partitions are asked
for. Owns those ends, and reads nothing else than what it is told.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping
from typing import Protocol

from connector.core.model import Partition
from connector.errors import KafkaUnavailable

_LOOK_SECONDS = 5.0


class Source(Protocol):
    """Who knows how far a partition is behind, and can ask where it ends."""

    def lag(self, partition: Partition) -> int | None:
        """Records between the position and the end; None while unknown."""

    async def end_offsets(self, partitions: Collection[Partition]) -> Mapping[Partition, int]:
        """The offset after the last record. Raises connector.errors.KafkaUnavailable."""


class Lags:
    """Knows the lags: `lag`, and `run`, which keeps those of paused partitions true.

    Args:
        paused: the partitions that are not read at present.
        position: the next offset to be read of a partition; None while unknown.
    """

    def __init__(
        self,
        source: Source,
        paused: Callable[[], Collection[Partition]],
        position: Callable[[Partition], int | None],
    ) -> None:
        self._source = source
        self._paused = paused
        self._position = position
        self._ends: Mapping[Partition, int] = {}

    def lag(self, partition: Partition) -> int | None:
        """Records between the position and the end; None while unknown."""
        end, position = self._ends.get(partition), self._position(partition)
        if end is None or position is None or partition not in self._paused():
            return self._source.lag(partition)
        return max(0, end - position)

    async def run(self) -> None:
        """Ask for the ends of paused partitions every few seconds, for ever."""
        while True:
            await self._look()
            await asyncio.sleep(_LOOK_SECONDS)

    async def _look(self) -> None:
        paused = list(self._paused())
        try:
            self._ends = await self._source.end_offsets(paused) if paused else {}
        except KafkaUnavailable:
            return  # what was known stays; that Kafka is away others tell
