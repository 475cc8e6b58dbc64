"""What a source promises, whoever it is: the fake, and ours on the mock cluster and on a real broker."""

from collections.abc import Callable
from uuid import uuid4

import pytest

from connector.core.model import Partition
from connector.core.turns import part_of
from connector.errors import KafkaUnavailable
from tests.fakes.kafka import Entry
from tests.kafka.member import PATIENCE, Told, eventually, run, started
from tests.kafka.worlds import PARTITIONS, EmbeddedWorld, FakeWorld, RealWorld, World
from tests.kafka_broker import Cluster

MakeWorld = Callable[[], World]


@pytest.fixture(params=["fake", "embedded", "real"])
def any_world(request: pytest.FixtureRequest) -> MakeWorld:
    """For few tests: a group of the mock cluster takes 3 seconds to form, whoever joins it."""
    return EmbeddedWorld if request.param == "embedded" else _world(request)


@pytest.fixture(params=["fake", "real"])
def world(request: pytest.FixtureRequest) -> MakeWorld:
    return _world(request)


def _world(request: pytest.FixtureRequest) -> MakeWorld:
    if request.param == "fake":
        return FakeWorld
    broker = request.getfixturevalue("broker")
    return lambda: RealWorld(broker)


def entries(partition: int, *names: str) -> list[Entry]:
    return [(partition, f"key of {name}".encode(), name.encode()) for name in names]


def test_records_come_whole_and_in_order_with_the_position_behind_them(
    any_world: MakeWorld, group: str
) -> None:
    async def test() -> None:
        async with any_world() as kafka:
            topic = await kafka.topic()
            await kafka.produce(topic, entries(0, "a", "b", "c") + entries(2, "x"))
            await kafka.produce(topic, [(3, None, None)])
            async with started(kafka.source(topic, group)) as reader:
                await reader.until_count(5)

                first = reader.records[Partition(topic, 0)]
                assert [one.offset for one in first] == [0, 1, 2]
                assert [one.value for one in first] == [b"a", b"b", b"c"]
                assert [one.key for one in first] == [b"key of a", b"key of b", b"key of c"]
                assert all(one.timestamp > 0 and not one.headers for one in first)
                assert reader.values(Partition(topic, 2)) == [b"x"]
                (empty,) = reader.records[Partition(topic, 3)]
                assert (empty.key, empty.value) == (None, None)
                assert reader.positions[Partition(topic, 0)] == 3

    run(test())


def test_all_partitions_are_assigned_after_a_revocation_of_none(
    world: MakeWorld, group: str
) -> None:
    async def test() -> None:
        async with world() as kafka:
            topic, told = await kafka.topic(), Told()
            async with started(kafka.source(topic, group), told):
                await eventually(lambda: bool(told.assignments), "an assignment")
            everything = {Partition(topic, number) for number in range(PARTITIONS)}
            assert told.assignments == [(everything, part_of(everything, everything))]
            assert all(some == set() for some in told.revocations)

    run(test())


def test_the_next_member_reads_on_from_the_commit(world: MakeWorld, group: str) -> None:
    async def test() -> None:
        async with world() as kafka:
            topic = await kafka.topic()
            partition = Partition(topic, 1)
            await kafka.produce(topic, entries(1, "a", "b", "c"))
            async with started(kafka.source(topic, group)) as reader:
                await reader.until_count(3)
                await reader.source.commit({partition: 2})
            assert await kafka.committed(group, topic) == {1: 2}
            async with started(kafka.source(topic, group)) as reader:
                await reader.until_count(1)
                assert reader.values(partition) == [b"c"]

    run(test())


def test_nothing_is_committed_unasked(world: MakeWorld, group: str) -> None:
    async def test() -> None:
        async with world() as kafka:
            topic = await kafka.topic()
            await kafka.produce(topic, entries(1, "a", "b", "c"))
            async with started(kafka.source(topic, group)) as reader:
                await reader.until_count(3)
            assert await kafka.committed(group, topic) == {}

    run(test())


def test_a_commit_leaves_out_partitions_of_others_and_keeps_ours(
    world: MakeWorld, group: str
) -> None:
    async def test() -> None:
        async with world() as kafka:
            topic = await kafka.topic()
            await kafka.produce(topic, entries(1, "a"))
            async with started(kafka.source(topic, group)) as reader:
                await reader.until_count(1)
                await reader.source.commit({Partition(topic, 1): 1, Partition(topic, 99): 7})
                await reader.source.commit({Partition("another", 0): 7})
                await reader.source.commit({})
            assert await kafka.committed(group, topic) == {1: 1}

    run(test())


def test_no_commit_before_the_assignment_nor_after_the_stop(world: MakeWorld, group: str) -> None:
    async def test() -> None:
        async with world() as kafka:
            topic = await kafka.topic()
            await kafka.produce(topic, entries(1, "a"))
            source = kafka.source(topic, group)
            with pytest.raises(KafkaUnavailable):
                await source.commit({Partition(topic, 1): 1})
            async with started(source) as reader:
                await reader.until_count(1)
            with pytest.raises(KafkaUnavailable):
                await source.commit({Partition(topic, 1): 1})
            assert await kafka.committed(group, topic) == {}

    run(test())


