"""What only a real broker can show of a follower: compaction, transactions, new partitions, lost records, outages."""

import asyncio
import statistics
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import pytest

from connector.core.model import Partition
from connector.errors import KafkaUnavailable
from connector.kafka import internals
from connector.kafka.cursor import Cursor
from connector.kafka.follower import Follower
from tests.kafka.broken_records import batch, write
from tests.kafka.following import ASK_SECONDS, Following, kafka_follower, started
from tests.kafka.member import eventually, run
from tests.kafka_broker import Broker, Cluster, Message
from tests.kafka_broker.cluster import PATIENCE


@asynccontextmanager
async def loaded(
    broker: Cluster,
    topic: str,
    *,
    isolation_level: str = "read_committed",
    on_reread: Callable[[], None] = lambda: None,
) -> AsyncIterator[Following]:
    async with started(
        lambda confirmed: kafka_follower(
            broker.bootstrap_servers,
            topic,
            confirmed,
            isolation_level=isolation_level,
            on_reread=on_reread,
        )
    ) as one:
        yield await one.load()


@asynccontextmanager
async def following(broker: Cluster, topic: str, **options: Any) -> AsyncIterator[Following]:
    """One that was loaded, and is followed in the background."""
    async with loaded(broker, topic, **options) as one:
        one.follow()
        yield one


def cursor_of(one: Following) -> Cursor:
    assert isinstance(one.follower, Follower)
    return one.follower._cursor


async def produce(broker: Cluster, topic: str, *values: bytes, partition: int = 0) -> None:
    messages = [Message(value, key=value, partition=partition) for value in values]
    await asyncio.to_thread(broker.produce, topic, messages)


# --- what is in the topic


def test_a_compacted_topic_of_several_partitions_is_loaded_with_its_tombstones(
    broker: Cluster,
) -> None:
    config = {"cleanup.policy": "compact"}
    topic = broker.create_topic(partitions=4, config=config)
    for number in range(3):
        entries = [
            Message(b"%d of %d" % (n, number), b"k%d" % n, partition=n % 3) for n in range(300)
        ]
        broker.produce(topic, entries)
    broker.produce(topic, [Message(None, b"k%d" % n, partition=n % 3) for n in range(30)])

    async def test() -> None:
        async with following(broker, topic) as one:
            for number in range(3):
                of_it = [n for n in range(300) if n % 3 == number]
                newest = [b"%d of 2" % n for n in of_it]
                assert one.values[number][-110:] == [*newest, *[None] * 10]
            assert one.positions == {0: 310, 1: 310, 2: 310}

    run(test())


def test_compaction_while_it_is_followed_costs_nothing(broker: Cluster) -> None:
    topic = broker.create_compacted_topic()

    async def test() -> None:
        async with following(broker, topic) as one:
            for number in range(20):
                await produce(broker, topic, b"%d" % number)
            await asyncio.to_thread(
                broker.produce, topic, [Message(b"%d" % n, key=b"same") for n in range(20)]
            )
            await one.until_fresh()
            await asyncio.to_thread(broker.compact, topic)
            await produce(broker, topic, b"after")
            await one.until_fresh()
            wanted = [b"%d" % number for number in range(20)] * 2
            assert [value for value in one.values[0] if value != b"roll"] == [*wanted, b"after"]

    run(test())


def test_control_records_at_the_end_are_reached_and_aborted_ones_left_out(
    broker: Cluster, topic: str
) -> None:
    with broker.transaction(topic, [b"1", b"2"]) as producer:
        producer.commit_transaction(PATIENCE)
    with broker.transaction(topic, [b"3"]) as producer:
        producer.abort_transaction(PATIENCE)

    async def test() -> None:
        await eventually(lambda: broker.end_offsets(topic)[0] == 5, "the abort's marker")
        async with following(broker, topic) as one:
            assert one.values == {0: [b"1", b"2"]}
            assert one.positions == {0: 5}
        async with following(broker, topic, isolation_level="read_uncommitted") as one:
            assert one.values == {0: [b"1", b"2", b"3"]}

    run(test())


def test_an_open_transaction_is_waited_for_only_by_what_stands_behind_it(
    broker: Cluster, topic: str
) -> None:
    async def test() -> None:
        with broker.transaction(topic, [b"1"]) as producer:
            async with following(broker, topic) as one:
                await produce(broker, topic, b"2")
                await one.until_fresh()
                assert one.count == 0
                await asyncio.to_thread(producer.commit_transaction, PATIENCE)
                await one.until_count(2)
                assert one.values == {0: [b"1", b"2"]}

    run(test())


def test_records_that_the_client_cannot_parse_are_named_and_hold_nothing_back(
    broker: Cluster, topic: str
) -> None:
    async def test() -> None:
        servers = broker.bootstrap_servers
        await write(servers, topic, batch([b"a", b"b", b"c"], [1]))
        async with following(broker, topic) as one:
            assert (one.values[0], one.unreadable[0]) == ([b"a", b"c"], [1])
            await write(servers, topic, batch([b"d", b"e"], [0]))
            await one.until_fresh()
            assert (one.values[0], one.unreadable[0]) == ([b"a", b"c", b"e"], [1, 3])

    run(test())


# --- how soon


def test_what_comes_is_handed_over_at_once(broker: Cluster, topic: str) -> None:
    async def test() -> None:
        loop = asyncio.get_running_loop()
        taken = []
        async with following(broker, topic) as one:
            for number in range(12):
                await asyncio.sleep(0.13)
                await produce(broker, topic, b"%d" % number)
                began = loop.time()
                await one.until_count(number + 1)
                taken.append(loop.time() - began)
        assert statistics.median(taken) < 0.2

    run(test())


