"""A log read from outside: partitions from given offsets to their present ends, in no consumer group.

Owns the position up to which each partition has been handed over. Commits nothing and changes nothing: it may run
beside the service. Knows nothing of what records say.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import CorruptRecordException, KafkaError, OffsetOutOfRangeError

from connector.core.model import Chunk, Partition
from connector.errors import KafkaUnavailable
from connector.kafka import internals
from connector.kafka.bounded import stop_within
from connector.kafka.inspection import inspect
from connector.kafka.security import Security
from connector.kafka.unreadable import read_batch

_CLIENT = "tiktok-audience-connector"
_START_SECONDS = 30.0
_QUERY_SECONDS = 15.0
_STILL_SECONDS = 30.0
"""When nothing comes for so long though the end is further on, it is over."""

_FETCH_MS = 100
"""A broker answers one connection in order: a question for the end waits for the fetch that waits for records."""

_POLL_MS = 200
_POLL_RECORDS = 500


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
        self._servers = list(servers)
        self._security = security
        self._isolation_level = isolation_level
        self._consumer: Any = None
        self._positions: dict[TopicPartition, int] = {}

    async def start(self, partitions: Collection[Partition]) -> Mapping[Partition, tuple[int, int]]:
        """Connect; of each partition the first offset that is left, and the end. Raises KafkaUnavailable."""
        if not partitions:
            return {}
        wanted = [TopicPartition(*one) for one in partitions]
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=self._servers,
            client_id=_CLIENT,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level=self._isolation_level,
            fetch_max_wait_ms=_FETCH_MS,
            **self._security.arguments(),
        )
        self._consumer.assign(wanted)
        try:
            async with asyncio.timeout(_START_SECONDS):
                await self._consumer.start()
                firsts = await self._consumer.beginning_offsets(wanted)
        except (KafkaError, TimeoutError) as error:
            raise _silent(error) from None
        ends = await self._ends(wanted)
        return {Partition(*one): (firsts[one], ends[one]) for one in wanted}

    def begin(self, starts: Mapping[Partition, int]) -> None:
        """Read these partitions, of those it was started with, from these offsets on, and no others."""
        self._positions = {TopicPartition(*one): at for one, at in starts.items()}
        if starts:
            self._consumer.assign(list(self._positions))
            for partition, at in self._positions.items():
                self._consumer.seek(partition, at)

    async def read(self) -> AsyncIterator[tuple[Partition, Chunk]]:
        """What came since, up to the ends that the partitions have now, or a little further.

        Raises KafkaUnavailable; what was handed over is not read again then.
        """
        if not self._positions:
            return
        ends = await self._ends(list(self._positions))
        loop = asyncio.get_running_loop()
        moved_at = loop.time()
        while any(self._positions[one] < end for one, end in ends.items()):
            for partition, chunk in (await self._poll()).items():
                moved_at = loop.time()
                yield partition, chunk
            if loop.time() - moved_at > _STILL_SECONDS:
                raise KafkaUnavailable("Kafka has records, and none has come for a while")

    async def stop(self, timeout: float) -> None:
        """Disconnect within the time."""
        if self._consumer is not None:
            await stop_within(self._consumer, timeout)

    async def _ends(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        try:
            async with asyncio.timeout(_QUERY_SECONDS):  # it retries without end
                ends: dict[TopicPartition, int] = await self._consumer.end_offsets(partitions)
        except (KafkaError, TimeoutError) as error:
            raise _silent(error) from None
        return ends

    async def _poll(self) -> dict[Partition, Chunk]:
        if (task := internals.dead_task(self._consumer)) is not None:
            raise KafkaUnavailable(f"the client's {task} task has died: nothing would come again")
        try:
            records = await self._consumer.getmany(timeout_ms=_POLL_MS, max_records=_POLL_RECORDS)
        except OffsetOutOfRangeError:
            raise KafkaUnavailable(
                "records were deleted while they were read: run it again"
            ) from None
        except (UnicodeDecodeError, CorruptRecordException):
            return await self._read_what_the_client_cannot()
        except KafkaError as error:
            if error.retriable:
                return {}
            raise _silent(error) from None
        return self._chunks(records)

    def _chunks(self, records: Mapping[TopicPartition, Sequence[Any]]) -> dict[Partition, Chunk]:
        """Records and positions; also of partitions whose position moved past control records alone."""
        chunks: dict[Partition, Chunk] = {}
        for partition, before in self._positions.items():
            position = internals.position_now(self._consumer, partition)
            if position is not None and position != before:
                self._positions[partition] = position
                chunks[Partition(*partition)] = Chunk(records.get(partition, ()), position)
        return chunks

    async def _read_what_the_client_cannot(self) -> dict[Partition, Chunk]:
        """Hand over the batch that made `getmany` raise; what was read of other partitions is read again."""
        failed = internals.failed_partition(self._consumer)
        for partition, at in self._positions.items():
            self._consumer.seek(partition, at)
        if failed is None or failed not in self._positions:
            return {}
        client = internals.client_of(self._consumer)
        is_committed_only = self._isolation_level == "read_committed"
        position = self._positions[failed]
        try:
            async with asyncio.timeout(_QUERY_SECONDS):
                chunk = await read_batch(
                    client, failed, position, is_committed_only=is_committed_only
                )
        except CorruptRecordException:
            topic, number = failed
            raise KafkaUnavailable(
                f"the records of {topic}:{number} from offset {position} on are damaged"
            ) from None
        except (KafkaError, TimeoutError):
            return {}  # the next poll tries again
        self._consumer.seek(failed, chunk.position)
        self._positions[failed] = chunk.position
        return {Partition(*failed): chunk}


def _silent(error: Exception) -> KafkaUnavailable:
    return KafkaUnavailable(
        f"Kafka does not let the topics be read: {type(error).__name__}; "
        "check kafka.bootstrap_servers and kafka.security"
    )
