"""Writes generated events to a topic of a real Kafka, at an even rate, until the task that does so is cancelled.

Owns the pace and the writing. The topic must be there: it is not made, and its number of partitions is asked for.
Knows nothing of who reads it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Final

import confluent_kafka

from connector.errors import ConnectorError
from connector.sandbox.generator import Event, Traffic, generate

_PATIENCE_SECONDS: Final = 60.0
_ASK_SECONDS: Final = 1.0  # a question cannot be broken off: short ones, so that a stop is quick
_FLUSH_SECONDS: Final = 10.0
_TICK_SECONDS: Final = 0.05
_PROGRESS_SECONDS: Final = 30.0
_NO_LOG: Final = 2  # syslog "critical": what fails is said once, by us


@dataclass(frozen=True)
class Options:
    """What the user may choose.

    Attributes:
        rate: events a second.
        traffic: what to write; the partitions are the topic's, whatever stands here.
    """

    bootstrap_servers: str
    topic: str
    rate: float
    traffic: Traffic


async def run(options: Options, announce: Callable[[str], None] = print) -> None:
    """Write all events of the traffic, or as many as there is time for before a cancellation.

    Whatever ends it, what was handed over is still delivered to the brokers, if these are there.

    Raises:
        ConnectorError: the topic is not there, or Kafka does not take its records.
    """
    writer = TopicWriter(options.bootstrap_servers, options.topic)
    partitions = await writer.open()
    traffic = replace(options.traffic, partitions=partitions)
    announce(
        f"Writing {options.rate:g} events a second to {options.topic} ({partitions} partitions)."
    )
    reporting = asyncio.create_task(_report(writer, announce))
    try:
        await paced(generate(traffic), options.rate, writer.write)
    finally:
        reporting.cancel()
        left = await writer.close()
        announce(f"{writer.acknowledged:,} events written.")
    if left:
        raise ConnectorError(f"Kafka did not take the last {left:,} events")


async def paced(
    events: Iterable[Event], rate: float, write: Callable[[list[Event]], Awaitable[None]]
) -> None:
    """Hand over the events in blocks, so many a second from the first moment on; a wait is caught up with."""
    remaining = iter(events)
    clock = asyncio.get_running_loop().time
    begun, written = clock(), 0
    while True:
        due = int((clock() - begun) * rate) + 1 - written
        block = list(islice(remaining, due))
        await write(block)
        written += len(block)
        if len(block) < due:
            return
        await asyncio.sleep(_TICK_SECONDS)


class TopicWriter:
    """Writes to one topic.

    Attributes:
        acknowledged: how many records the brokers have confirmed.
    """

    def __init__(self, bootstrap_servers: str, topic: str) -> None:
        self.acknowledged = 0
        self._bootstrap_servers = bootstrap_servers
        self._topic = topic
        self._refusal: str | None = None
        self._producer: Any = None

    async def open(self) -> int:
        """Wait for the topic and return how many partitions it has.

        Raises:
            ConnectorError: it is not there within a minute.
        """
        self._producer = confluent_kafka.Producer(
            {
                "bootstrap.servers": self._bootstrap_servers,
                "enable.idempotence": True,
                "linger.ms": 5,
                "log_level": _NO_LOG,
            }
        )
        clock = asyncio.get_running_loop().time
        deadline = clock() + _PATIENCE_SECONDS
        while True:
            partitions, problem = await asyncio.to_thread(self._ask)
            if partitions:
                return partitions
            if clock() > deadline:
                raise ConnectorError(f"{problem} (waited {_PATIENCE_SECONDS:.0f} s)")
            await asyncio.sleep(_ASK_SECONDS)

    async def write(self, events: Iterable[Event]) -> None:
        """Hand over, waiting where the brokers are behind.

        Raises:
            ConnectorError: they refused a record; they were asked for minutes.
        """
        for event in events:
            await self._hand_over(event)
        self._producer.poll(0)
        if self._refusal is not None:
            raise ConnectorError(f"Kafka does not take records: {self._refusal}")

    async def close(self) -> int:
        """Deliver what was handed over; how many records nobody took within ten seconds."""
        return int(await asyncio.to_thread(self._producer.flush, _FLUSH_SECONDS))

    def _ask(self) -> tuple[int, str]:
        """The topic's partitions, or 0 and what is wrong."""
        try:  # for all topics: to ask for one by its name makes it, on brokers that allow that
            topics = self._producer.list_topics(timeout=_ASK_SECONDS).topics
        except confluent_kafka.KafkaException:
            return 0, f"no answer from Kafka at {self._bootstrap_servers}"
        if self._topic not in topics:
            return 0, f"there is no topic {self._topic}: make it first"
        return len(topics[self._topic].partitions), ""

    async def _hand_over(self, event: Event) -> None:
        partition, key, value = event
        while True:
            try:
                self._producer.produce(
                    self._topic, value, key, partition=partition, on_delivery=self._note
                )
            except BufferError:  # the client's queue is full: let it write
                self._producer.poll(0)
                await asyncio.sleep(_TICK_SECONDS)
            else:
                return

    def _note(self, error: Any, _: Any) -> None:
        if error is None:
            self.acknowledged += 1
        else:
            self._refusal = error.str()


async def _report(writer: TopicWriter, announce: Callable[[str], None]) -> None:
    while True:
        await asyncio.sleep(_PROGRESS_SECONDS)
        announce(f"{writer.acknowledged:,} events written.")
