"""What only a real broker can show of a source: codecs, transactions, retention, rebalances, outages."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest

from connector.core.model import Letter, Partition
from connector.core.turns import Part
from connector.errors import KafkaUnavailable
from connector.kafka import internals
from connector.kafka.dead_letters import KafkaDeadLetters
from connector.kafka.security import Security
from connector.kafka.source import KafkaSource
from tests.kafka.member import PATIENCE, Reader, Told, eventually, kafka_source, run, started
from tests.kafka_broker import Broker, Cluster, Message

LETTER = Letter(b"key", b"a letter", [("connector.reason", b"malformed_json")])


def numbers(start: int, count: int) -> list[bytes]:
    return [b"%d" % number for number in range(start, start + count)]


@asynccontextmanager
async def polling(*readers: Reader) -> AsyncIterator[None]:
    """Poll them all in the background."""

    async def forever(reader: Reader) -> None:
        while True:
            await reader.poll()

    tasks = [asyncio.create_task(forever(reader)) for reader in readers]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    for task in tasks:
        if not task.cancelled():
            task.result()


# --- what is in a topic


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
def test_compressed_topics(broker: Cluster, topic: str, group: str, codec: str) -> None:
    async def test() -> None:
        values = [b"%d" % number * 50 for number in range(500)]
        broker.produce(topic, values, compression_type=codec)
        source = kafka_source(broker.bootstrap_servers, [topic], group)
        async with started(source) as reader:
            await reader.until_count(500)
            assert reader.values(Partition(topic, 0)) == values

    run(test())


def test_aborted_transactions_are_left_out_and_the_position_reaches_the_end(
    broker: Cluster, topic: str, group: str
) -> None:
    async def test() -> None:
        with broker.transaction(topic, numbers(0, 3)) as producer:
            producer.commit_transaction(PATIENCE)
        with broker.transaction(topic, numbers(3, 3)) as producer:
            producer.abort_transaction(PATIENCE)
        await eventually(lambda: broker.end_offsets(topic)[0] == 8, "the abort's marker")
        partition = Partition(topic, 0)
        source = kafka_source(broker.bootstrap_servers, [topic], group)
        async with started(source) as reader:
            await reader.until_position(partition, 8)
            assert reader.values(partition) == numbers(0, 3)
            assert await source.end_offsets([partition]) == {partition: 8}
            await source.commit(reader.positions)
        assert broker.committed(group, topic) == {0: 8}

    run(test())


def test_an_open_transaction_is_not_read_and_not_the_end(
    broker: Cluster, topic: str, group: str
) -> None:
    async def test() -> None:
        broker.produce(topic, numbers(0, 2))
        partition = Partition(topic, 0)
        source = kafka_source(broker.bootstrap_servers, [topic], group)
        with broker.transaction(topic, numbers(2, 2)) as producer:
            async with started(source) as reader:
                await reader.until_position(partition, 2)
                assert await source.end_offsets([partition]) == {partition: 2}
                producer.commit_transaction(PATIENCE)
                await reader.until_position(partition, 5)
                assert reader.values(partition) == numbers(0, 4)

    run(test())


def test_a_compacted_topic_has_gaps_and_an_end(broker: Cluster, group: str) -> None:
    topic = broker.create_compacted_topic()
    broker.produce(topic, [Message(b"%d" % number, key=b"same") for number in range(20)])
    kept = broker.compact(topic)
    end = broker.end_offsets(topic)[0]

    async def test() -> None:
        partition = Partition(topic, 0)
        async with started(kafka_source(broker.bootstrap_servers, [topic], group)) as reader:
            await reader.until_position(partition, end)
            assert set(reader.offsets(partition)) <= set(kept)
            assert reader.offsets(partition)[-1] == end - 1

    run(test())


# --- where reading begins


@pytest.mark.parametrize("reset", ["earliest", "latest"])
def test_a_committed_offset_out_of_range_is_told_and_reading_goes_on_from_the_earliest(
    broker: Cluster, topic: str, group: str, reset: str
) -> None:
    async def test() -> None:
        broker.produce(topic, numbers(0, 10))
        broker.commit(group, topic, {0: 2})
        broker.delete_records(topic, 6)
        partition = Partition(topic, 0)
        told: list[Partition] = []
        source = kafka_source(broker.bootstrap_servers, [topic], group, auto_offset_reset=reset)
        async with started(source, on_out_of_range=told.append) as reader:
            await reader.until_position(partition, 10)
            assert reader.offsets(partition) == [6, 7, 8, 9]
            assert told == [partition]
            assert source.lag(partition) == 0

    run(test())


def test_latest_commits_where_it_begins_so_that_a_rebalance_skips_nothing(
    broker: Cluster, topic: str, group: str
) -> None:
    async def test() -> None:
        broker.produce(topic, numbers(0, 3))
        rules: dict[str, Any] = {"auto_offset_reset": "latest"}
        async with started(kafka_source(broker.bootstrap_servers, [topic], group, **rules)) as one:
            await one.until_position(Partition(topic, 0), 3)
            await one.source.commit(one.positions)
        broker.produce(topic, numbers(3, 1))  # between two members
        async with started(kafka_source(broker.bootstrap_servers, [topic], group, **rules)) as two:
            await two.until_count(1)
            assert two.values(Partition(topic, 0)) == numbers(3, 1)

    run(test())


@pytest.mark.parametrize("reset", ["earliest", "latest"])
def test_partitions_added_later_are_read_from_their_beginning(
    broker: Cluster, topic: str, group: str, reset: str
) -> None:
    async def test() -> None:
        told = Told()
        source = kafka_source(
            broker.bootstrap_servers,
            [topic],
            group,
            auto_offset_reset=reset,
            metadata_seconds=0.3,
        )
        async with started(source, told) as reader:
            await reader.until_position(Partition(topic, 0), 0)
            broker.add_partitions(topic, 2)
            broker.produce(topic, [Message(b"first", partition=1)])
            await reader.until_count(1)
            assert reader.values(Partition(topic, 1)) == [b"first"]
            assert told.assignments[-1] == (
                {Partition(topic, 0), Partition(topic, 1)},
                Part((0, 1), 2),
            )

    run(test())


# --- the group


def test_a_rebalance_is_awaited_and_what_is_committed_in_it_is_where_the_next_one_begins(
    broker: Cluster, group: str
) -> None:
    async def test() -> None:
        topic = broker.create_topic(partitions=2)
        both = [Partition(topic, 0), Partition(topic, 1)]
        broker.produce(topic, [Message(b"x", partition=n) for n in (0, 1) for _ in range(5)])
        servers = broker.bootstrap_servers
        first, second = (
            kafka_source(servers, [topic], group, session_timeout_seconds=1.5) for _ in range(2)
        )
        order: list[str] = []

        async def drain() -> None:
            order.append("draining")
            await asyncio.sleep(0.7)  # longer than a poll: the others wait
            await first.commit({both[0]: 3, both[1]: 3, Partition(topic, 99): 1})
            order.append("drained")

        one, two = Told(drain), Told()
        async with started(first, one) as a:
            await a.until_count(10)
            assert one.assignments == [(set(both), Part((0, 1), 2))]
            async with polling(a), started(second, two) as b, polling(b):
                await eventually(lambda: bool(two.assignments), "the second's partition")
                await eventually(lambda: len(one.assignments) == 2, "the first's partition")
                assert order == ["draining", "drained"]
                halves = {part for _, part in (one.assignments[-1], two.assignments[-1])}
                assert halves == {Part((0,), 2), Part((1,), 2)}
                (kept,), (given,) = one.assignments[-1][0], two.assignments[-1][0]
                assert {kept, given} == set(both)
                await eventually(lambda: b.offsets(given) == [3, 4], "the rest, at the second")
                # A partition that was kept also begins anew at the commit.
                await eventually(
                    lambda: a.offsets(kept) == [*range(5), 3, 4], "the rest, at the first"
                )
                await first.commit({kept: 5, given: 1})
                await eventually(
                    lambda: broker.committed(group, topic)[kept.partition] == 5, "the commit"
                )
                assert broker.committed(group, topic)[given.partition] == 3

    run(test())


def test_two_members_take_the_partitions_of_all_topics_by_turns(
    broker: Cluster, group: str
) -> None:
    async def test() -> None:
        topics = [broker.create_topic(partitions=count) for count in (2, 3)]
        told = [Told(), Told()]
        first, second = (kafka_source(broker.bootstrap_servers, topics, group) for _ in told)
        async with started(first, told[0]) as a, polling(a):
            async with started(second, told[1]) as b, polling(b):
                await eventually(lambda: len(told[0].assignments) == 2, "the first's half")
                await eventually(lambda: bool(told[1].assignments), "the second's half")
                halves = {one.assignments[-1][1] for one in told}
                assert halves == {Part((0, 2, 4), 5), Part((1, 3), 5)}
            await eventually(lambda: len(told[0].assignments) == 3, "all of them")
            assert told[0].assignments[-1][1] == Part((0, 1, 2, 3, 4), 5)

    run(test())


def test_the_group_confirms_membership_and_goes_on_while_a_revocation_lasts(
    broker: Cluster, topic: str, group: str
) -> None:
    async def test() -> None:
        told = Told()
        before: list[int] = []

        async def drain() -> None:
            before.append(len(told.confirmations))
            await asyncio.sleep(4.0)
            before.append(len(told.confirmations))

        told._on_revoked = drain
        source = kafka_source(broker.bootstrap_servers, [topic], group)
        async with started(source, told) as reader, polling(reader):
            now = asyncio.get_running_loop().time
            await eventually(lambda: len(told.confirmations) > 1, "heartbeats")
            assert 0.0 <= now() - told.confirmations[-1] < 3.0
            second = kafka_source(broker.bootstrap_servers, [topic], group)
            async with started(second):
                assert before[1] > before[0]

    run(test())


def test_no_commit_passes_between_a_revocation_and_the_next_assignment(
    broker: Cluster, group: str
) -> None:
    async def test() -> None:
        topic = broker.create_topic(partitions=2)
        first, second, third = (
            kafka_source(broker.bootstrap_servers, [topic], group, session_timeout_seconds=1.5)
            for _ in range(3)
        )
        refused: list[str] = []

        async def slow() -> None:
            await asyncio.sleep(0.5)

        one = Told()
        async with started(first, one) as a, polling(a):
            await eventually(lambda: bool(one.assignments), "the assignment")
            two = Told(slow)  # the group waits for the second, the first is revoked at once
            async with started(second, two) as b, polling(b):
                await eventually(lambda: bool(two.assignments), "the second's assignment")
                before = len(one.assignments)
                joining = asyncio.create_task(third.start(Told(), PATIENCE, lambda _: None))
                await eventually(lambda: len(one.revocations) > before, "the revocation")
                while len(one.assignments) == before:
                    try:
                        await first.commit({Partition(topic, 0): 0, Partition(topic, 1): 0})
                    except KafkaUnavailable as error:
                        refused.append(str(error))
                    await asyncio.sleep(0.02)
                await joining
                await third.stop(5.0)
        assert refused
        assert broker.committed(group, topic) == {}

    run(test())


def test_an_error_of_the_assignment_comes_out_of_poll(
    broker: Cluster, topic: str, group: str
) -> None:
    class Broken(Told):
        def assigned(self, partitions: object, part: Part) -> None:
            raise LookupError("a mistake of ours")

    async def test() -> None:
        source = kafka_source(broker.bootstrap_servers, [topic], group)
        async with started(source, Broken()) as reader:
            with pytest.raises(LookupError):
                await reader.until(lambda: False, "the error")

    run(test())


@pytest.mark.parametrize("which", ["_fetch_task", "_coordination_task"])
def test_a_dead_task_of_the_client_is_noticed(
    broker: Cluster, topic: str, group: str, which: str
) -> None:
    async def test() -> None:
        source = kafka_source(broker.bootstrap_servers, [topic], group)
        async with started(source) as reader:
            await reader.until_position(Partition(topic, 0), 0)
            owner = "_fetcher" if which == "_fetch_task" else "_coordinator"
            getattr(getattr(source._consumer, owner), which).cancel()
            with pytest.raises(KafkaUnavailable, match="died"):
                await reader.until(lambda: False, "the error")

    run(test())


def test_a_paused_member_stays_in_the_group(broker: Cluster, topic: str, group: str) -> None:
    async def test() -> None:
        broker.produce(topic, numbers(0, 3))
        told, partition = Told(), Partition(topic, 0)
        source = kafka_source(broker.bootstrap_servers, [topic], group, session_timeout_seconds=1.0)
        async with started(source, told) as reader:
            await reader.until_count(3)
            source.pause([partition])
            broker.produce(topic, numbers(3, 3))
            end = time.monotonic() + 2.0  # twice the session's time
            while time.monotonic() < end:
                await reader.poll()
            assert reader.count == 3
            assert len(told.assignments) == 1
            source.resume([partition])
            await reader.until_count(6)

    run(test())


# --- start and stop


def test_unreachable_brokers_are_named_within_the_time() -> None:
    async def test() -> None:
        source = kafka_source("127.0.0.1:1", ["topic"], "group")
        waiting: list[str] = []
        started_at = time.monotonic()
        with pytest.raises(KafkaUnavailable, match=r"127\.0\.0\.1:1 .*kafka\.bootstrap_servers"):
            await source.start(Told(), 1.5, waiting.append)
        assert time.monotonic() - started_at < 2.5
        assert waiting
        await source.stop(1.0)

    run(test())


def test_a_broker_that_does_not_answer_at_start(own_broker: Broker, group: str) -> None:
    async def test() -> None:
        topic = own_broker.create_topic()
        source = kafka_source(own_broker.bootstrap_servers, [topic], group)
        own_broker.freeze()
        try:
            started_at = time.monotonic()
            with pytest.raises(KafkaUnavailable, match="no answer in time"):
                await source.start(Told(), 1.5, lambda _: None)
            assert time.monotonic() - started_at < 4.0
            await source.stop(1.0)
        finally:
            own_broker.thaw()

    run(test())


def test_topics_that_come_while_we_wait(broker: Cluster, group: str) -> None:
    async def test() -> None:
        topic = f"late-{uuid4().hex}"
        waiting: list[str] = []
        source = kafka_source(broker.bootstrap_servers, [topic], group)
        joining = asyncio.create_task(source.start(Told(), PATIENCE, waiting.append))
        await eventually(lambda: bool(waiting), "a word about what is missing")
        broker.create_topic(topic)
        await joining
        await source.stop(5.0)
        assert topic in waiting[0]

    run(test())


async def _begin(broker: Broker, group: str) -> tuple[KafkaSource, Reader, Partition]:
    topic = broker.create_topic()
    broker.produce(topic, numbers(0, 3))
    source = kafka_source(
        broker.bootstrap_servers, [topic], group, session_timeout_seconds=3.0, commit_seconds=1.0
    )
    await source.start(Told(), PATIENCE, lambda _: None)
    reader = Reader(source)
    await reader.until_count(3)
    return source, reader, Partition(topic, 0)


async def _stops_in_time(source: KafkaSource, partition: Partition) -> None:
    """Committing and stopping take no longer than they may, and leave nothing running."""
    began = time.monotonic()
    with pytest.raises(KafkaUnavailable):
        await source.commit({partition: 3})
    assert time.monotonic() - began < 3.0
    assert await source.poll() == {}  # and does not raise
    began = time.monotonic()
    await source.stop(1.0)
    assert time.monotonic() - began < 5.0
    assert not internals.tasks_of(source._consumer)


async def _letters(broker: Broker) -> KafkaDeadLetters:
    """A producer that has written a letter, and has another under way when its broker goes."""
    letters = KafkaDeadLetters([broker.bootstrap_servers], broker.create_topic(), Security())
    await letters.start()
    await letters.send([LETTER])
    return letters


async def _letters_stop_in_time(letters: KafkaDeadLetters) -> None:
    sending = asyncio.create_task(letters.send([LETTER]))
    done, _ = await asyncio.wait((sending,), timeout=0.2)
    assert not done
    sending.cancel()
    producer = letters._producer
    began = time.monotonic()
    await letters.stop(1.0)
    assert time.monotonic() - began < 5.0
    assert not internals.tasks_of(producer)


def test_it_tells_whether_kafka_answers(own_broker: Broker, group: str) -> None:
    """Asked by the watchdog: on a connection of its own, for the client's may be what stands still."""

    async def test() -> None:
        topic = own_broker.create_topic()
        source = kafka_source(own_broker.bootstrap_servers, [topic], group)
        assert await source.answers()

        own_broker.freeze()
        begun = time.monotonic()
        try:
            assert not await source.answers()
            assert time.monotonic() - begun < 15
        finally:
            own_broker.thaw()
        assert await source.answers()

        own_broker.kill()
        try:
            assert not await source.answers()
        finally:
            own_broker.restart()

    run(test())


