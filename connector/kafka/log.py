"""A log read from outside: partitions from given offsets to their present ends, in no consumer group.

Owns how far is read at once, and when there is no more hope that it comes. Where it stands is the cursor's.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence

from aiokafka.errors import OffsetOutOfRangeError

from connector.core.model import Chunk, Partition
from connector.errors import KafkaUnavailable
from connector.kafka.cursor import Cursor
from connector.kafka.inspection import inspect
from connector.kafka.security import Security

_QUERY_SECONDS = 15.0
_STILL_SECONDS = 30.0
"""When nothing comes for so long though the end is further on, it is over."""


async def partitions_of(
    servers: Sequence[str], security: Security, topics: Collection[str]
) -> list[Partition]:
    """All partitions of those of the topics that exist. Raises KafkaUnavailable when Kafka does not tell."""
    if not topics:
        return []
    cluster = await inspect(servers, security, list(topics), _QUERY_SECONDS)
    why = cluster.refusal or next(
        (topic.refusal for topic in cluster.topics.values() if topic.refusal), None
    )
    if why is not None or not cluster.topics:
        raise KafkaUnavailable(
            f"Kafka does not tell of its topics ({why or 'no server answers'});"
            " check kafka.bootstrap_servers and kafka.security"
        )
    return [
        Partition(name, number)
        for name, topic in cluster.topics.items()
        for number in range(topic.partitions)
    ]


class KafkaLog:
    """Some partitions: `start`, `begin`, `read`, `stop`."""

    def __init__(self, servers: Sequence[str], security: Security, isolation_level: str) -> None:
        self._cursor = Cursor(servers, security, isolation_level)

    async def start(self, partitions: Collection[Partition]) -> Mapping[Partition, tuple[int, int]]:
        """Connect; of each partition the first offset that is left, and the end. Raises KafkaUnavailable."""
        if not partitions:
            return {}
        await self._cursor.start(partitions)
        firsts = await self._cursor.firsts(partitions)
        ends = await self._cursor.ends(partitions)
        return {one: (firsts[one], ends[one]) for one in partitions}

    def begin(self, starts: Mapping[Partition, int]) -> None:
        """Read these partitions, of those it was started with, from these offsets on, and no others."""
        self._cursor.begin(starts)

    async def read(self) -> AsyncIterator[tuple[Partition, Chunk]]:
        """What came since, up to the ends that the partitions have now, or a little further.

        Raises KafkaUnavailable; what was handed over is not read again then.
        """
        positions = self._cursor.positions
        if not positions:
            return
        ends = await self._cursor.ends(list(positions))
        loop = asyncio.get_running_loop()
        moved_at = loop.time()
        while any(positions[one] < end for one, end in ends.items()):
            for partition, chunk in (await self._poll()).items():
                moved_at = loop.time()
                yield partition, chunk
            if loop.time() - moved_at > _STILL_SECONDS:
                raise KafkaUnavailable("Kafka has records, and none has come for a while")

    async def stop(self, timeout: float) -> None:
        """Disconnect within the time."""
        await self._cursor.stop(timeout)

    async def _poll(self) -> dict[Partition, Chunk]:
        try:
            return await self._cursor.poll()
        except OffsetOutOfRangeError:
            raise KafkaUnavailable(
                "records were deleted while they were read: run it again"
            ) from None
