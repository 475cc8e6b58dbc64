"""The source: records of the subscribed topics, and commits, over one member of a consumer group.

Owns the consumer and its traps, so that nothing above has to know them. Knows nothing of what records say.
The facts in comments were tried with aiokafka 0.14 on Apache Kafka 4.3.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import (
    IllegalStateError,
    KafkaError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)

from connector.core.model import Chunk, Partition
from connector.errors import KafkaUnavailable
from connector.kafka.bounded import stop_within
from connector.kafka.reachable import wait_for_topics
from connector.kafka.security import Security

_POLL_MS = 200
_POLL_RECORDS = 1000
_COMMIT_SECONDS = 5.0
_QUERY_SECONDS = 15.0
_JOIN_GRACE_SECONDS = 30.0


class Assignment(Protocol):
    """Who hears of rebalances. `revoked` may take as long as the drain; `assigned` must be instant."""

    async def revoked(self, partitions: Collection[Partition]) -> None:
        """These partitions will be another member's when this returns."""

    def assigned(self, partitions: Collection[Partition], share: float) -> None:
        """These, and no others, are ours from their committed offsets on; share is their part of all, 0..1."""


@dataclass(frozen=True, slots=True)
class SourceConfig:
    """What a source needs to know.

    Attributes:
        drain_seconds: how long `revoked` may take; the group waits so long, and some more.
    """

    bootstrap_servers: Sequence[str]
    group_id: str
    topics: Sequence[str]
    auto_offset_reset: str = "earliest"
    isolation_level: str = "read_committed"
    session_timeout_seconds: float = 10.0
    drain_seconds: float = 20.0
    poll_records: int = _POLL_RECORDS


