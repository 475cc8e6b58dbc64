"""What a follower promises, whoever it is: the fake, and ours on a real broker."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Protocol
from uuid import uuid4

import pytest

from connector.errors import KafkaUnavailable
from tests.fakes.kafka import Entry, FakeFollower, FakeKafka
from tests.kafka.following import AnyFollower, Following, kafka_follower, started
from tests.kafka.member import PATIENCE, run
from tests.kafka_broker import Cluster, Message

PARTITIONS = 3

Confirmed = Callable[[float], None]


class World(Protocol):
    """A Kafka of one kind."""

    async def topic(self) -> str: ...
    async def produce(self, topic: str, entries: list[Entry]) -> None: ...
    def follower(self, topic: str, confirmed: Confirmed) -> AnyFollower: ...


class FakeWorld:
    def __init__(self) -> None:
        self._kafka = FakeKafka()

    async def topic(self) -> str:
        return self._kafka.create_topic(f"topic-{uuid4().hex}", PARTITIONS)

    async def produce(self, topic: str, entries: list[Entry]) -> None:
        self._kafka.produce(topic, entries)

    def follower(self, topic: str, confirmed: Confirmed) -> AnyFollower:
        return FakeFollower(self._kafka, topic, confirmed)


class RealWorld:
    def __init__(self, broker: Cluster) -> None:
        self._broker = broker

    async def topic(self) -> str:
        return await asyncio.to_thread(self._broker.create_topic, partitions=PARTITIONS)

    async def produce(self, topic: str, entries: list[Entry]) -> None:
        messages = [Message(value, key, partition=number) for number, key, value in entries]
        await asyncio.to_thread(self._broker.produce, topic, messages)

    def follower(self, topic: str, confirmed: Confirmed) -> AnyFollower:
        return kafka_follower(self._broker.bootstrap_servers, topic, confirmed)


@pytest.fixture(params=["fake", "real"])
def world(request: pytest.FixtureRequest) -> World:
    if request.param == "fake":
        return FakeWorld()
    return RealWorld(request.getfixturevalue("broker"))


@asynccontextmanager
async def reading(world: World, topic: str) -> AsyncIterator[Following]:
    async with started(lambda confirmed: world.follower(topic, confirmed)) as one:
        yield one


def entries(partition: int, *names: str) -> list[Entry]:
    return [(partition, name.encode(), name.encode()) for name in names]


def test_all_that_was_there_is_loaded_and_confirmed_as_of_the_load(world: World) -> None:
    async def test() -> None:
        topic = await world.topic()
        many = [f"many-{number}" for number in range(1_200)]
        await world.produce(topic, entries(0, *many) + entries(2, "x", "y"))
        await world.produce(topic, [(2, b"x", None)])
        async with reading(world, topic) as one:
            before = asyncio.get_running_loop().time()
            assert one.follower.fresh_at is None
            await one.load()
            assert one.values == {0: [name.encode() for name in many], 2: [b"x", b"y", None]}
            assert one.positions == {0: 1_200, 2: 3}
            [at] = one.confirmations
            assert at >= before
            assert (one.follower.lag, one.follower.problem) == (0, None)

    run(test())


def test_an_empty_topic_is_loaded_at_once(world: World) -> None:
    async def test() -> None:
        async with reading(world, await world.topic()) as one:
            await asyncio.wait_for(one.load(), 3.0)
            assert not one.values
            assert len(one.confirmations) == 1

    run(test())


def test_what_comes_later_is_followed_and_confirmed_again_and_again(world: World) -> None:
    async def test() -> None:
        topic = await world.topic()
        await world.produce(topic, entries(0, "a"))
        async with reading(world, topic) as one:
            await one.load()
            one.follow()
            await world.produce(topic, entries(0, "b") + entries(1, "c"))
            await one.until_fresh()
            assert one.values == {0: [b"a", b"b"], 1: [b"c"]}
            await one.until_fresh()
            assert one.confirmations == sorted(one.confirmations)
            await world.produce(topic, entries(1, "d"))
            await one.until_fresh()
            assert one.values[1] == [b"c", b"d"]

    run(test())


def test_nothing_that_was_written_before_a_confirmed_moment_is_missing(world: World) -> None:
    """Written without a pause; each confirmation is compared with what had been acknowledged by then."""

    async def test() -> None:
        topic = await world.topic()
        loop = asyncio.get_running_loop()
        acknowledged: list[tuple[float, int]] = [(loop.time(), 0)]
        checked = 0
        async with reading(world, topic) as one:

            def check() -> None:
                nonlocal checked
                at = one.confirmations[-1]
                written = max(count for when, count in acknowledged if when < at)
                assert one.count >= written
                checked += written > 0

            one.check = check
            await one.load()
            one.follow()
            number = 0
            while checked < 3:
                await world.produce(topic, entries(number % PARTITIONS, *"abcdefghij"))
                number += 10
                acknowledged.append((loop.time(), number))
                await asyncio.sleep(0.02)
                assert number < 10_000
            assert one.confirmations == sorted(one.confirmations)

    run(test())


def test_a_chunk_whose_handling_failed_comes_again(world: World) -> None:
    async def test() -> None:
        topic = await world.topic()
        await world.produce(topic, entries(0, "a", "b"))
        async with reading(world, topic) as one:
            with pytest.raises(LookupError):
                await one.load_and_fail()
            assert one.confirmations == []
            await one.load()
            assert one.values == {0: [b"a", b"b"]}

    run(test())


def test_a_missing_topic_is_named_and_what_to_do(world: World) -> None:
    async def test() -> None:
        missing = f"missing-{uuid4().hex}"
        told: list[str] = []
        follower = world.follower(missing, lambda _: None)
        with pytest.raises(KafkaUnavailable, match=f"{missing}.*create it"):
            await follower.start(1.5, told.append)
        assert any(missing in sentence for sentence in told)
        await follower.stop(PATIENCE)

    run(test())


def test_a_second_stop_is_fine(world: World) -> None:
    async def test() -> None:
        async with reading(world, await world.topic()) as one:
            await one.follower.stop(PATIENCE)
            one.follower.renew_secrets()

    run(test())
