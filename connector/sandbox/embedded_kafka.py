"""A Kafka broker inside this process: librdkafka's in-process mock cluster, made usable from asyncio.

Owns the broker's life, the feeding of a topic and the reading back of what was written and committed.
Knows nothing of what the records mean.

The cluster lives and dies with the client that declares it (`test.mock.num.brokers`). What it is not,
each fact tried on librdkafka 2.16:
  * A topic is made when it is first asked for, always with four partitions; CreateTopics is not answered.
  * A partition keeps about 5 MB. Older records vanish without a word to a consumer that was to read them:
    whoever feeds must stay close ahead of who reads.
  * A consumer group has one member; a second one gets errors for ever. Asking for a group's offsets
    does not join it.
  * A producer's own timestamps are not kept, and transactions cannot be read back.
"""

import asyncio
import functools
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, NamedTuple, TypeVar

confluent_kafka: Any
try:
    import confluent_kafka
except ImportError:  # the optional extra; start() says so
    confluent_kafka = None

PARTITIONS: Final = 4
RETAINED_BYTES: Final = 5_000_000

_TIMEOUT: Final = 10.0
_STEP: Final = 0.05
_NO_LOG: Final = 2  # syslog "critical": clients would report the end of the cluster as a failure
_POLL_EVERY: Final = 500

Result = TypeVar("Result")


class EmbeddedKafkaError(Exception):
    """The embedded broker cannot do it. The text says what, and what to do."""


class Entry(NamedTuple):
    """A record to be written, to a partition of the writer's choice."""

    partition: int
    key: bytes | None
    value: bytes | None


class Stored(NamedTuple):
    """A record as the broker has it."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


class EmbeddedKafka:
    """One broker on a free port of the loopback interface.

    Attributes:
        bootstrap_servers: where it listens, once started.
    """

    def __init__(self) -> None:
        self.bootstrap_servers = ""
        self._producer: Any = None
        self._thread = _LibraryThread()
        self._readers: list[TopicReader] = []

    async def start(self) -> None:
        """Listen.

        Raises:
            EmbeddedKafkaError: the optional dependency is not installed, or the broker does not come up.
        """
        if confluent_kafka is None:
            raise EmbeddedKafkaError(
                "the embedded broker needs confluent-kafka: "
                "pip install 'tiktok-audience-connector[sandbox]'"
            )
        self._producer = confluent_kafka.Producer(
            {
                "bootstrap.servers": "replaced-by-the-cluster:1",
                "test.mock.num.brokers": 1,
                "enable.idempotence": True,  # no record stands twice: offsets can be counted on
                "linger.ms": 5,
                "log_level": _NO_LOG,
            }
        )
        found = await self._thread.call(self._producer.list_topics, timeout=_TIMEOUT)
        self.bootstrap_servers = ",".join(
            f"{broker.host}:{broker.port}" for broker in found.brokers.values()
        )

    async def stop(self) -> None:
        """End it and all that it holds. Stopping twice, or before the start, is fine."""
        for reader in self._readers:
            await reader.close()
        self._readers.clear()
        producer, self._producer = self._producer, None
        if producer is not None:
            await self._thread.call(producer.purge)
            await self._thread.call(producer.close)
        self._thread.end()

    async def create_topic(self, name: str) -> int:
        """Make a topic if there is none, and return how many partitions it has."""
        found = await self._thread.call(self._producer.list_topics, name, timeout=_TIMEOUT)
        topic = found.topics[name]
        if topic.error is not None:
            raise EmbeddedKafkaError(f"the topic {name} cannot be made: {topic.error.str()}")
        return len(topic.partitions)

    async def produce(self, topic: str, entries: Iterable[Entry]) -> list[int]:
        """Write the entries in their order and return the offset of each, as the broker acknowledged it.

        Raises:
            EmbeddedKafkaError: not all were acknowledged.
        """
        return await self._thread.call(self._produce, topic, list(entries))

    async def committed(self, group: str, topic: str) -> list[int]:
        """Return the group's committed offset of each partition; 0 where it has committed nothing."""
        return await self._thread.call(self._committed, group, topic)

    def reader(self, topic: str) -> "TopicReader":
        """Return a new reader of the whole topic, from its beginning. The broker's end is its end."""
        reader = TopicReader(self.bootstrap_servers, topic, self._thread)
        self._readers.append(reader)
        return reader

    def _produce(self, topic: str, entries: list[Entry]) -> list[int]:
        offsets = [-1] * len(entries)
        failures: list[str] = []

        def acknowledged(number: int) -> Callable[[Any, Any], None]:
            def note(error: Any, message: Any) -> None:
                if error is None:
                    offsets[number] = message.offset()
                else:
                    failures.append(error.str())

            return note

        for number, entry in enumerate(entries):
            note = acknowledged(number)
            self._enqueue(topic, entry, note)
            if number % _POLL_EVERY == 0:
                self._producer.poll(0)
        self._producer.flush(_TIMEOUT)
        if failures or -1 in offsets:
            cause = failures[0] if failures else "no acknowledgement came"
            missing = sum(offset < 0 for offset in offsets)
            raise EmbeddedKafkaError(f"{missing} of {len(entries)} records not written: {cause}")
        return offsets

    def _enqueue(self, topic: str, entry: Entry, note: Callable[[Any, Any], None]) -> None:
        while True:
            try:
                self._producer.produce(
                    topic, entry.value, entry.key, partition=entry.partition, on_delivery=note
                )
            except BufferError:  # the client's queue is full: let it write
                self._producer.poll(0.1)
            else:
                return

    def _committed(self, group: str, topic: str) -> list[int]:
        # A client of its own each time costs a millisecond, and none is left over. It joins nothing.
        asking = confluent_kafka.Consumer(
            {"bootstrap.servers": self.bootstrap_servers, "group.id": group, "log_level": _NO_LOG}
        )
        try:
            wanted = [confluent_kafka.TopicPartition(topic, number) for number in range(PARTITIONS)]
            answered = asking.committed(wanted, timeout=_TIMEOUT)
        finally:
            asking.close()
        return [max(0, one.offset) for one in answered]


