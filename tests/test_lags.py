"""How far partitions are behind: as the client knows it, and of paused ones as Kafka is asked, on virtual time."""

import asyncio
from collections.abc import Collection, Mapping

from connector.core.model import Partition
from connector.errors import KafkaUnavailable
from connector.lags import Lags
from tests import virtual_time
from tests.fakes.kafka import FakeKafka, FakeSource

P0, P1 = Partition("topic", 0), Partition("topic", 1)


class Client:
    """As the real one: of what is not fetched it knows the lag of the last fetch."""

    def __init__(self) -> None:
        self.ends = {P0: 100, P1: 50}
        self.fetched: dict[Partition, int | None] = {P0: 10, P1: None}
        self.asked: list[list[Partition]] = []
        self.is_away = False

    def lag(self, partition: Partition) -> int | None:
        return self.fetched[partition]

    async def end_offsets(self, partitions: Collection[Partition]) -> Mapping[Partition, int]:
        self.asked.append(list(partitions))
        await asyncio.sleep(0.01)
        if self.is_away:
            raise KafkaUnavailable("the broker does not tell where the topics end")
        return {one: self.ends[one] for one in partitions}


class Scene:
    def __init__(self) -> None:
        self.client = Client()
        self.paused: set[Partition] = set()
        self.positions: dict[Partition, int | None] = {P0: 90, P1: None}
        self.lags = Lags(self.client, lambda: self.paused, lambda one: self.positions[one])

    def seen(self) -> tuple[int | None, int | None]:
        return self.lags.lag(P0), self.lags.lag(P1)


def test_what_is_read_is_as_far_behind_as_the_client_says_and_nobody_is_asked() -> None:
    async def test() -> None:
        scene = Scene()
        running = asyncio.create_task(scene.lags.run())
        await asyncio.sleep(60.0)
        running.cancel()
        assert scene.seen() == (10, None)
        assert scene.client.asked == []

    virtual_time.run(test())


def test_what_is_paused_falls_behind_as_records_come() -> None:
    async def test() -> None:
        scene = Scene()
        running = asyncio.create_task(scene.lags.run())
        scene.paused = {P0}
        scene.client.ends[P0] = 500
        await asyncio.sleep(6.0)
        assert scene.seen() == (410, None)
        scene.client.ends[P0] = 900
        await asyncio.sleep(6.0)
        assert scene.seen() == (810, None)
        scene.client.is_away = True
        await asyncio.sleep(60.0)
        assert scene.seen() == (810, None)  # the last that was known

        scene.paused = set()  # it is read again
        scene.client.fetched[P0] = 700
        assert scene.seen() == (700, None)
        await asyncio.sleep(6.0)
        scene.paused = {P0, P1}
        assert scene.seen() == (700, None)  # an end of an earlier pause is none of this one
        running.cancel()
        assert {tuple(one) for one in scene.client.asked} == {(P0,)}

    virtual_time.run(test())


def test_what_has_no_position_yet_is_not_known_to_be_behind() -> None:
    async def test() -> None:
        scene = Scene()
        scene.paused = {P1}
        running = asyncio.create_task(scene.lags.run())
        await asyncio.sleep(6.0)
        assert scene.seen() == (10, None)
        scene.positions[P1] = 20
        assert scene.seen() == (10, 30)
        scene.positions[P1] = 60  # a position past the end that was told
        assert scene.seen() == (10, 0)
        running.cancel()

    virtual_time.run(test())


def test_a_source_is_enough_to_ask() -> None:
    async def test() -> None:
        kafka = FakeKafka()
        kafka.create_topic("topic", 2)
        Lags(FakeSource(kafka, "group", ["topic"]), list, lambda _: None)

    virtual_time.run(test())
