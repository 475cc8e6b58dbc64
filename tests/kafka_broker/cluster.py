"""What a test asks of any Kafka: topics, records, offsets, groups. Blocking calls, each bounded.

Speaks through librdkafka, which shares no code with the client under test. Client objects are made for each
use: one that outlives its broker would reconnect only after a back-off. (A client must outlive its futures.)
"""

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar
from uuid import uuid4

from confluent_kafka import (
    Consumer,
    ConsumerGroupState,
    KafkaError,
    KafkaException,
    Producer,
    TopicPartition,
)
from confluent_kafka import Message as _Delivered
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewPartitions, NewTopic

Answer = TypeVar("Answer")

_UNCOORDINATED = (
    KafkaError.NOT_COORDINATOR,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
)
PATIENCE = 30.0  # seconds: far over what a healthy broker needs, under a test's own limit


class Message(NamedTuple):
    """A record to write, or one that was read (then with its offset)."""

    value: bytes | None
    key: bytes | None = None
    headers: Sequence[tuple[str, bytes]] = ()
    partition: int = 0
    timestamp_ms: int = 0  # 0: now
    offset: int = -1


class Cluster:
    """A Kafka that is there, whoever runs it. Made from its bootstrap servers, without a connection."""

    def __init__(self, bootstrap_servers: str) -> None:
        self.bootstrap_servers = bootstrap_servers

    # --- topics

    def create_topic(
        self,
        name: str | None = None,
        *,
        partitions: int = 1,
        config: Mapping[str, str] | None = None,
    ) -> str:
        """Make a topic, with a name of its own unless one is given, and return its name once it can be used."""
        name = name or f"topic-{uuid4().hex[:12]}"
        topic = NewTopic(name, partitions, 1, config=dict(config or {}))
        admin = self._admin()
        for future in admin.create_topics([topic]).values():
            future.result(PATIENCE)
        self._await_partitions(name, partitions)
        return name

    def add_partitions(self, topic: str, total: int) -> None:
        admin = self._admin()
        for future in admin.create_partitions([NewPartitions(topic, total)]).values():
            future.result(PATIENCE)
        self._await_partitions(topic, total)

    def delete_topic(self, topic: str) -> None:
        admin = self._admin()
        for future in admin.delete_topics([topic]).values():
            future.result(PATIENCE)

    def partitions(self, topic: str) -> list[int]:
        """Return the partitions that have a leader; none for a topic that is not there."""
        metadata = self._admin().list_topics(topic, timeout=PATIENCE).topics[topic]
        return sorted(p.id for p in metadata.partitions.values() if p.leader >= 0)

    # --- records

    def produce(self, topic: str, messages: Iterable[Message | bytes], **settings: object) -> None:
        """Write these in order, acknowledged. Settings are librdkafka's, with _ for dots: compression_type="lz4"."""
        producer = self._producer(settings)
        _write(producer, topic, messages)

    @contextlib.contextmanager
    def transaction(self, topic: str, messages: Iterable[Message | bytes]) -> Iterator[Producer]:
        """Write these in an open transaction; the block commits or aborts it through the producer."""
        producer = self._producer({"transactional_id": f"tests-{uuid4().hex}"})
        producer.init_transactions(PATIENCE)
        producer.begin_transaction()
        _write(producer, topic, messages)
        yield producer

    def read(self, topic: str, count: int) -> list[Message]:
        """Return the first `count` committed records of a topic, partition by partition; fails when they do not come."""
        consumer = self._consumer(f"reader-{uuid4().hex}")
        try:
            consumer.assign([TopicPartition(topic, p, 0) for p in self.partitions(topic)])
            found: list[Message] = []
            deadline = time.monotonic() + PATIENCE
            while len(found) < count:
                assert time.monotonic() < deadline, f"{len(found)} of {count} records in {topic}"
                message = consumer.poll(0.5)
                if message is not None:
                    found.append(_as_message(message))
        finally:
            consumer.close()
        return sorted(found, key=lambda message: (message.partition, message.offset))

    def delete_records(self, topic: str, before: int, partition: int = 0) -> None:
        """Move the beginning of a partition, as retention does."""
        target = TopicPartition(topic, partition, before)
        admin = self._admin()
        for future in admin.delete_records([target]).values():
            future.result(PATIENCE)

    def create_compacted_topic(self) -> str:
        """Make a topic that the broker compacts as soon as it can: see `compact`."""
        config = {
            "cleanup.policy": "compact",
            "segment.ms": "100",
            "min.cleanable.dirty.ratio": "0.01",
            "delete.retention.ms": "0",
        }
        return self.create_topic(config=config)

    def compact(self, topic: str) -> list[int]:
        """Wait until only the newest record of each key is left; return the offsets that are.

        Writes a record of its own now and then: only a segment that is not the newest is compacted.
        """
        found: list[int] = []

        def is_compacted() -> bool:
            self.produce(topic, [Message(b"roll", key=b"roll")])
            nonlocal found
            found = self._present(topic)
            return len(found) < self.end_offsets(topic)[0] // 2

        eventually(is_compacted, f"{topic} is compacted")
        return found

    # --- offsets and groups

    def end_offsets(self, topic: str) -> dict[int, int]:
        """Return the offset after the last record, by partition; control records count."""
        return {partition: high for partition, (_, high) in self._watermarks(topic).items()}

    def beginning_offsets(self, topic: str) -> dict[int, int]:
        return {partition: low for partition, (low, _) in self._watermarks(topic).items()}

    def commit(self, group: str, topic: str, offsets: Mapping[int, int]) -> None:
        """Set the group's committed offsets; the group has to be empty."""
        consumer = self._consumer(group)
        try:
            wanted = [TopicPartition(topic, p, offset) for p, offset in offsets.items()]
            consumer.commit(offsets=wanted, asynchronous=False)
        finally:
            consumer.close()

    def committed(self, group: str, topic: str) -> dict[int, int]:
        """Return partition -> committed offset, where there is one."""
        consumer = self._consumer(group)
        try:
            wanted = [TopicPartition(topic, p) for p in self.partitions(topic)]
            answers = _once_coordinated(lambda: consumer.committed(wanted, timeout=PATIENCE))
        finally:
            consumer.close()
        return {answer.partition: answer.offset for answer in answers if answer.offset >= 0}

    def groups(self) -> set[str]:
        """Return the names of all consumer groups, but for those that this class reads with."""
        admin = self._admin()  # a client must outlive its futures: they never end without it
        listed = admin.list_consumer_groups().result(PATIENCE)
        return {one.group_id for one in listed.valid if not one.group_id.startswith("reader-")}

    def members(self, group: str) -> int:
        """Return how many members the group has; 0 for one that is not there."""
        admin = self._admin()
        described = admin.describe_consumer_groups([group])[group]
        with contextlib.suppress(KafkaException):  # a group that is not there
            return len(described.result(PATIENCE).members)
        return 0

    def is_stable(self, group: str) -> bool:
        admin = self._admin()
        described = admin.describe_consumer_groups([group])[group]
        with contextlib.suppress(KafkaException):
            return bool(described.result(PATIENCE).state == ConsumerGroupState.STABLE)
        return False

    # --- the clients

    def _settings(self, more: Mapping[str, object]) -> dict[str, Any]:
        named = {key.replace("_", "."): value for key, value in more.items()}
        return {"bootstrap.servers": self.bootstrap_servers, "log_level": 0, **named}

    def _admin(self) -> AdminClient:
        return AdminClient(self._settings({}))

    def _producer(self, settings: Mapping[str, object]) -> Producer:
        return Producer(self._settings({"linger_ms": 5, "acks": "all", **settings}))

    def _consumer(self, group: str, **settings: object) -> Consumer:
        named = {"group_id": group, "enable_auto_commit": False, **settings}
        return Consumer(self._settings(named))

    def _watermarks(self, topic: str) -> dict[int, tuple[int, int]]:
        consumer = self._consumer(f"reader-{uuid4().hex}", isolation_level="read_uncommitted")
        marks = {}
        try:
            for partition in self.partitions(topic):
                found = consumer.get_watermark_offsets(TopicPartition(topic, partition), PATIENCE)
                assert found is not None, f"{topic}:{partition} gave no offsets"
                marks[partition] = found
        finally:
            consumer.close()
        return marks

    def _present(self, topic: str) -> list[int]:
        """The offsets of all records of a topic with one partition."""
        end = self.end_offsets(topic)[0]
        consumer = self._consumer(f"reader-{uuid4().hex}")
        try:
            consumer.assign([TopicPartition(topic, 0, 0)])
            found: list[int] = []
            while not found or found[-1] < end - 1:
                message = consumer.poll(PATIENCE)
                assert message is not None, f"{topic} cannot be read to its end"
                found.append(_as_message(message).offset)
        finally:
            consumer.close()
        return found

    def _await_partitions(self, topic: str, total: int) -> None:
        eventually(lambda: len(self.partitions(topic)) == total, f"{topic} has leaders")


