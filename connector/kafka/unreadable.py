"""Reading a batch that aiokafka cannot: one that holds a record whose header key is not UTF-8.

Its parser raises on such a record, throws away the batch and stays where it was: every later fetch raises again,
and the good records of the batch are held back with the bad one. Stepping past it record by record does not help,
for each step parses the batch from its beginning. So that batch alone is fetched and parsed here, by lengths,
which are right whatever the names say.

Owns the fetching and parsing of single batches. What belongs to an aborted transaction, what a control batch and
a compacted gap are, stays aiokafka's own word: it is given batches that parse themselves.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from aiokafka import TopicPartition, codec
from aiokafka.consumer.fetcher import READ_COMMITTED, READ_UNCOMMITTED, PartitionRecords
from aiokafka.errors import CorruptRecordException, LeaderNotAvailableError, for_code
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.record.default_records import DefaultRecordBatch
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import decode_varint

from connector.core.model import Chunk

_MOST_BYTES: Final = (
    1_048_576  # aiokafka's own max_partition_fetch_bytes; a larger batch comes whole
)
_MOST_WAIT_MS: Final = 500
_AT_ONCE: Final = 500
"""So many records are parsed before others may run: a few milliseconds."""

# Of the batch's header: base offset, length, leader's epoch, magic, ..., number of records.
_LENGTH: Final = slice(8, 12)
_MAGIC: Final = 16
_COUNT: Final = slice(57, 61)
_HEADER_BYTES: Final = 61
_BEFORE_LENGTH: Final = 12

_DECODERS: Final[Mapping[int, Callable[[bytes], bytes]]] = {
    0: lambda data: data,
    1: codec.gzip_decode,
    2: codec.snappy_decode,
    3: codec.lz4_decode,
    4: codec.zstd_decode,
}


async def read_batch(
    client: Any, partition: TopicPartition, position: int, *, is_committed_only: bool
) -> Chunk:
    """Fetch from the position up to the end of the first batch with an unreadable record, and parse it.

    A compressed batch may begin before the position; what lies before it is left out. Without an unreadable
    record the chunk goes up to the end of what one fetch brings.

    Raises:
        KafkaError: the broker did not answer, or a batch is damaged.
    """
    isolation = READ_COMMITTED if is_committed_only else READ_UNCOMMITTED
    buffer, aborted = await _fetch(client, partition, position, isolation)
    batches = _Batches(buffer)
    found = PartitionRecords(
        partition,
        batches,
        aborted,
        position,
        None,
        None,
        check_crcs=True,
        isolation_level=isolation,
    )
    records: list[Any] = []
    unreadable: list[int] = []
    for record in found:
        if record.offset in batches.unreadable:
            unreadable.append(record.offset)
        else:
            records.append(record)
        if (len(records) + len(unreadable)) % _AT_ONCE == 0:
            await asyncio.sleep(0)
    return Chunk(records, found.next_fetch_offset, unreadable)


async def _fetch(
    client: Any, partition: TopicPartition, position: int, isolation: int
) -> tuple[bytes, Any]:
    """The bytes of whole batches, the first of which holds the position, and which transactions were aborted."""
    leader = client.cluster.leader_for_partition(partition)
    if leader is None or leader < 0:
        raise LeaderNotAvailableError(partition)
    request = FetchRequest(
        _MOST_WAIT_MS,
        1,
        _MOST_BYTES,
        isolation,
        [(partition.topic, [(partition.partition, position, _MOST_BYTES)])],
    )
    response = await client.send(leader, request)
    ((_, ((_, error_code, _, *rest),)),) = response.topics
    error = for_code(error_code)
    if error_code:
        raise error(partition)
    # The list of aborted transactions stands before the records, since version 11 with a replica's id between.
    return rest[-1], rest[2] if response.API_VERSION >= 11 else rest[-2]


class _Record(NamedTuple):
    offset: int
    timestamp: int
    timestamp_type: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    checksum: None = None


class _Batches:
    """A fetched buffer as PartitionRecords wants it: batches one after another, until one had an unreadable record.

    Attributes:
        unreadable: the offsets of these records; they come without headers.
    """

    def __init__(self, buffer: bytes) -> None:
        self.unreadable: set[int] = set()
        self._buffer = memoryview(buffer)

    def has_next(self) -> bool:
        return not self.unreadable and self._end() <= len(self._buffer)

    def next_batch(self) -> Any:
        end = self._end()
        batch, self._buffer = self._buffer[:end], self._buffer[end:]
        if batch[_MAGIC] < 2:
            return MemoryRecords(bytes(batch)).next_batch()
        return _Batch(bytes(batch), self.unreadable)

    def _end(self) -> int:
        """Where the next batch ends; the last one of a fetch may have been cut off."""
        return _BEFORE_LENGTH + int.from_bytes(self._buffer[_LENGTH], "big")


class _Batch:
    """A batch whose records are parsed here; all else of it is what aiokafka says."""

    def __init__(self, buffer: bytes, unreadable: set[int]) -> None:
        self._buffer = buffer
        self._unreadable = unreadable
        self._batch: Any = DefaultRecordBatch(buffer)
        self._records = self._parsed()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __iter__(self) -> Iterator[_Record]:
        return self._records

    def __next__(self) -> _Record:
        return next(self._records)

    def _parsed(self) -> Iterator[_Record]:
        decode = _DECODERS.get(self._batch.compression_type)
        if decode is None:
            raise CorruptRecordException("unknown compression")
        payload = decode(self._buffer[_HEADER_BYTES:])
        at = 0
        for _ in range(int.from_bytes(self._buffer[_COUNT], "big")):
            length, at = decode_varint(payload, at)
            yield self._record(payload[at : at + length])
            at += length

    def _record(self, data: bytes) -> _Record:
        """One record, of the bytes behind its length: attributes, time, offset, key, value, headers."""
        batch = self._batch
        delta, at = decode_varint(data, 1)
        is_append_time = batch.timestamp_type == 1
        timestamp = batch.max_timestamp if is_append_time else batch.first_timestamp + delta
        number, at = decode_varint(data, at)
        key, at = _bytes(data, at)
        value, at = _bytes(data, at)
        offset = batch.base_offset + number
        try:
            headers = tuple(_headers(data, at))
        except UnicodeDecodeError:
            self._unreadable.add(offset)
            headers = ()
        return _Record(offset, timestamp, batch.timestamp_type, key, value, headers)


def _headers(data: bytes, at: int) -> Iterator[tuple[str, bytes | None]]:
    count, at = decode_varint(data, at)
    for _ in range(count):
        name, at = _bytes(data, at)
        value, at = _bytes(data, at)
        yield (name or b"").decode(), value


def _bytes(data: bytes, at: int) -> tuple[bytes | None, int]:
    """Bytes behind their length, and where they end; a negative length says that there are none."""
    length, at = decode_varint(data, at)
    if length < 0:
        return None, at
    return data[at : at + length], at + length
