"""A log read from outside a group: all of it once, up to the end, past every trap of the client."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from connector.core.model import Partition
from connector.errors import KafkaUnavailable
from connector.kafka.log import KafkaLog, partitions_of
from connector.kafka.security import Security
from tests.kafka.broken_records import batch, write
from tests.kafka.member import run
from tests.kafka_broker import Cluster, Message
from tests.kafka_broker.cluster import PATIENCE

Offsets = dict[int, list[int]]


@asynccontextmanager
async def opened(
    broker: Cluster, topic: str, isolation: str = "read_committed"
) -> AsyncIterator[tuple[KafkaLog, dict[Partition, tuple[int, int]]]]:
    servers = [broker.bootstrap_servers]
    log = KafkaLog(servers, Security(), isolation)
    try:
        yield log, dict(await log.start(await partitions_of(servers, Security(), [topic])))
    finally:
        await log.stop(5)


async def offsets(log: KafkaLog) -> Offsets:
    """What is read now, by partition; unreadable records as negative numbers."""
    found: Offsets = defaultdict(list)
    async with asyncio.timeout(PATIENCE):
        async for partition, chunk in log.read():
            found[partition.partition] += [record.offset for record in chunk.records]
            found[partition.partition] += [-offset for offset in chunk.unreadable]
    return dict(found)


def test_all_is_read_once_and_what_comes_later_then(broker: Cluster) -> None:
    topic = broker.create_topic(partitions=3)
    broker.produce(topic, [Message(b"x", partition=number % 2) for number in range(2_400)])

    async def test() -> None:
        async with opened(broker, topic) as (log, extents):
            assert extents == {
                Partition(topic, 0): (0, 1200),
                Partition(topic, 1): (0, 1200),
                Partition(topic, 2): (0, 0),
            }
            log.begin({Partition(topic, 0): 0, Partition(topic, 1): 1100, Partition(topic, 2): 0})
            assert await offsets(log) == {0: [*range(1200)], 1: [*range(1100, 1200)]}
            assert await offsets(log) == {}
            await asyncio.to_thread(broker.produce, topic, [Message(b"y", partition=2)])
            assert await offsets(log) == {2: [0]}

    run(test())


def test_nobody_is_asked_about_nothing(broker: Cluster) -> None:
    async def test() -> None:
        async with opened(broker, "nobody-made-this") as (log, extents):
            log.begin({})
            assert (extents, await offsets(log)) == ({}, {})

    run(test())


def test_only_what_is_committed_is_read(broker: Cluster, topic: str) -> None:
    with broker.transaction(topic, [b"1", b"2"]) as producer:
        producer.commit_transaction(PATIENCE)
    with broker.transaction(topic, [b"3"]) as producer:
        producer.abort_transaction(PATIENCE)
    with broker.transaction(topic, [b"5"]) as producer:

        async def test() -> None:
            for isolation, expected in (
                ("read_committed", [0, 1]),
                ("read_uncommitted", [0, 1, 3, 5]),
            ):
                async with opened(broker, topic, isolation) as (log, _):
                    log.begin({Partition(topic, 0): 0})
                    assert await offsets(log) == {0: expected}

        run(test())
        producer.abort_transaction(PATIENCE)


def test_what_the_client_cannot_parse_is_named(broker: Cluster, topic: str) -> None:
    async def test() -> None:
        values = [b"value"] * 5
        await write(
            broker.bootstrap_servers,
            topic,
            batch(values, []),
            batch(values, [2]),
            batch(values, []),
        )
        async with opened(broker, topic) as (log, _):
            log.begin({Partition(topic, 0): 3})
            assert sorted(map(abs, (await offsets(log))[0])) == [*range(3, 15)]

    run(test())


def test_records_that_are_deleted_meanwhile_end_it(broker: Cluster, topic: str) -> None:
    broker.produce(topic, [b"x"] * 10)

    async def test() -> None:
        async with opened(broker, topic) as (log, _):
            await asyncio.to_thread(broker.delete_records, topic, 5)
            log.begin({Partition(topic, 0): 2})
            with pytest.raises(KafkaUnavailable, match="run it again"):
                await offsets(log)

    run(test())


def test_no_group_is_joined(broker: Cluster, topic: str) -> None:
    broker.produce(topic, [b"x"])
    before = broker.groups()

    async def test() -> None:
        async with opened(broker, topic) as (log, _):
            log.begin({Partition(topic, 0): 0})
            await offsets(log)
            assert await asyncio.to_thread(broker.groups) == before

    run(test())
