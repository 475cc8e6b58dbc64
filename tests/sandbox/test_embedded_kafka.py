import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from connector.sandbox.embedded_kafka import (
    PARTITIONS,
    RETAINED_BYTES,
    EmbeddedKafka,
    EmbeddedKafkaError,
    Entry,
    Stored,
)

TOPIC = "memberships"


@asynccontextmanager
async def _broker() -> AsyncIterator[EmbeddedKafka]:
    kafka = EmbeddedKafka()
    await kafka.start()
    try:
        assert await kafka.create_topic(TOPIC) == PARTITIONS
        yield kafka
    finally:
        await kafka.stop()


@asynccontextmanager
async def _consumer(kafka: EmbeddedKafka, group: str | None = None) -> AsyncIterator[Any]:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=kafka.bootstrap_servers,
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
    )
    await consumer.start()
    # Assigned by hand, as joining takes three seconds; the demo's own test joins.
    consumer.assign([TopicPartition(TOPIC, partition) for partition in range(PARTITIONS)])
    try:
        yield consumer
    finally:
        await consumer.stop()


async def _consume(consumer: Any, count: int) -> dict[tuple[int, int], bytes | None]:
    found: dict[tuple[int, int], bytes | None] = {}
    async with asyncio.timeout(10):
        while len(found) < count:
            for records in (await consumer.getmany(timeout_ms=100)).values():
                found |= {(one.partition, one.offset): one.value for one in records}
    return found


def test_what_is_produced_is_consumed_in_the_order_of_its_partition() -> None:
    async def scenario() -> None:
        async with _broker() as kafka, _consumer(kafka) as consumer:
            entries = [Entry(n % 3, b"key", b"%d" % n) for n in range(3_000)]
            entries += [Entry(3, b"gone", None), Entry(3, b"empty", b"")]
            offsets = await kafka.produce(TOPIC, entries)
            found = await _consume(consumer, len(entries))
            places = [one.partition for one in entries]
            expected = zip(zip(places, offsets, strict=True), entries, strict=True)
            assert found == {place: entry.value for place, entry in expected}
            assert offsets == [n // 3 for n in range(3_000)] + [0, 1]

    asyncio.run(scenario())


def test_offsets_of_a_later_batch_go_on_where_the_last_one_ended() -> None:
    async def scenario() -> None:
        async with _broker() as kafka:
            assert await kafka.produce(TOPIC, [Entry(1, None, b"a"), Entry(1, None, b"b")]) == [
                0,
                1,
            ]
            assert await kafka.produce(TOPIC, [Entry(1, None, b"c")]) == [2]
            assert await kafka.produce(TOPIC, []) == []

    asyncio.run(scenario())


def test_commits_can_be_seen_without_disturbing_the_group() -> None:
    async def scenario() -> None:
        async with _broker() as kafka:
            await kafka.produce(TOPIC, [Entry(n % 2, b"k", b"v") for n in range(10)])
            assert await kafka.committed("group", TOPIC) == [0, 0, 0, 0]
            async with _consumer(kafka, "group") as consumer:
                await _consume(consumer, 10)
                await consumer.commit({TopicPartition(TOPIC, 1): 3})
                assert await kafka.committed("group", TOPIC) == [0, 3, 0, 0]
                await consumer.commit()
                assert await kafka.committed("group", TOPIC) == [5, 5, 0, 0]
                await kafka.produce(TOPIC, [Entry(3, b"k", b"v")])
                assert list(await _consume(consumer, 1)) == [(3, 0)]

    asyncio.run(scenario())


def test_a_topic_that_others_write_is_read_in_steps() -> None:
    async def scenario() -> None:
        async with _broker() as kafka:
            reader = kafka.reader(TOPIC)
            assert await reader.read() == []
            producer = AIOKafkaProducer(
                bootstrap_servers=kafka.bootstrap_servers, acks="all", enable_idempotence=True
            )
            await producer.start()
            try:
                headers = [("reason", b"malformed")]
                await producer.send_and_wait(TOPIC, b"1", b"k", partition=2, headers=headers)
                assert await reader.read() == [Stored(2, 0, b"k", b"1", headers)]
                await producer.send_and_wait(TOPIC, b"2", partition=2)
                await producer.send_and_wait(TOPIC, b"3", partition=0)
            finally:
                await producer.stop()
            found = {(one.partition, one.offset, one.value) for one in await reader.read()}
            assert found == {(2, 1, b"2"), (0, 0, b"3")}
            assert await reader.read() == []

    asyncio.run(scenario())


def test_a_partition_forgets_what_is_beyond_its_bound() -> None:
    """What the feeder relies on, and why it must wait: less than the bound is kept, more is not."""

    async def scenario() -> None:
        async with _broker() as kafka:
            size = 5_000
            await kafka.produce(
                TOPIC, [Entry(0, None, b"x" * size)] * (RETAINED_BYTES // size - 50)
            )
            async with _consumer(kafka) as consumer:
                first = TopicPartition(TOPIC, 0)
                assert (await consumer.beginning_offsets([first]))[first] == 0
                await kafka.produce(TOPIC, [Entry(0, None, b"x" * size)] * 200)
                assert (await consumer.beginning_offsets([first]))[first] > 0

    asyncio.run(scenario())


def test_stopping_twice_or_unstarted_is_fine() -> None:
    async def scenario() -> None:
        kafka = EmbeddedKafka()
        await kafka.stop()
        await kafka.start()
        await kafka.stop()
        await kafka.stop()

    asyncio.run(scenario())


def test_a_record_that_the_broker_does_not_take_is_an_error() -> None:
    async def scenario() -> None:
        async with _broker() as kafka:
            with pytest.raises(EmbeddedKafkaError, match="Unknown partition"):
                await kafka.produce(TOPIC, [Entry(0, None, b"v"), Entry(99, None, b"v")])

    asyncio.run(scenario())


def test_without_the_optional_dependency_one_line_says_what_to_install() -> None:
    program = (
        "import sys, asyncio; sys.modules['confluent_kafka'] = None\n"
        "from connector.sandbox.embedded_kafka import EmbeddedKafka, EmbeddedKafkaError\n"
        "try: asyncio.run(EmbeddedKafka().start())\n"
        "except EmbeddedKafkaError as error: print(error)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert "pip install 'tiktok-audience-connector[sandbox]'" in ran.stdout
    assert len(ran.stdout.splitlines()) == 1