def test_a_frozen_broker_bounds_commit_and_stop(own_broker: Broker, group: str) -> None:
    async def test() -> None:
        source, _, partition = await _begin(own_broker, group)
        letters = await _letters(own_broker)
        own_broker.freeze()
        try:
            await _stops_in_time(source, partition)
            await _letters_stop_in_time(letters)
        finally:
            own_broker.thaw()

    run(test())


def test_a_killed_broker_bounds_commit_and_stop_and_is_read_on_from_when_it_is_back(
    own_broker: Broker, group: str
) -> None:
    async def test() -> None:
        left, _, its_partition = await _begin(own_broker, f"{group}-left")
        source, reader, partition = await _begin(own_broker, group)
        letters = await _letters(own_broker)
        own_broker.kill()
        try:
            await _stops_in_time(left, its_partition)
            await _letters_stop_in_time(letters)
            await reader.poll()
        finally:
            own_broker.restart()
        own_broker.produce(partition.topic, numbers(3, 3))
        await reader.until_position(partition, 6)
        assert set(reader.values(partition)) == set(numbers(0, 6))

        async def is_committed() -> bool:
            await reader.poll()
            try:
                await source.commit({partition: 6})
            except KafkaUnavailable:
                return False
            return True

        await eventually(is_committed, "a commit")
        await source.stop(5.0)
        assert own_broker.committed(group, partition.topic) == {0: 6}

    run(test())
