"""The source: records of the subscribed topics, and commits, over one member of a consumer group.

Owns the consumer: its settings, its membership, its commits. How it is read is connector.kafka.reading, what a
rebalance sets off connector.kafka.rebalance. Knows nothing of what records say.
The facts in comments were tried with aiokafka 0.14 on Apache Kafka 4.3.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.errors import (
    IllegalStateError,
    KafkaError,
)

from connector.core.model import Chunk, Partition
from connector.core.turns import Part, part_of
from connector.errors import KafkaUnavailable
from connector.kafka import internals
from connector.kafka.bounded import stop_within
from connector.kafka.inspection import inspect
from connector.kafka.reachable import wait_for_topics
from connector.kafka.reading import Reader
from connector.kafka.rebalance import Assignment, Listener
from connector.kafka.security import Security

_POLL_RECORDS = 500
_FETCH_BYTES = 65_536
_FETCH_MS = 50
"""A fetch waits so long for so many bytes. One for each record that trickles in takes ten times the CPU."""

_QUERY_SECONDS = 15.0
_JOIN_GRACE_SECONDS = 30.0
_ANSWER_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class SourceConfig:
    """What a source needs to know.

    Attributes:
        drain_seconds: how long `revoked` may take; the group waits so long, and some more.
        metadata_seconds: after so long at most, partitions that were added are noticed.
        commit_seconds: how long one commit may take.
        read_whole: those of the topics that begin at the beginning, whatever `auto_offset_reset` says.
    """

    bootstrap_servers: Sequence[str]
    group_id: str
    topics: Sequence[str]
    auto_offset_reset: str = "earliest"
    isolation_level: str = "read_committed"
    session_timeout_seconds: float = 10.0
    drain_seconds: float = 20.0
    poll_records: int = _POLL_RECORDS
    metadata_seconds: float = 60.0
    commit_seconds: float = 5.0
    read_whole: Sequence[str] = ()


class KafkaSource:
    """One member of the group: `start`, `poll`, `commit`, `pause`, `resume`, `stop`."""

    def __init__(self, config: SourceConfig, security: Security) -> None:
        self._config = config
        self._security = security
        self._consumer: Any = None
        self._listener: Listener | None = None
        self._committing = asyncio.Lock()

    async def start(
        self,
        assignment: Assignment,
        timeout: float,
        on_retry: Callable[[str], None],
        *,
        requires: Sequence[str] = (),
        on_out_of_range: Callable[[Partition], None] = lambda _: None,
    ) -> None:
        """Wait for the brokers and the topics, then join the group.

        Args:
            timeout: seconds to wait for brokers and topics.
            on_retry: told in a sentence what is being waited for.
            requires: further topics that must exist.
            on_out_of_range: told of a partition whose committed offset does not exist any more.

        Raises:
            KafkaUnavailable: they were not there in time, or the group refuses us.
        """
        config = self._config
        counts = await wait_for_topics(
            config.bootstrap_servers,
            self._security,
            (*config.topics, *requires),
            timeout,
            on_retry,
        )
        self._consumer = self._make_consumer()
        self._listener = listener = Listener(assignment, self.part)
        late = [topic for topic in config.topics if topic not in config.read_whole]
        known = [TopicPartition(topic, n) for topic in late for n in range(counts[topic])]
        self._reader = Reader(
            self._consumer,
            lambda: listener.epoch,
            config.poll_records,
            # A partition that comes later is always read whole.
            begin_at_end=known if config.auto_offset_reset == "latest" else (),
            is_committed_only=config.isolation_level == "read_committed",
            on_out_of_range=on_out_of_range,
        )
        self._consumer.subscribe(list(config.topics), listener=listener)
        try:
            async with asyncio.timeout(timeout + config.drain_seconds + _JOIN_GRACE_SECONDS):
                await self._consumer.start()
            internals.tell_heartbeats(self._consumer, assignment.confirmed)
        except (KafkaError, TimeoutError) as error:
            raise KafkaUnavailable(
                f"cannot join the consumer group {config.group_id}: {type(error).__name__}; "
                "check kafka.group_id and the permissions of kafka.security"
            ) from None

    def _make_consumer(self) -> Any:
        config = self._config
        # The group waits so long for a member that drains; by default it is the session timeout.
        rebalance_ms = int((config.drain_seconds + 10.0) * 1000)
        return AIOKafkaConsumer(
            bootstrap_servers=list(config.bootstrap_servers),
            client_id="tiktok-audience-connector",
            group_id=config.group_id,
            enable_auto_commit=False,
            # It deals out one by one, in the order of topic and number: see connector.core.turns.
            partition_assignment_strategy=[RoundRobinPartitionAssignor],
            # With another value a position out of range jumps without a word, and records are lost.
            auto_offset_reset="none",
            isolation_level=config.isolation_level,
            fetch_min_bytes=_FETCH_BYTES,
            fetch_max_wait_ms=_FETCH_MS,
            session_timeout_ms=int(config.session_timeout_seconds * 1000),
            heartbeat_interval_ms=int(config.session_timeout_seconds * 1000 / 3),
            rebalance_timeout_ms=rebalance_ms,
            # It also bounds JoinGroup, which waits for the slowest member.
            request_timeout_ms=rebalance_ms + 10_000,
            metadata_max_age_ms=int(config.metadata_seconds * 1000),
            **self._security.arguments(),
        )

    async def poll(self) -> Mapping[Partition, Chunk]:
        """Wait a short while for records; see connector.intake.Source. Raises KafkaUnavailable when it is over."""
        if self._listener is not None and self._listener.failure is not None:
            raise self._listener.failure
        return await self._reader.poll()

    async def commit(self, positions: Mapping[Partition, int]) -> None:
        """Commit; see connector.committer.Commits."""
        try:
            async with asyncio.timeout(self._config.commit_seconds):  # it retries without end
                await self._commit(positions)
        except TimeoutError:
            raise KafkaUnavailable("the broker did not answer in time") from None
        except (KafkaError, IllegalStateError) as error:
            raise KafkaUnavailable(f"the broker refused: {type(error).__name__}") from None

    async def _commit(self, positions: Mapping[Partition, int]) -> None:
        # A later commit must never be overtaken by an older one.
        async with self._committing:
            if self._listener is None or not self._listener.may_commit:
                raise KafkaUnavailable("a rebalance is under way")
            owned = self._consumer.assignment()
            # One partition that is not ours would have the whole commit refused.
            mine = {TopicPartition(*one): at for one, at in positions.items() if one in owned}
            if mine:
                await self._consumer.commit(mine)

    def pause(self, partitions: Collection[Partition]) -> None:
        """Fetch no more of these; see connector.intake.Source."""
        self._consumer.pause(*self._owned(partitions))

    def resume(self, partitions: Collection[Partition]) -> None:
        """Fetch these again."""
        self._consumer.resume(*self._owned(partitions))

    async def end_offsets(self, partitions: Collection[Partition]) -> Mapping[Partition, int]:
        """The offset after the last record that can be read now, of those partitions that are ours.

        Raises KafkaUnavailable when the broker does not say.
        """
        owned = self._owned(partitions)
        try:
            async with asyncio.timeout(_QUERY_SECONDS):  # it retries without end
                ends = await self._consumer.end_offsets(owned)
        except (KafkaError, TimeoutError) as error:
            raise KafkaUnavailable(
                f"the broker does not tell where the topics end: {type(error).__name__}"
            ) from None
        return {Partition(*partition): end for partition, end in ends.items()}

    async def positions(self, partitions: Collection[Partition]) -> Mapping[Partition, int]:
        """The offset that is read next, of those partitions where it is known."""
        return self._reader.positions(self._owned(partitions))

    async def answers(self) -> bool:
        """Whether Kafka tells of our topics now, on a connection of its own."""
        config = self._config
        cluster = await inspect(
            config.bootstrap_servers, self._security, config.topics, _ANSWER_SECONDS
        )
        return any(topic.partitions for topic in cluster.topics.values())

    def lag(self, partition: Partition) -> int | None:
        """Records between the position and the end; None while unknown."""
        return self._reader.lag(partition)

    def renew_secrets(self) -> None:
        """Log in with the present secrets from the next connection on."""
        if self._consumer is not None:
            self._security.renew(internals.client_of(self._consumer))

    async def stop(self, timeout: float) -> None:
        """Leave the group and disconnect within the time; commits nothing."""
        if self._listener is not None:
            self._listener.close()
        if self._consumer is not None:
            await stop_within(self._consumer, timeout)

    def part(self) -> Part:
        """The part of the calls that is ours: by our partitions, of all that the topics are known to have."""
        every = [
            Partition(topic, number)
            for topic in self._config.topics
            for number in self._consumer.partitions_for_topic(topic) or ()
        ]
        return part_of([Partition(*one) for one in self._consumer.assignment()], every)

    def _owned(self, partitions: Collection[Partition]) -> list[TopicPartition]:
        owned = self._consumer.assignment()
        return [TopicPartition(*one) for one in partitions if one in owned]