class TopicReader:
    """Reads a topic from its beginning, in as many steps as wanted; joins no group."""

    def __init__(self, bootstrap_servers: str, topic: str, thread: "_LibraryThread") -> None:
        self._consumer: Any = confluent_kafka.Consumer(
            {
                "bootstrap.servers": bootstrap_servers,
                "group.id": "sandbox-reader",  # the client wants a name; it is not used
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "fetch.wait.max.ms": 20,  # what else is asked waits behind a fetch
                "log_level": _NO_LOG,
            }
        )
        self._thread = thread
        self._topic = topic
        self._next = [0] * PARTITIONS
        self._consumer.assign(
            [confluent_kafka.TopicPartition(topic, number, 0) for number in range(PARTITIONS)]
        )

    async def read(self) -> list[Stored]:
        """Return what was written since the last call, all of it.

        Raises:
            EmbeddedKafkaError: it does not answer.
        """
        return await self._thread.call(self._read)

    async def close(self) -> None:
        """End it; twice is fine."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await self._thread.call(consumer.close)

    def _read(self) -> list[Stored]:
        ends = [self._end(number) for number in range(PARTITIONS)]
        found: list[Stored] = []
        silent = 0
        while any(start < end for start, end in zip(self._next, ends, strict=True)):
            messages = self._consumer.consume(1000, timeout=_STEP)
            silent = 0 if messages else silent + 1
            if silent * _STEP > _TIMEOUT:
                raise EmbeddedKafkaError(f"{self._topic} cannot be read to its end")
            found += [self._stored(message) for message in messages if message.error() is None]
        return found

    def _stored(self, message: Any) -> Stored:
        self._next[message.partition()] = message.offset() + 1
        headers = message.headers() or []
        return Stored(
            message.partition(), message.offset(), message.key(), message.value(), headers
        )

    def _end(self, number: int) -> int:
        partition = confluent_kafka.TopicPartition(self._topic, number)
        low_and_high = self._consumer.get_watermark_offsets(partition, timeout=_TIMEOUT)
        return int(low_and_high[1])


class _LibraryThread:
    """The one thread in which the library is called.

    A call that was cancelled runs on: nothing may be closed under it. In one thread the closing waits its turn.
    """

    def __init__(self) -> None:
        self._executor: ThreadPoolExecutor | None = None

    async def call(self, function: Callable[..., Result], *arguments: Any, **named: Any) -> Result:
        """Return what the function returns, the library's errors mapped to ours."""
        if self._executor is None:
            self._executor = ThreadPoolExecutor(1, thread_name_prefix="embedded-kafka")
        loop = asyncio.get_running_loop()
        work = functools.partial(function, *arguments, **named)
        try:
            return await loop.run_in_executor(self._executor, work)
        except confluent_kafka.KafkaException as error:
            text = error.args[0].str() if error.args else "unknown"
            raise EmbeddedKafkaError(f"the embedded broker failed: {text}") from error

    def end(self) -> None:
        """Let the thread go. A later call begins a new one."""
        executor, self._executor = self._executor, None
        if executor is not None:
            executor.shutdown(wait=False)