def eventually(holds: Callable[[], bool], what: str, patience: float = PATIENCE) -> None:
    """Wait, blocking, until `holds()`; fail with the sentence when it does not."""
    deadline = time.monotonic() + patience
    while not holds():
        assert time.monotonic() < deadline, f"not within {patience:.0f} s: {what}"
        time.sleep(0.05)


def _once_coordinated(ask: Callable[[], Answer]) -> Answer:
    """Ask until the group has a coordinator: on a new broker the topic that it needs is made at the first question."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return ask()
        except KafkaException as error:
            if error.args[0].code() not in _UNCOORDINATED or time.monotonic() > deadline:
                raise
        time.sleep(0.1)


def _write(producer: Producer, topic: str, messages: Iterable[Message | bytes]) -> None:
    failures: list[str] = []

    def delivered(error: object, _: _Delivered) -> None:
        if error is not None:
            failures.append(str(error))

    for each in messages:
        message = Message(each) if isinstance(each, bytes) else each
        producer.produce(
            topic,
            value=message.value,
            key=message.key,
            partition=message.partition,
            timestamp=message.timestamp_ms,
            headers=list(message.headers),
            on_delivery=delivered,
        )
        producer.poll(0)
    left = producer.flush(PATIENCE)
    assert left == 0, f"{left} records were not acknowledged"
    assert not failures, failures[0]


def _as_message(delivered: _Delivered) -> Message:
    error = delivered.error()
    assert error is None, error
    return Message(
        value=delivered.value(),
        key=delivered.key(),
        headers=_headers(delivered.headers()),
        partition=delivered.partition() or 0,
        timestamp_ms=delivered.timestamp()[1],
        offset=delivered.offset() or 0,
    )


def _headers(delivered: Any) -> list[tuple[str, bytes]]:
    return [(name, value or b"") for name, value in delivered or ()]
