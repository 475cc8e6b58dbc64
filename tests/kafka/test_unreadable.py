"""Records that the client cannot parse: every good record of their batch comes once, every bad offset once."""

from collections.abc import Sequence

import pytest

from connector.core.model import Partition
from tests.kafka.broken_records import batch, write
from tests.kafka.member import eventually, kafka_source, run, started
from tests.kafka_broker import Cluster, Message


def values(start: int, count: int) -> list[bytes]:
    return [b"value-%d" % number for number in range(start, start + count)]


def without(bad: Sequence[int], end: int) -> list[int]:
    return [offset for offset in range(end) if offset not in bad]


@pytest.mark.parametrize(
    ("bad", "codec"),
    [
        ([7], "none"),
        ([13], "none"),
        ([7, 8, 9, 10, 11, 12, 13], "none"),
        *(([9, 11], codec) for codec in ("none", "gzip", "snappy", "lz4", "zstd")),
    ],
)
def test_every_record_of_the_batch_comes_once(
    broker: Cluster, topic: str, group: str, bad: Sequence[int], codec: str
) -> None:
    async def test() -> None:
        servers = broker.bootstrap_servers
        broken = batch(values(7, 7), [one - 7 for one in bad], codec)
        before, after = batch(values(0, 7), [], codec), batch(values(14, 7), [], codec)
        await write(servers, topic, before, broken, after)
        partition = Partition(topic, 0)
        async with started(kafka_source(servers, [topic], group)) as reader:
            await reader.until_position(partition, 21)
            await reader.poll()
            assert reader.unreadable[partition] == bad
            assert reader.offsets(partition) == without(bad, 21)
            assert reader.values(partition) == [b"value-%d" % one for one in without(bad, 21)]
            record = reader.records[partition][-1]
            assert (record.key, record.timestamp) == (b"key", 1006)
            assert list(record.headers) == [("before", b"1"), ("fine", b"2"), ("after", None)]

    run(test())


def test_small_polls_that_end_within_the_batch(broker: Cluster, topic: str, group: str) -> None:
    async def test() -> None:
        servers, partition = broker.bootstrap_servers, Partition(topic, 0)
        first = batch(values(0, 20), [19], "lz4")
        await write(servers, topic, first, batch(values(20, 20), []))
        async with started(kafka_source(servers, [topic], group, poll_records=3)) as reader:
            await reader.until_position(partition, 40)
            assert reader.unreadable[partition] == [19]
            assert reader.offsets(partition) == without([19], 40)

    run(test())


def test_reading_begins_behind_the_bad_record_of_a_batch(
    broker: Cluster, topic: str, group: str
) -> None:
    async def test() -> None:
        servers, partition = broker.bootstrap_servers, Partition(topic, 0)
        await write(servers, topic, batch(values(0, 9), [2], "zstd"))
        broker.commit(group, topic, {0: 5})
        async with started(kafka_source(servers, [topic], group)) as reader:
            await reader.until_position(partition, 9)
            assert reader.offsets(partition) == [5, 6, 7, 8]
            assert reader.unreadable[partition] == []

    run(test())


@pytest.mark.parametrize("is_committed", [False, True])
def test_what_was_read_of_other_partitions_is_not_lost(
    broker: Cluster, group: str, *, is_committed: bool
) -> None:
    async def test() -> None:
        servers = broker.bootstrap_servers
        topic = broker.create_topic(partitions=6)
        for number in range(6):
            broker.produce(topic, [Message(one, partition=number) for one in values(0, 300)])
            if number % 2:
                await write(servers, topic, batch(values(300, 5), [2]), partition=number)
        if is_committed:
            broker.commit(group, topic, dict.fromkeys(range(6), 100))
        async with started(kafka_source(servers, [topic], group, poll_records=5000)) as reader:
            for number in range(6):
                await reader.until_position(Partition(topic, number), 305 if number % 2 else 300)
            for number in range(6):
                partition = Partition(topic, number)
                bad, end = ([302], 305) if number % 2 else ([], 300)
                assert reader.unreadable[partition] == bad
                assert reader.offsets(partition) == without(bad, end)[100 if is_committed else 0 :]

    run(test())


@pytest.mark.parametrize("isolation", ["read_committed", "read_uncommitted"])
def test_transactions_around_and_in_the_batch(
    broker: Cluster, topic: str, group: str, isolation: str
) -> None:
    async def test() -> None:
        servers, partition = broker.bootstrap_servers, Partition(topic, 0)

        async def end_is(offset: int) -> None:
            await eventually(lambda: broker.end_offsets(topic)[0] == offset, "the marker")

        first = batch(values(0, 3), [1], is_transactional=True)
        await write(servers, topic, first, transaction="abort")
        await end_is(4)  # with the marker
        await write(servers, topic, batch(values(4, 3), [0]))
        second = batch(values(7, 3), [2], "lz4", is_transactional=True)
        await write(servers, topic, second, transaction="commit")
        await end_is(11)
        await write(servers, topic, batch(values(11, 1), []))
        source = kafka_source(servers, [topic], group, isolation_level=isolation)
        async with started(source) as reader:
            await reader.until_position(partition, 12)
            aborted = isolation == "read_committed"
            assert reader.unreadable[partition] == ([4, 9] if aborted else [1, 4, 9])
            assert reader.offsets(partition) == [*([] if aborted else [0, 2]), 5, 6, 7, 8, 11]

    run(test())


def test_a_compacted_gap_before_it(broker: Cluster, group: str) -> None:
    topic = broker.create_compacted_topic()
    broker.produce(topic, [Message(b"%d" % number, key=b"same") for number in range(20)])
    kept = broker.compact(topic)

    async def test() -> None:
        servers, partition = broker.bootstrap_servers, Partition(topic, 0)
        start = broker.end_offsets(topic)[0]
        await write(servers, topic, batch([b"a", b"b", b"c"], [1], "lz4"))
        async with started(kafka_source(servers, [topic], group)) as reader:
            await reader.until_position(partition, start + 3)
            assert reader.unreadable[partition] == [start + 1]
            *before, first, last = reader.offsets(partition)
            assert (first, last) == (start, start + 2)
            assert before
            assert set(before) <= set(kept)  # it is compacted further meanwhile

    run(test())
