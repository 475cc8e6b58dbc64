"""Reading up to the end that the partitions had at start: one-time synchronisation.

Owns the ends and how far each partition has come. Knows Kafka only as the source that it declares.
"""

from collections.abc import Collection, Mapping
from typing import Protocol

from connector.core.model import Chunk, Partition


class Ends(Protocol):
    """Who knows where partitions begin and end for this group."""

    async def end_offsets(self, partitions: Collection[Partition]) -> Mapping[Partition, int]:
        """The offset after the last record that can be read now."""

    async def positions(self, partitions: Collection[Partition]) -> Mapping[Partition, int]:
        """The offset that is read next."""


class UntilEnd:
    """A stint: from the committed positions to the ends seen when a partition first came."""

    def __init__(self, ends: Ends) -> None:
        self._source = ends
        self._ends: dict[Partition, int] = {}
        self._positions: dict[Partition, int] = {}

    async def learn(self, partitions: Collection[Partition]) -> None:
        """Ask for what is not known yet of these partitions."""
        if unread := [one for one in partitions if one not in self._positions]:
            self._positions |= await self._source.positions(unread)
        if new := [one for one in partitions if one not in self._ends]:
            self._ends |= await self._source.end_offsets(new)

    def restart(self) -> None:
        """Reading goes on from the committed positions; the ends stay as they were at start."""
        self._positions.clear()

    def clip(self, partition: Partition, chunk: Chunk) -> Chunk:
        """The chunk without what was written after the start."""
        end = self._ends.get(partition)
        self._positions[partition] = chunk.position
        if end is None or chunk.position <= end:
            return chunk
        return Chunk(
            [record for record in chunk.records if record.offset < end],
            end,
            [offset for offset in chunk.unreadable if offset < end],
        )

    def is_done(self, partition: Partition) -> bool:
        """Whether the end has been reached."""
        end, position = self._ends.get(partition), self._positions.get(partition)
        return end is not None and position is not None and position >= end
