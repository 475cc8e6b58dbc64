"""Where reading begins: at the committed position, or where there is none, or none that exists, where the rules say.

Owns the seeking. aiokafka's own reset is off: it would apply to a position that is out of range as well, and to
partitions that were added later, without a word. Knows nothing of what was read or handed over.
"""

import asyncio
from collections.abc import Callable, Collection
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError

from connector.errors import KafkaUnavailable
from connector.kafka import internals

QUERY_SECONDS = 15.0
"""For one question to the broker; the client would ask without end."""


class Beginnings:
    """Moves one consumer's positions.

    Args:
        at_end: partitions that begin at their end where the group has committed nothing; others are read whole.
    """

    def __init__(self, consumer: Any, at_end: Collection[TopicPartition]) -> None:
        self._consumer = consumer
        self._at_end = frozenset(at_end)

    async def find(self) -> list[TopicPartition]:
        """Find where to begin where the group has committed nothing; returns the partitions that have begun."""
        fresh = [one for one in self._consumer.assignment() if await self._is_fresh(one)]
        late = [one for one in fresh if one in self._at_end]
        whole = [one for one in fresh if one not in self._at_end]
        begun = await self._seek(self._consumer.seek_to_end, late)
        return begun + await self.earliest(whole)

    async def earliest(self, partitions: list[TopicPartition]) -> list[TopicPartition]:
        """Go on from the first record that there is; returns the partitions where that was done."""
        return await self._seek(self._consumer.seek_to_beginning, partitions)

    async def committed(self, partition: TopicPartition) -> int:
        """What the group has committed. Raises KafkaUnavailable when that cannot be found out."""
        try:
            async with asyncio.timeout(QUERY_SECONDS):
                committed: int | None = await self._consumer.committed(partition)
        except (KafkaError, TimeoutError) as error:
            why = type(error).__name__
            raise KafkaUnavailable(f"the broker does not tell what is committed: {why}") from None
        if committed is None:
            raise KafkaUnavailable("where a partition began is not known: start again")
        return committed

    async def _is_fresh(self, partition: TopicPartition) -> bool:
        """Whether neither the group has committed a position nor this member has one."""
        if internals.position_now(self._consumer, partition) is not None:
            return False
        try:
            async with asyncio.timeout(QUERY_SECONDS):
                return await self._consumer.committed(partition) is None
        except (IllegalStateError, KafkaError, TimeoutError):
            return False  # the next poll asks again

    async def _seek(
        self, seek: Callable[..., Any], partitions: list[TopicPartition]
    ) -> list[TopicPartition]:
        if not partitions:
            return []
        try:
            async with asyncio.timeout(QUERY_SECONDS):
                await seek(*partitions)
        except (IllegalStateError, KafkaError, TimeoutError):
            return []  # taken away, or the broker is gone: the next poll asks again
        return partitions
