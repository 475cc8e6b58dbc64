"""What a dead-letter topic promises, whoever it is: the fake, and ours on the mock cluster and on a real broker."""

import asyncio
from collections.abc import Callable
from uuid import uuid4

import pytest

from connector.core.model import Letter
from connector.errors import KafkaUnavailable
from connector.kafka.dead_letters import KafkaDeadLetters
from connector.kafka.security import Security
from tests.kafka.member import PATIENCE, run
from tests.kafka.worlds import EmbeddedWorld, FakeWorld, RealWorld, World
from tests.kafka_broker import Broker, Cluster

MakeWorld = Callable[[], World]


@pytest.fixture(params=["fake", "embedded", "real"])
def world(request: pytest.FixtureRequest) -> MakeWorld:
    if request.param == "real":
        broker = request.getfixturevalue("broker")
        return lambda: RealWorld(broker)
    return FakeWorld if request.param == "fake" else EmbeddedWorld


def letter(number: int, size: int = 10) -> Letter:
    key = None if number % 2 else b"key %d" % number
    return Letter(key, b"%d" % number + b"x" * size, [("connector.reason", b"malformed_json")])


def test_letters_are_in_the_topic_when_send_returns(world: MakeWorld) -> None:
    async def test() -> None:
        async with world() as kafka:
            dead_letters = await kafka.dead_letters()
            await dead_letters.start()
            try:
                some = [letter(number) for number in range(20)]
                await dead_letters.send(some[:1])
                await dead_letters.send(some[1:])
                await dead_letters.send([])
                written = await kafka.letters(20)
            finally:
                await dead_letters.stop(PATIENCE)
            found = sorted((key or b"", value) for key, value, _ in written)
            assert found == sorted((one.key or b"", one.value) for one in some)
            assert all(
                list(headers) == [("connector.reason", b"malformed_json")]
                for *_, headers in written
            )

    run(test())


def test_letters_of_900_kilobytes_are_taken_several_at_once(world: MakeWorld) -> None:
    async def test() -> None:
        async with world() as kafka:
            dead_letters = await kafka.dead_letters()
            await dead_letters.start()
            try:
                await dead_letters.send([letter(number, size=900_000) for number in range(6)])
                written = await kafka.letters(6)
            finally:
                await dead_letters.stop(PATIENCE)
            assert sorted(len(value or b"") for _, value, _ in written) == [900_001] * 6

    run(test())


def test_what_can_never_succeed_is_said_and_the_next_letter_goes(broker: Cluster) -> None:
    async def test() -> None:
        kafka = RealWorld(broker)
        dead_letters = await kafka.dead_letters()
        await dead_letters.start()
        try:
            # Written before: without it the broker has no numbers of this producer yet, and none can be missing.
            await dead_letters.send([letter(number) for number in range(20)])
            for size in (1_500_000, 5_000_000):  # over the broker's limit; over our own
                with pytest.raises(KafkaUnavailable) as caught:
                    await dead_letters.send([letter(1, size=size)])
                assert "xxx" not in str(caught.value)
            await asyncio.wait_for(dead_letters.send([letter(2)]), PATIENCE)
            assert len(await kafka.letters(21)) == 21
        finally:
            await dead_letters.stop(PATIENCE)

    run(test())


def real(bootstrap_servers: str, topic: str) -> KafkaDeadLetters:
    return KafkaDeadLetters([bootstrap_servers], topic, Security(), request_seconds=2.0)


def test_a_missing_topic_is_said(broker: Cluster) -> None:
    async def test() -> None:
        missing = f"missing-{uuid4().hex}"
        dead_letters = real(broker.bootstrap_servers, missing)
        await dead_letters.start()
        try:
            with pytest.raises(KafkaUnavailable, match=missing):
                await asyncio.wait_for(dead_letters.send([letter(1)]), 60)
        finally:
            await dead_letters.stop(PATIENCE)

    run(test())


def test_a_broker_that_is_not_there_is_said_at_start() -> None:
    async def test() -> None:
        dead_letters = real("127.0.0.1:1", "letters")
        with pytest.raises(KafkaUnavailable):
            await asyncio.wait_for(dead_letters.start(), PATIENCE)
        await dead_letters.stop(PATIENCE)

    run(test())


def test_sending_before_the_start_is_said() -> None:
    async def test() -> None:
        with pytest.raises(KafkaUnavailable):
            await real("127.0.0.1:1", "letters").send([letter(1)])

    run(test())


def test_a_send_outlives_an_outage_and_can_be_given_up(own_broker: Broker) -> None:
    async def test() -> None:
        topic = own_broker.create_topic()
        dead_letters = real(own_broker.bootstrap_servers, topic)
        await dead_letters.start()
        try:
            await dead_letters.send([letter(0)])
            own_broker.kill()
            given_up = asyncio.create_task(dead_letters.send([letter(1)]))
            waiting = asyncio.create_task(dead_letters.send([letter(2)]))
            done, _ = await asyncio.wait((given_up, waiting), timeout=1.0)
            assert not done
            given_up.cancel()
            with pytest.raises(asyncio.CancelledError):
                await given_up
            own_broker.restart()
            await asyncio.wait_for(waiting, PATIENCE)
        finally:
            await dead_letters.stop(PATIENCE)
        written = own_broker.end_offsets(topic)[0]
        values = {one.value for one in own_broker.read(topic, written)}
        assert values - {letter(1).value} == {letter(0).value, letter(2).value}

    run(test())