def test_a_paused_partition_brings_nothing_until_resumed_and_loses_nothing(
    any_world: MakeWorld, group: str
) -> None:
    async def test() -> None:
        async with any_world() as kafka:
            topic = await kafka.topic()
            still, other = Partition(topic, 0), Partition(topic, 1)
            await kafka.produce(topic, entries(0, "a"))
            async with started(kafka.source(topic, group)) as reader:
                await reader.until_count(1)
                reader.source.pause([still, Partition(topic, 99)])
                await kafka.produce(topic, entries(0, "b", "c") + entries(1, "x", "y"))
                await reader.until(lambda: len(reader.records[other]) == 2, "the other partition")
                for _ in range(3):
                    await reader.poll()
                assert reader.values(still) == [b"a"]

                reader.source.resume([still, Partition(topic, 99)])
                await reader.until_count(5)
                assert reader.values(still) == [b"a", b"b", b"c"]
                await reader.source.commit({still: 2})
            assert await kafka.committed(group, topic) == {0: 2}

    run(test())


def test_a_poll_brings_no_more_than_it_may_and_all_come(world: MakeWorld, group: str) -> None:
    async def test() -> None:
        async with world() as kafka:
            topic = await kafka.topic()
            names = [str(number) for number in range(25)]
            await kafka.produce(topic, entries(0, *names) + entries(1, *names))
            async with started(kafka.source(topic, group, poll_records=10)) as reader:
                while reader.count < 50:
                    before = reader.count
                    await reader.poll()
                    assert reader.count - before <= 10
                for number in (0, 1):
                    wanted = [name.encode() for name in names]
                    assert reader.values(Partition(topic, number)) == wanted

    run(test())


def test_latest_without_a_commit_begins_at_the_end(broker: Cluster, group: str) -> None:
    async def test() -> None:
        async with RealWorld(broker) as kafka:
            topic = await kafka.topic()
            partition = Partition(topic, 1)
            await kafka.produce(topic, entries(1, "old", "older"))
            async with started(kafka.source(topic, group, auto_offset_reset="latest")) as reader:
                await reader.until_position(partition, 2)
                await kafka.produce(topic, entries(1, "new"))
                await reader.until_count(1)
                assert reader.values(partition) == [b"new"]

    run(test())


def test_latest_with_a_commit_reads_on_from_it(broker: Cluster, group: str) -> None:
    async def test() -> None:
        async with RealWorld(broker) as kafka:
            topic = await kafka.topic()
            partition = Partition(topic, 1)
            await kafka.produce(topic, entries(1, "a", "b"))
            async with started(kafka.source(topic, group)) as reader:
                await reader.until_count(2)
                await reader.source.commit({partition: 1})
            async with started(kafka.source(topic, group, auto_offset_reset="latest")) as reader:
                await reader.until_count(1)
                assert reader.values(partition) == [b"b"]

    run(test())


def test_end_offsets_positions_and_lag_tell_how_far_reading_is(
    world: MakeWorld, group: str
) -> None:
    async def test() -> None:
        async with world() as kafka:
            topic = await kafka.topic()
            partition = Partition(topic, 0)
            await kafka.produce(topic, entries(0, "a", "b"))
            async with started(kafka.source(topic, group)) as reader:
                assert reader.source.lag(Partition(topic, 99)) is None
                await reader.until_position(partition, 2)
                asked = [partition, Partition(topic, 99)]
                assert await reader.source.end_offsets(asked) == {partition: 2}
                assert await reader.source.positions(asked) == {partition: 2}
                assert reader.source.lag(partition) == 0

    run(test())


def test_a_second_stop_is_fine(world: MakeWorld, group: str) -> None:
    async def test() -> None:
        async with world() as kafka:
            source = kafka.source(await kafka.topic(), group)
            async with started(source):
                pass
            await source.stop(PATIENCE)

    run(test())


@pytest.mark.parametrize("which", ["fake", "real"])  # the mock cluster makes what it is asked for
def test_a_missing_topic_is_named_and_what_to_do(
    which: str, request: pytest.FixtureRequest, group: str
) -> None:
    async def test() -> None:
        kafka = FakeWorld() if which == "fake" else RealWorld(request.getfixturevalue("broker"))
        async with kafka:
            topic, missing = await kafka.topic(), f"missing-{uuid4().hex}"
            told: list[str] = []
            source = kafka.source(topic, group)
            with pytest.raises(KafkaUnavailable, match=f"{missing}.*create it"):
                await source.start(Told(), 1.5, told.append, requires=[missing])
            assert any(missing in sentence for sentence in told)
            assert not any(topic in sentence for sentence in told)
            await source.stop(PATIENCE)

    run(test())
