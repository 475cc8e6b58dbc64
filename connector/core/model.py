"""The words of the program as values: partitions, records, changes' parts, letters.

Owns no behaviour beyond small derived facts, and knows neither Kafka's client nor TikTok's protocol.
"""

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import NamedTuple, Protocol


class Partition(NamedTuple):
    """A Kafka partition. Equal to any (topic, partition) tuple, so a client's own type converts for free."""

    topic: str
    partition: int


class Record(Protocol):
    """A Kafka record as the intake reads it; aiokafka's ConsumerRecord has this shape."""

    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int:
        """Milliseconds since the epoch; -1 where the producer gave none."""

    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes]]: ...


class Chunk(NamedTuple):
    """What one poll brought of one partition.

    Attributes:
        records: in offset order.
        position: the next offset to consume: past the last record, and past control records and compaction gaps.
        unreadable: offsets below position whose records the client could not parse.
    """

    records: Sequence[Record]
    position: int
    unreadable: Sequence[int] = ()


def slices(chunk: Chunk, most_records: int, most_bytes: int) -> Iterator[Chunk]:
    """The chunk in parts, each with its own position; a part has at least one record."""
    records = chunk.records
    begin = size = 0
    for index, record in enumerate(records):
        value = record.value
        size += 0 if value is None else len(value)
        if index > begin and (size > most_bytes or index - begin >= most_records):
            yield Chunk(records[begin:index], record.offset)
            begin, size = index, 0 if value is None else len(value)
    yield Chunk(records[begin:] if begin else records, chunk.position, chunk.unreadable)


class Action(StrEnum):
    """What TikTok is asked to do with a row."""

    ADD = "add"
    DELETE = "delete"


class Stage(StrEnum):
    """Where a record or a row was set aside."""

    DECODE = "decode"
    IDENTITY = "identity"
    DELIVERY = "delivery"


class Letter(NamedTuple):
    """One dead letter, ready to be written."""

    key: bytes | None
    value: bytes
    headers: Sequence[tuple[str, bytes]]