class KafkaSource:
    """One member of the group: `start`, `poll`, `commit`, `pause`, `resume`, `stop`."""

    def __init__(self, config: SourceConfig, security: Security) -> None:
        self._config = config
        self._security = security
        self._consumer: Any = None
        self._listener: _Listener | None = None
        self._known_at_start: set[TopicPartition] = set()
        self._positions: dict[Partition, int] = {}
        self._committing = asyncio.Lock()
        self._on_out_of_range: Callable[[Partition], None] = lambda _: None

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
        self._on_out_of_range = on_out_of_range
        config = self._config
        counts = await wait_for_topics(
            config.bootstrap_servers,
            self._security,
            (*config.topics, *requires),
            timeout,
            on_retry,
        )
        self._known_at_start = {
            TopicPartition(topic, number)
            for topic in config.topics
            for number in range(counts[topic])
        }
        self._consumer = self._make_consumer()
        self._listener = _Listener(self, assignment)
        self._consumer.subscribe(list(config.topics), listener=self._listener)
        try:
            async with asyncio.timeout(timeout + config.drain_seconds + _JOIN_GRACE_SECONDS):
                await self._consumer.start()
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
            # With another value a position out of range jumps without a word, and records are lost.
            auto_offset_reset="none",
            isolation_level=config.isolation_level,
            session_timeout_ms=int(config.session_timeout_seconds * 1000),
            heartbeat_interval_ms=int(config.session_timeout_seconds * 1000 / 3),
            rebalance_timeout_ms=rebalance_ms,
            # It also bounds JoinGroup, which waits for the slowest member.
            request_timeout_ms=rebalance_ms + 10_000,
            metadata_max_age_ms=60_000,
            **self._security.arguments(),
        )

    async def poll(self) -> Mapping[Partition, Chunk]:
        """Wait a short while for records; see connector.intake.Source. Raises KafkaUnavailable when it is over."""
        self._raise_failure()
        try:
            records = await self._consumer.getmany(
                timeout_ms=_POLL_MS, max_records=self._config.poll_records
            )
        except NoOffsetForPartitionError:
            await self._begin()
            return {}
        except OffsetOutOfRangeError as error:
            for partition in error.args[0]:
                self._on_out_of_range(Partition(*partition))
                await self._seek(self._consumer.seek_to_beginning, [partition])
            return {}
        except UnicodeDecodeError:
            return await self._step_over()
        except KafkaError as error:
            if error.retriable:
                return {}
            raise KafkaUnavailable(
                f"Kafka refuses to go on: {type(error).__name__}; "
                "check the permissions of kafka.security and the topics"
            ) from None
        return await self._chunks(records)

    async def _chunks(
        self,
        records: Mapping[TopicPartition, Sequence[Any]],
        unreadable: Mapping[TopicPartition, int] | None = None,
    ) -> dict[Partition, Chunk]:
        """Records and positions; also of partitions whose position moved past control records alone."""
        chunks: dict[Partition, Chunk] = {}
        for partition in self._consumer.assignment():
            key = Partition(*partition)
            some = records.get(partition, ())
            bad = (
                ()
                if unreadable is None or partition not in unreadable
                else (unreadable[partition],)
            )
            # Before its first fetch a partition may have no position, and asking for it would wait.
            if not some and not bad and self._consumer.highwater(partition) is None:
                continue
            try:
                position = await self._consumer.position(partition)
            except IllegalStateError:
                continue  # taken away since
            if position != self._positions.get(key):
                self._positions[key] = position
                chunks[key] = Chunk(some, position, bad)
        return chunks

    async def _begin(self) -> None:
        """Find where to begin where the group has committed nothing: a partition new since start is read whole."""
        fresh = [one for one in self._consumer.assignment() if await self._is_fresh(one)]
        is_latest = self._config.auto_offset_reset == "latest"
        latest = [one for one in fresh if is_latest and one in self._known_at_start]
        await self._seek(self._consumer.seek_to_end, latest)
        await self._seek(
            self._consumer.seek_to_beginning, [one for one in fresh if one not in latest]
        )

    async def _is_fresh(self, partition: TopicPartition) -> bool:
        """Whether neither the group has committed a position nor this member has one."""
        if Partition(*partition) in self._positions:
            return False
        try:
            async with asyncio.timeout(_QUERY_SECONDS):
                return await self._consumer.committed(partition) is None
        except (IllegalStateError, KafkaError, TimeoutError):
            return False  # the next poll asks again

    async def _seek(self, seek: Callable[..., Any], partitions: list[TopicPartition]) -> None:
        if not partitions:
            return
        try:
            async with asyncio.timeout(_QUERY_SECONDS):
                await seek(*partitions)
        except (IllegalStateError, KafkaError, TimeoutError):
            return  # taken away, or the broker is gone: the next poll asks again

    async def _step_over(self) -> dict[Partition, Chunk]:
        """Get past a record that the client cannot parse: one whose header key is not UTF-8.

        Record by record up to it, then past it; `getmany` would raise for ever. The other partitions' records
        stay where they are for the next poll.
        """
        for partition in self._consumer.assignment():
            before: list[Any] = []
            try:
                while some := await self._consumer.getmany(partition, max_records=1):
                    before += some[partition]
            except UnicodeDecodeError:
                offset = await self._consumer.position(partition)
                self._consumer.seek(partition, offset + 1)
                return await self._chunks({partition: before}, {partition: offset})
            except KafkaError:
                pass
            if before:
                return await self._chunks({partition: before})
        return {}

    async def commit(self, positions: Mapping[Partition, int]) -> None:
        """Commit; see connector.committer.Commits."""
        # A later commit must never be overtaken by an older one.
        async with self._committing:
            if self._listener is None or not self._listener.may_commit:
                raise KafkaUnavailable("a rebalance is under way")
            owned = self._consumer.assignment()
            # One partition that is not ours would have the whole commit refused.
            mine = {TopicPartition(*one): at for one, at in positions.items() if one in owned}
            if not mine:
                return
            try:
                async with asyncio.timeout(_COMMIT_SECONDS):  # it retries without end
                    await self._consumer.commit(mine)
            except TimeoutError:
                raise KafkaUnavailable("the broker did not answer in time") from None
            except (KafkaError, IllegalStateError) as error:
                raise KafkaUnavailable(f"the broker refused: {type(error).__name__}") from None

    def pause(self, partitions: Collection[Partition]) -> None:
        """Fetch no more of these; see connector.intake.Source."""
        self._consumer.pause(*self._owned(partitions))

    def resume(self, partitions: Collection[Partition]) -> None:
        """Fetch these again."""
        self._consumer.resume(*self._owned(partitions))

    async def end_offsets(self, partitions: Collection[Partition]) -> Mapping[Partition, int]:
        """The offset after the last record that can be read now, of those partitions that are ours."""
        owned = self._owned(partitions)
        try:
            async with asyncio.timeout(_QUERY_SECONDS):
                ends = await self._consumer.end_offsets(owned)
        except (KafkaError, TimeoutError):
            return {}
        return {Partition(*partition): end for partition, end in ends.items()}

    async def positions(self, partitions: Collection[Partition]) -> Mapping[Partition, int]:
        """The offset that is read next, of those partitions where it is known."""
        known: dict[Partition, int] = {}
        for partition in self._owned(partitions):
            try:
                async with asyncio.timeout(1.0):
                    known[Partition(*partition)] = await self._consumer.position(partition)
            except (IllegalStateError, KafkaError, TimeoutError):
                continue
        return known

    def lag(self, partition: Partition) -> int | None:
        """Records between the position and the end; None while unknown."""
        position = self._positions.get(partition)
        try:
            end = self._consumer.highwater(TopicPartition(*partition))
        except IllegalStateError:
            return None
        return None if end is None or position is None else max(0, end - position)

    def renew_secrets(self) -> None:
        """Log in with the present password from the next connection on."""
        if self._consumer is not None:
            self._security.renew(self._consumer._client)  # noqa: SLF001  it has no accessor

    async def stop(self, timeout: float) -> None:
        """Leave the group and disconnect within the time; commits nothing."""
        if self._listener is not None:
            self._listener.may_commit = False  # a commit after stop may rewind the group
        if self._consumer is not None:
            client = self._consumer._client  # noqa: SLF001  it has no accessor
            await stop_within(self._consumer.stop(), client, timeout)

    def share(self) -> float:
        """The part of all partitions of the topics that is ours."""
        total = sum(
            len(self._consumer.partitions_for_topic(topic) or ()) for topic in self._config.topics
        )
        return min(1.0, len(self._consumer.assignment()) / total) if total else 0.0

    def forget_positions(self) -> None:
        """A rebalance: every position starts from the committed one."""
        self._positions.clear()

    def _owned(self, partitions: Collection[Partition]) -> list[TopicPartition]:
        owned = self._consumer.assignment()
        return [TopicPartition(*one) for one in partitions if one in owned]

    def _raise_failure(self) -> None:
        """Surface what aiokafka keeps to itself: an error in our listener, and a fetch task that died."""
        listener = self._listener
        if listener is not None and listener.failure is not None:
            raise listener.failure
        fetcher = getattr(self._consumer, "_fetcher", None)
        task = getattr(fetcher, "_fetch_task", None)
        if task is not None and task.done():
            raise KafkaUnavailable(
                "the client's fetch task has died: records would never come again"
            )


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    """Passes rebalances on. aiokafka logs what is raised here and goes on, so it is kept for the next poll."""

    def __init__(self, source: KafkaSource, assignment: Assignment) -> None:
        self.failure: Exception | None = None
        self.may_commit = False
        self._source = source
        self._assignment = assignment

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        try:
            await self._assignment.revoked([Partition(*one) for one in revoked])
        except Exception as error:  # noqa: BLE001  kept, and raised from poll
            self.failure = error
        # A commit between here and the new assignment would reset the generation and force more rebalances.
        self.may_commit = False

    # No heartbeats run during this call: it must be instant.
    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        try:
            self._source.forget_positions()
            self._assignment.assigned([Partition(*one) for one in assigned], self._source.share())
        except Exception as error:  # noqa: BLE001  kept, and raised from poll
            self.failure = error
        self.may_commit = True