def test_it_is_confirmed_as_often_as_it_asks(broker: Cluster, topic: str) -> None:
    async def test() -> None:
        async with following(broker, topic) as one:
            await one.until(lambda: len(one.confirmations) > 5, "confirmations")
            late = asyncio.get_running_loop().time() - one.confirmations[-1]
            steps = [later - at for at, later in pairwise(one.confirmations)]
            assert late < 2.0
            assert min(steps) >= ASK_SECONDS
            assert statistics.median(steps) < ASK_SECONDS + 1.0

    run(test())


# --- what happens to the topic


def test_partitions_that_are_added_are_read_from_their_beginning(
    broker: Cluster, topic: str
) -> None:
    async def test() -> None:
        await produce(broker, topic, b"a")
        async with following(broker, topic) as one:
            await asyncio.to_thread(broker.add_partitions, topic, 3)
            await produce(broker, topic, b"x", b"y", partition=2)
            await produce(broker, topic, b"b")
            await one.until_fresh()
            assert one.values == {0: [b"a", b"b"], 2: [b"x", b"y"]}

    run(test())


def test_a_topic_whose_records_were_deleted_unread_is_read_again(
    broker: Cluster, topic: str
) -> None:
    async def test() -> None:
        told: list[str] = []
        await produce(broker, topic, *(b"%d" % number for number in range(10)))
        async with loaded(broker, topic, on_reread=lambda: told.append("reread")) as one:
            await asyncio.to_thread(broker.delete_records, topic, 6)
            cursor_of(one).begin({Partition(topic, 0): 2})  # as if it were slow
            one.follow()
            await produce(broker, topic, b"10")
            await one.until_fresh()
            assert one.values[0][10:] == [b"6", b"7", b"8", b"9", b"10"]
            assert told == ["reread"]

    run(test())


def test_a_topic_that_was_made_anew_is_read_whole(broker: Cluster) -> None:
    topic = broker.create_topic(partitions=2)

    async def test() -> None:
        await produce(broker, topic, b"a", b"b", b"c")
        await produce(broker, topic, b"x", partition=1)
        told: list[str] = []
        async with following(broker, topic, on_reread=lambda: told.append("reread")) as one:
            await one.until_fresh()
            await asyncio.to_thread(broker.delete_topic, topic)
            gone = f"no topic {topic} any more: create it"
            await one.until(lambda: gone in str(one.follower.problem), "the word that it is gone")
            last = one.confirmations[-1]

            await asyncio.to_thread(broker.create_topic, topic, partitions=1)
            await produce(broker, topic, b"d", b"e", b"f", b"g", b"h")
            await one.until_fresh()
            assert one.values[0][-5:] == [b"d", b"e", b"f", b"g", b"h"]
            assert one.follower.problem is None
            assert told == ["reread"]
            assert last < one.confirmations[-1]

    run(test())


def test_a_topic_that_was_made_anew_unseen_and_is_shorter_is_read_whole(
    broker: Cluster, topic: str
) -> None:
    async def test() -> None:
        await produce(broker, topic, *(b"%d" % number for number in range(50)))
        async with loaded(broker, topic) as one:
            await asyncio.to_thread(broker.delete_topic, topic)
            await asyncio.to_thread(broker.create_topic, topic)
            await produce(broker, topic, b"new")
            one.follow()
            await one.until_fresh()
            assert one.values[0][-1] == b"new"

    run(test())


# --- what happens to the broker


def test_it_goes_on_by_itself_when_its_broker_was_killed(own_broker: Broker) -> None:
    async def test() -> None:
        topic = own_broker.create_topic(partitions=2)
        await produce(own_broker, topic, b"a")
        async with following(own_broker, topic) as one:
            await one.until_fresh()
            own_broker.kill()
            await asyncio.sleep(0.5)
            last = one.confirmations[-1]
            await one.until(lambda: one.follower.problem is not None, "the word that it is away")
            assert one.confirmations[-1] == last
            await asyncio.to_thread(own_broker.restart)
            await produce(own_broker, topic, b"b")
            await produce(own_broker, topic, b"x", partition=1)
            await one.until_fresh()
            assert {number: set(some) for number, some in one.values.items()} == {
                0: {b"a", b"b"},
                1: {b"x"},
            }
            assert one.follower.problem is None

    run(test())


def test_a_frozen_broker_confirms_nothing_and_bounds_the_stop(own_broker: Broker) -> None:
    async def test() -> None:
        topic = own_broker.create_topic()
        now = asyncio.get_running_loop().time
        async with following(own_broker, topic) as one, following(own_broker, topic) as other:
            own_broker.freeze()
            try:
                frozen_at = now()
                await asyncio.sleep(0.7)
                await other.end()
                assert now() - frozen_at < 5.0
                assert not internals.tasks_of(cursor_of(other)._consumer)
                assert max(*one.confirmations, *other.confirmations) < frozen_at
            finally:
                own_broker.thaw()
            await one.until_fresh()

    run(test())


def test_a_dead_task_of_the_client_ends_it(broker: Cluster, topic: str) -> None:
    async def test() -> None:
        async with following(broker, topic) as one:
            await one.until_fresh()
            cursor_of(one)._consumer._fetcher._fetch_task.cancel()
            with pytest.raises(KafkaUnavailable, match="died"):
                await one.until(lambda: False, "the error")

    run(test())


def test_no_group_is_joined(broker: Cluster, topic: str) -> None:
    async def test() -> None:
        before = await asyncio.to_thread(broker.groups)
        async with following(broker, topic) as one:
            await one.until_fresh()
            assert await asyncio.to_thread(broker.groups) == before

    run(test())
