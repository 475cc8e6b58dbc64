"""Reading: the records of all assigned partitions, from where each is to begin, each handed over once.

Owns the position up to which each partition's records have been handed over, and with it every trap of aiokafka
that would lose records, hold them back or bring them again. Changes no membership and commits nothing.
"""

import asyncio
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import (
    CorruptRecordException,
    KafkaError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)

from connector.core.model import Chunk, Partition
from connector.errors import KafkaUnavailable
from connector.kafka import internals
from connector.kafka.beginnings import QUERY_SECONDS, Beginnings
from connector.kafka.unreadable import read_batch

_POLL_MS = 200


class Reader:
    """Reads one consumer: `poll`.

    Args:
        epoch: goes up whenever partitions are taken or given.
        poll_records: the most that one poll brings.
        begin_at_end: partitions that begin at their end where the group has committed nothing; others are read
            whole.
        on_out_of_range: told of a partition whose position does not exist any more.
    """

    def __init__(
        self,
        consumer: Any,
        epoch: Callable[[], int],
        poll_records: int,
        *,
        begin_at_end: Collection[TopicPartition],
        is_committed_only: bool,
        on_out_of_range: Callable[[Partition], None],
    ) -> None:
        self._consumer = consumer
        self._epoch_now = epoch
        self._poll_records = poll_records
        self._beginnings = Beginnings(consumer, begin_at_end)
        self._is_committed_only = is_committed_only
        self._on_out_of_range = on_out_of_range
        self._positions: dict[Partition, int] = {}
        self._epoch = 0  # of the positions: an assignment begins without any

    async def poll(self) -> Mapping[Partition, Chunk]:
        """Wait a short while for records; see connector.intake.Source. Raises KafkaUnavailable when it is over."""
        if (task := internals.dead_task(self._consumer)) is not None:
            raise KafkaUnavailable(
                f"the client's {task} task has died: records would never come again"
            )
        # From here to the hand-over no time may pass: what is read belongs to the assignment that stands then.
        try:
            records = await self._consumer.getmany(
                timeout_ms=_POLL_MS, max_records=self._poll_records
            )
        except NoOffsetForPartitionError:
            return await self._begin(self._beginnings.find())
        except OffsetOutOfRangeError as error:
            for partition in error.args[0]:
                self._on_out_of_range(Partition(*partition))
            return await self._begin(self._beginnings.earliest(list(error.args[0])))
        except (UnicodeDecodeError, CorruptRecordException):
            return await self._read_what_the_client_cannot()
        except KafkaError as error:
            if error.retriable:
                return {}
            raise KafkaUnavailable(
                f"Kafka refuses to go on: {type(error).__name__}; "
                "check the permissions of kafka.security and the topics"
            ) from None
        return self._chunks(records)

    def _chunks(
        self,
        records: Mapping[TopicPartition, Sequence[Any]],
        begun: Collection[TopicPartition] = (),
    ) -> dict[Partition, Chunk]:
        """Records and positions; also of partitions whose position moved past control records alone.

        Args:
            begun: partitions whose position is known to exist though nothing was fetched from there yet.
        """
        self._keep_positions_of_this_assignment()
        chunks: dict[Partition, Chunk] = {}
        for partition in self._consumer.assignment():
            key = Partition(*partition)
            some = records.get(partition, ())
            # A committed position may be out of range until a fetch has shown that it is not.
            if not (some or partition in begun or self._is_proven(partition)):
                continue
            position = internals.position_now(self._consumer, partition)
            if position is not None and position != self._positions.get(key):
                self._positions[key] = position
                chunks[key] = Chunk(some, position)
        return chunks

    def _is_proven(self, partition: TopicPartition) -> bool:
        return self._consumer.highwater(partition) is not None

    async def _begin(
        self, beginning: Coroutine[Any, Any, list[TopicPartition]]
    ) -> Mapping[Partition, Chunk]:
        """Begin somewhere, and hand over what was found at once, so that it is committed.

        With `latest`, records that come before the first commit would be skipped when the partition changes hands.
        """
        epoch = self._epoch_now()
        begun = await beginning
        return self._chunks({}, begun) if epoch == self._epoch_now() else {}

    async def _read_what_the_client_cannot(self) -> Mapping[Partition, Chunk]:
        """Hand over the batch that made `getmany` raise, with the offsets of its unreadable records.

        What `getmany` had read of other partitions in the same call is gone, and their positions stand behind it:
        they are put back.
        """
        epoch = self._epoch_now()
        self._keep_positions_of_this_assignment()
        partition = internals.failed_partition(self._consumer)
        back = await self._positions_handed_over()
        if epoch != self._epoch_now() or partition is None:
            return {}
        for one, at in back.items():
            self._consumer.seek(one, at)
        position = internals.position_now(self._consumer, partition)
        if position is None:
            return {}
        chunk = await self._read_batch(partition, position)
        if chunk is None or epoch != self._epoch_now():
            return {}
        self._consumer.seek(partition, chunk.position)
        self._positions[Partition(*partition)] = chunk.position
        return {Partition(*partition): chunk}

    async def _positions_handed_over(self) -> dict[TopicPartition, int]:
        """Up to where records were handed over, of each partition whose position is elsewhere.

        Raises KafkaUnavailable when it cannot be found out: going on would lose records.
        """
        back: dict[TopicPartition, int] = {}
        for partition in self._consumer.assignment():
            position = internals.position_now(self._consumer, partition)
            if position is None:  # it has not begun
                continue
            at = self._positions.get(Partition(*partition))
            if at is None:  # nothing was handed over: it began where the group had committed
                at = await self._beginnings.committed(partition)
            if at != position:
                back[partition] = at
        return back

    async def _read_batch(self, partition: TopicPartition, position: int) -> Chunk | None:
        client = internals.client_of(self._consumer)
        try:
            async with asyncio.timeout(QUERY_SECONDS):
                return await read_batch(
                    client, partition, position, is_committed_only=self._is_committed_only
                )
        except CorruptRecordException:
            topic, number = partition
            raise KafkaUnavailable(
                f"the records of {topic}:{number} from offset {position} on are damaged: "
                "their checksum or their structure is wrong"
            ) from None
        except (KafkaError, TimeoutError):
            return None  # the next poll tries again

    def positions(self, partitions: Collection[TopicPartition]) -> dict[Partition, int]:
        """The offset that is read next, of those of our partitions where it is known to exist."""
        known = {}
        for partition in partitions:
            position = internals.position_now(self._consumer, partition)
            if position is not None and self._is_proven(partition):
                known[Partition(*partition)] = position
        return known

    def lag(self, partition: Partition) -> int | None:
        """Records between the position and the end; None while unknown."""
        position = self._positions.get(partition)
        if position is None or partition not in self._consumer.assignment():
            return None
        end: int | None = self._consumer.highwater(TopicPartition(*partition))
        return None if end is None else max(0, end - position)

    def _keep_positions_of_this_assignment(self) -> None:
        """After a rebalance every position starts from the committed one, of a partition that was kept too."""
        if self._epoch != self._epoch_now():
            self._epoch = self._epoch_now()
            self._positions.clear()
