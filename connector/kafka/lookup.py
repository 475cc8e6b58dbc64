"""One record, by its topic, partition and offset.

Owns the words for one that is not there. In no consumer group; commits and changes nothing.
"""

from collections.abc import Sequence

from connector.core.model import Partition, Record
from connector.errors import ConnectorError
from connector.kafka.log import KafkaLog, partitions_of
from connector.kafka.security import Security

_CLOSE_SECONDS = 5.0


async def record_at(
    servers: Sequence[str],
    security: Security,
    isolation_level: str,
    partition: Partition,
    offset: int,
) -> Record | None:
    """The record; None for one that Kafka's client cannot parse.

    Raises:
        ConnectorError: it is not there, or Kafka does not tell; says why.
    """
    topic, number = partition
    there = await partitions_of(servers, security, [topic])
    if not there:
        raise ConnectorError(f"Kafka has no topic {topic}, or does not let us see it")
    if partition not in there:
        raise ConnectorError(
            f"{topic} has no partition {number}: its partitions are 0 to {len(there) - 1}"
        )
    log = KafkaLog(servers, security, isolation_level)
    try:
        first, end = (await log.start([partition]))[partition]
        if problem := _beyond(partition, offset, first, end, isolation_level):
            raise ConnectorError(problem)
        log.begin({partition: offset})
        return await _next(log, partition, offset)
    finally:
        await log.stop(_CLOSE_SECONDS)


def _beyond(
    partition: Partition, offset: int, first: int, end: int, isolation_level: str
) -> str | None:
    topic, number = partition
    where = f"{topic}:{number}:{offset}"
    if offset >= end:
        ends = "holds no record" if first == end else f"ends with offset {end - 1}"
        committed = " of what is committed" if isolation_level == "read_committed" else ""
        return f"{where} is beyond the end{committed}: {topic}:{number} {ends}"
    if offset < first:
        return f"{where} is past retention: the first offset that is left is {first}"
    return None


async def _next(log: KafkaLog, partition: Partition, offset: int) -> Record | None:
    async for _, chunk in log.read():
        if offset in chunk.unreadable:
            return None
        for record in chunk.records:
            if record.offset == offset:
                return record
        if chunk.position > offset:
            break
    topic, number = partition
    raise ConnectorError(
        f"no record stands at {topic}:{number}:{offset}: it was compacted away, belongs to an aborted"
        " transaction, or marks the end of one"
    )
