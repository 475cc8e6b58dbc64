"""A place in partitions that no group assigns: the records from there on, each handed over once.

Owns the consumer and the position up to which each partition has been handed over, past every trap of aiokafka that
would lose records or hold them back. Commits nothing and changes nothing: it may run beside the service. Knows
neither what records say nor how far they are to be read.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import (
    CorruptRecordException,
    KafkaError,
    OffsetOutOfRangeError,
    UnknownTopicOrPartitionError,
    for_code,
)
from aiokafka.protocol.metadata import MetadataRequest

from connector.core.model import Chunk, Partition
from connector.errors import KafkaUnavailable
from connector.kafka import internals
from connector.kafka.bounded import stop_within
from connector.kafka.security import Security
from connector.kafka.unreadable import read_batch

_CLIENT = "tiktok-audience-connector"
_START_SECONDS = 30.0
_QUERY_SECONDS = 15.0

_FETCH_MS = 100
"""A broker answers one connection in order: a question for the end waits for the fetch that waits for records."""

_POLL_MS = 200
_POLL_RECORDS = 500


class Cursor:
    """`start`, `begin`, `poll`, `stop`; and questions about where partitions begin and end.

    Attributes:
        positions: the next offset to be handed over, of the partitions that are read.
    """

    def __init__(self, servers: Sequence[str], security: Security, isolation_level: str) -> None:
        self.positions: dict[Partition, int] = {}
        self._servers = list(servers)
        self._security = security
        self._isolation_level = isolation_level
        self._consumer: Any = None

    async def start(self, partitions: Collection[Partition]) -> None:
        """Connect, for at least one partition. Raises KafkaUnavailable."""
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
        self._consumer.assign([TopicPartition(*one) for one in partitions])
        await _answer(self._consumer.start(), _START_SECONDS)

    async def firsts(self, partitions: Collection[Partition]) -> dict[Partition, int]:
        """The first offset that is left, of each. Raises KafkaUnavailable."""
        return await self._offsets(self._consumer.beginning_offsets, partitions)

    async def ends(self, partitions: Collection[Partition]) -> dict[Partition, int]:
        """The offset after the last record that can be read now, of each. Raises KafkaUnavailable."""
        return await self._offsets(self._consumer.end_offsets, partitions)

    async def partitions(self, topic: str) -> list[Partition]:
        """The partitions that the topic has now; none when there is no such topic. Raises KafkaUnavailable."""
        client = internals.client_of(self._consumer)
        request = MetadataRequest([topic], allow_auto_topic_creation=False)
        answer = await _answer(client.send(client.get_random_node(), request))
        (told,) = answer.to_object()["topics"]
        error = for_code(told["error_code"])
        if told["error_code"] and error is not UnknownTopicOrPartitionError:
            raise _refusal(error())
        return [Partition(topic, number) for number in range(len(told["partitions"]))]

    def begin(self, positions: Mapping[Partition, int]) -> None:
        """Read these partitions from these offsets on, and no others."""
        self.positions = dict(positions)
        if positions:
            self._consumer.assign([TopicPartition(*one) for one in positions])
            self._seek(positions)
        elif self._consumer is not None:
            internals.assign_nothing(
                self._consumer
            )  # for a topic that is gone it would ask without a pause

    async def poll(self) -> dict[Partition, Chunk]:
        """Wait a short while for records.

        Raises:
            OffsetOutOfRangeError: a position does not exist any more.
            KafkaUnavailable: nothing would ever come again.
        """
        if (task := internals.dead_task(self._consumer)) is not None:
            raise KafkaUnavailable(f"the client's {task} task has died: nothing would come again")
        try:
            records = await self._consumer.getmany(timeout_ms=_POLL_MS, max_records=_POLL_RECORDS)
        except OffsetOutOfRangeError:  # whoever reads knows what follows from it
            raise
        except (UnicodeDecodeError, CorruptRecordException):
            return await self._read_what_the_client_cannot()
        except KafkaError as error:
            if error.retriable:
                return {}
            raise _refusal(error) from None
        return self._chunks(records)

    def renew_secrets(self) -> None:
        """Log in with the present secrets from the next connection on."""
        if self._consumer is not None:
            self._security.renew(internals.client_of(self._consumer))

    async def stop(self, timeout: float) -> None:
        """Disconnect within the time."""
        if self._consumer is not None:
            await stop_within(self._consumer, timeout)

    def _seek(self, positions: Mapping[Partition, int]) -> None:
        for partition, at in positions.items():
            self._consumer.seek(TopicPartition(*partition), at)

    async def _offsets(
        self,
        ask: Callable[[list[TopicPartition]], Awaitable[Mapping[TopicPartition, int]]],
        partitions: Collection[Partition],
    ) -> dict[Partition, int]:
        found = await _answer(ask([TopicPartition(*one) for one in partitions]))
        return {Partition(*one): at for one, at in found.items()}

    def _chunks(self, records: Mapping[TopicPartition, Sequence[Any]]) -> dict[Partition, Chunk]:
        """Records and positions; also of partitions whose position moved past control records alone."""
        chunks: dict[Partition, Chunk] = {}
        for partition, before in self.positions.items():
            key = TopicPartition(*partition)
            position = internals.position_now(self._consumer, key)
            if position is not None and position != before:
                self.positions[partition] = position
                chunks[partition] = Chunk(records.get(key, ()), position)
        return chunks

    async def _read_what_the_client_cannot(self) -> dict[Partition, Chunk]:
        """Hand over the batch that made `getmany` raise; what was read of other partitions is read again."""
        failed = internals.failed_partition(self._consumer)
        self._seek(self.positions)
        if failed is None or failed not in self.positions:
            return {}
        partition = Partition(*failed)
        position = self.positions[partition]
        client = internals.client_of(self._consumer)
        is_committed_only = self._isolation_level == "read_committed"
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
        self._seek({partition: chunk.position})
        self.positions[partition] = chunk.position
        return {partition: chunk}


async def _answer(asking: Awaitable[Any], seconds: float = _QUERY_SECONDS) -> Any:
    """What the client is asked for, within a bound: it would try again without end."""
    try:
        async with asyncio.timeout(seconds):
            return await asking
    except (KafkaError, TimeoutError) as error:
        raise _refusal(error) from None


def _refusal(error: Exception) -> KafkaUnavailable:
    return KafkaUnavailable(
        f"Kafka does not let the topics be read: {type(error).__name__}; "
        "check kafka.bootstrap_servers and kafka.security"
    )
