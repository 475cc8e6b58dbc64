"""The Kafkas that the contracts hold for: the fake, librdkafka's mock cluster, and a real broker."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, Self
from uuid import uuid4

from connector.kafka.dead_letters import KafkaDeadLetters
from connector.kafka.security import Security
from connector.sandbox.embedded_kafka import EmbeddedKafka
from connector.sandbox.embedded_kafka import Entry as EmbeddedEntry
from tests.fakes.kafka import Entry, FakeDeadLetters, FakeKafka, FakeSource
from tests.kafka.member import AnySource, kafka_source
from tests.kafka_broker import Cluster, Message

PARTITIONS = 4
"""Of every topic: the mock cluster has no choice."""

Written = tuple[bytes | None, bytes | None, Sequence[tuple[str, bytes]]]
"""A letter as the topic has it: key, value, headers."""


class World(Protocol):
    """A Kafka of one kind; used as a context."""

    async def __aenter__(self) -> Self: ...
    async def __aexit__(self, *_: object) -> None: ...
    async def topic(self) -> str: ...
    async def produce(self, topic: str, entries: Sequence[Entry]) -> None: ...
    async def committed(self, group: str, topic: str) -> Mapping[int, int]:
        """Partition -> offset, where it is above 0."""

    def source(self, topic: str, group: str, **config: Any) -> AnySource: ...
    async def dead_letters(self) -> KafkaDeadLetters | FakeDeadLetters: ...
    async def letters(self, count: int) -> list[Written]: ...


class FakeWorld:
    async def __aenter__(self) -> Self:
        self._kafka = FakeKafka()
        return self

    async def __aexit__(self, *_: object) -> None:
        return

    async def topic(self) -> str:
        return self._kafka.create_topic(f"topic-{uuid4().hex}", PARTITIONS)

    async def produce(self, topic: str, entries: Sequence[Entry]) -> None:
        self._kafka.produce(topic, entries)

    async def committed(self, group: str, topic: str) -> Mapping[int, int]:
        found = self._kafka.committed[group]
        return {one.partition: at for one, at in found.items() if one.topic == topic and at}

    def source(self, topic: str, group: str, **config: Any) -> AnySource:
        return FakeSource(self._kafka, group, [topic], **config)

    async def dead_letters(self) -> KafkaDeadLetters | FakeDeadLetters:
        self._dead_letters = FakeDeadLetters()
        return self._dead_letters

    async def letters(self, count: int) -> list[Written]:
        return [(one.key, one.value, one.headers) for one in self._dead_letters.letters]


class EmbeddedWorld:
    async def __aenter__(self) -> Self:
        self._kafka = EmbeddedKafka()
        await self._kafka.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._kafka.stop()

    async def topic(self) -> str:
        name = f"topic-{uuid4().hex}"
        assert await self._kafka.create_topic(name) == PARTITIONS
        return name

    async def produce(self, topic: str, entries: Sequence[Entry]) -> None:
        await self._kafka.produce(topic, [EmbeddedEntry(*entry) for entry in entries])

    async def committed(self, group: str, topic: str) -> Mapping[int, int]:
        found = await self._kafka.committed(group, topic)
        return {number: at for number, at in enumerate(found) if at}

    def source(self, topic: str, group: str, **config: Any) -> AnySource:
        return kafka_source(self._kafka.bootstrap_servers, [topic], group, **config)

    async def dead_letters(self) -> KafkaDeadLetters | FakeDeadLetters:
        self._letters = await self.topic()
        return KafkaDeadLetters([self._kafka.bootstrap_servers], self._letters, Security())

    async def letters(self, count: int) -> list[Written]:
        reader = self._kafka.reader(self._letters)
        found: list[Written] = []
        while len(found) < count:
            found += [(one.key, one.value, one.headers) for one in await reader.read()]
        return found


class RealWorld:
    def __init__(self, broker: Cluster) -> None:
        self._broker = broker

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        return

    async def topic(self) -> str:
        return await asyncio.to_thread(self._broker.create_topic, partitions=PARTITIONS)

    async def produce(self, topic: str, entries: Sequence[Entry]) -> None:
        messages = [Message(value, key, partition=number) for number, key, value in entries]
        await asyncio.to_thread(self._broker.produce, topic, messages)

    async def committed(self, group: str, topic: str) -> Mapping[int, int]:
        found = await asyncio.to_thread(self._broker.committed, group, topic)
        return {number: at for number, at in found.items() if at}

    def source(self, topic: str, group: str, **config: Any) -> AnySource:
        return kafka_source(self._broker.bootstrap_servers, [topic], group, **config)

    async def dead_letters(self) -> KafkaDeadLetters | FakeDeadLetters:
        self._letters = await self.topic()
        return KafkaDeadLetters([self._broker.bootstrap_servers], self._letters, Security())

    async def letters(self, count: int) -> list[Written]:
        found = await asyncio.to_thread(self._broker.read, self._letters, count)
        return [(one.key, one.value, one.headers) for one in found]
