"""The intake: poll, decode, identify, route, coalesce."""

from collections.abc import Collection, Mapping
from typing import Protocol

from connector.core.model import Chunk, Partition


class Source(Protocol):
    """Where records come from, and where progress is committed.

    One task polls; any task may commit, pause and resume. Errors are connector.errors.KafkaUnavailable.
    """

    async def poll(self) -> Mapping[Partition, Chunk]:
        """Wait a short while for records of the partitions that are not paused; empty when none came.

        Never raises for a record that cannot be parsed: its offset stands in the chunk's `unreadable`.
        A chunk without records says that the position moved past control records.
        """

    async def commit(self, positions: Mapping[Partition, int]) -> None:
        """Commit these positions, within a bound of time.

        Raises KafkaUnavailable when it is not known to have been committed; it may still be applied.
        """

    def pause(self, partitions: Collection[Partition]) -> None:
        """Fetch no more of these until they are resumed; poll on, so that the membership lives."""

    def resume(self, partitions: Collection[Partition]) -> None: ...


class Assignment(Protocol):
    """Who hears of rebalances. `revoked` may take as long as the drain; `assigned` must be instant."""

    async def revoked(self, partitions: Collection[Partition]) -> None: ...

    def assigned(self, partitions: Collection[Partition], share: float) -> None:
        """These partitions are ours from their committed offsets on.

        Args:
            partitions: all that this member has now.
            share: their part of all partitions of the subscribed topics, 0..1.
        """
