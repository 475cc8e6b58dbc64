"""Kafka in memory: partitions that records are pushed to, one group's commits, its members, a dead-letter topic.

Held to the same contract as the real thing in tests/kafka. All time is the running loop's.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from enum import Enum
from typing import NamedTuple, Protocol

from connector.core.model import Chunk, Letter, Partition, Record
from connector.core.turns import Part, part_of
from connector.errors import KafkaUnavailable

POLL_SECONDS = 0.2


class FakeRecord(NamedTuple):
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


class Hole(Enum):
    """What stands at an offset instead of a record."""

    GAP = "compacted away, a control record, or of an aborted transaction"
    UNREADABLE = "a record that the client cannot parse"


class Assignment(Protocol):
    async def revoked(self, partitions: Collection[Partition]) -> None: ...
    def assigned(self, partitions: Collection[Partition], part: Part) -> None: ...
    def confirmed(self, at: float) -> None: ...


Entry = tuple[int, bytes | None, bytes | None]
"""A record to be written: partition, key, value."""

MOST_LETTER_BYTES = 1_000_000


class FakeKafka:
    """Topics, and what each group has committed."""

    def __init__(self) -> None:
        self.logs: dict[Partition, list[FakeRecord | Hole]] = {}
        self.committed: dict[str, dict[Partition, int]] = defaultdict(dict)
        self.members: list[FakeSource] = []
        self.followers: list[FakeFollower] = []

    def create_topic(self, name: str, partitions: int = 1) -> str:
        self.logs |= {Partition(name, number): [] for number in range(partitions)}
        return name

    def partitions(self, topics: Collection[str]) -> set[Partition]:
        return {one for one in self.logs if one.topic in topics}

    def produce(self, topic: str, entries: Sequence[Entry]) -> None:
        for number, key, value in entries:
            self._append(Partition(topic, number), key, value)
        self._wake()

    def push(
        self,
        partition: Partition,
        values: Iterable[bytes | Hole | None],
        headers: tuple[tuple[str, bytes], ...] = (),
    ) -> None:
        """Write values, or holes, to one partition."""
        for value in values:
            if isinstance(value, Hole):
                self.logs[partition].append(value)
            else:
                self._append(partition, b"key", value, headers)
        self._wake()

    def _append(
        self,
        partition: Partition,
        key: bytes | None,
        value: bytes | None,
        headers: tuple[tuple[str, bytes], ...] = (),
    ) -> None:
        log = self.logs[partition]
        log.append(FakeRecord(len(log), 1000 + len(log), key, value, headers))

    def _wake(self) -> None:
        for member in self.members:
            member.wake()
        for follower in self.followers:
            follower.wake()


class FakeSource:
    """One member of the group.

    Attributes:
        commits: every commit that came, also those that were refused.
        owned: the partitions it has now.
        paused: of these, what is not to be read.
        polls: how often it was polled.
        refuse: how many of the next commits fail; they are not applied.
        commit_seconds: how long a commit takes.
        hold_commits: commits that come hang until this is set; None: they do not.
        is_silent: the group answers no heartbeat.
        is_late: polls bring records in the midst of a revocation too, as one would that was already under way.
        ends_fail: the next questions for end offsets that fail.
    """

    def __init__(
        self,
        kafka: FakeKafka,
        group: str,
        topics: Collection[str],
        *,
        poll_records: int = 1000,
        auto_offset_reset: str = "earliest",
    ) -> None:
        self.commits: list[dict[Partition, int]] = []
        self.owned: set[Partition] = set()
        self.paused: set[Partition] = set()
        self.polls = 0
        self.refuse = 0
        self.commit_seconds = 0.001
        self.hold_commits: asyncio.Event | None = None
        self.is_silent = False
        self.is_late = False
        self.ends_fail = 0
        self._kafka = kafka
        self._committed = kafka.committed[group]
        self._topics = topics
        self._begins_at_end = auto_offset_reset == "latest"
        self._poll_records = poll_records
        self._assignment: Assignment | None = None
        self._may_commit = False
        self._positions: dict[Partition, int] = {}
        self._told: dict[Partition, int] = {}
        self._stable = asyncio.Event()
        self._arrived = asyncio.Event()

    # --- what the connector sees

    async def start(
        self,
        assignment: Assignment,
        timeout: float = 10.0,
        on_retry: Callable[[str], None] = lambda _: None,
        *,
        requires: Sequence[str] = (),
    ) -> None:
        known = {one.topic for one in self._kafka.logs}
        missing = [one for one in (*self._topics, *requires) if one not in known]
        if missing:
            problem = f"Kafka has no topic {', '.join(missing)}: create it, or allow us to see it"
            on_retry(problem)
            raise KafkaUnavailable(problem)
        self._assignment = assignment
        self._kafka.members.append(self)
        await self.rebalance(self._kafka.partitions(self._topics))

    async def poll(self) -> Mapping[Partition, Chunk]:
        self.polls += 1
        self._beat()
        try:
            async with asyncio.timeout(POLL_SECONDS):
                while not (chunks := self._take()):
                    self._arrived.clear()
                    await self._arrived.wait()
        except TimeoutError:
            chunks = {}
        if not self._stable.is_set() and not self.is_late:
            await self._stable.wait()
            return {}
        return chunks

    def _beat(self) -> None:
        """Heartbeats are a task of the real one; a poll is often enough."""
        if self._assignment is not None and not self.is_silent:
            self._assignment.confirmed(asyncio.get_running_loop().time())

    async def _keep_beating(self) -> None:
        """In a revocation polls do not come back, and heartbeats go on."""
        while True:
            self._beat()
            await asyncio.sleep(1.0)

    async def commit(self, positions: Mapping[Partition, int]) -> None:
        self.commits.append(dict(positions))
        if not self._may_commit:
            raise KafkaUnavailable("no partitions are ours: a rebalance is under way, or we left")
        mine = {one: at for one, at in positions.items() if one in self.owned}
        if self.hold_commits is not None:
            await self.hold_commits.wait()
        await asyncio.sleep(self.commit_seconds)
        if self.refuse:
            self.refuse -= 1
            raise KafkaUnavailable("the broker refused")
        self._committed |= mine

    def pause(self, partitions: Collection[Partition]) -> None:
        self.paused |= self.owned & set(partitions)

    def resume(self, partitions: Collection[Partition]) -> None:
        self.paused -= set(partitions)
        self.wake()

    async def end_offsets(self, partitions: Collection[Partition]) -> Mapping[Partition, int]:
        await asyncio.sleep(0.001)
        if self.ends_fail:
            self.ends_fail -= 1
            raise KafkaUnavailable("the broker does not tell where the topics end")
        return {one: len(self._kafka.logs[one]) for one in partitions if one in self.owned}

    async def positions(self, partitions: Collection[Partition]) -> Mapping[Partition, int]:
        return {one: self._positions[one] for one in partitions if one in self.owned}

    def lag(self, partition: Partition) -> int | None:
        position = self._told.get(partition)
        return None if position is None else len(self._kafka.logs[partition]) - position

    def part(self) -> Part:
        return part_of(self.owned, self._kafka.partitions(self._topics))

    def renew_secrets(self) -> None:
        """There are none."""

    async def stop(self, timeout: float) -> None:
        self._may_commit = False
        if self in self._kafka.members:
            self._kafka.members.remove(self)

    # --- what a test does to it

    async def rebalance(self, partitions: Collection[Partition]) -> None:
        """Take all that it has, then give these: each begins where the group has committed."""
        assert self._assignment is not None, "not started"
        self._stable.clear()
        beating = asyncio.create_task(self._keep_beating())
        try:
            await self._assignment.revoked(sorted(self.owned))
        finally:
            beating.cancel()
        self._may_commit = False
        await asyncio.sleep(0.01)  # the group's others
        self.owned = set(partitions)
        self.paused = set()
        self._told = {}
        self._positions = {one: self._begin(one) for one in partitions}
        self._assignment.assigned(sorted(partitions), self.part())
        self._may_commit = True
        self._stable.set()
        self.wake()

    def wake(self) -> None:
        self._arrived.set()

    def _begin(self, partition: Partition) -> int:
        end = len(self._kafka.logs[partition])
        return self._committed.get(partition, end if self._begins_at_end else 0)

    def _take(self) -> dict[Partition, Chunk]:
        left = self._poll_records
        chunks: dict[Partition, Chunk] = {}
        for partition in sorted(self.owned - self.paused):
            start = self._positions[partition]
            some = self._kafka.logs[partition][start : start + left]
            position = start + len(some)
            if position == self._told.get(partition):
                continue
            left -= len(some)
            records: list[Record] = [one for one in some if isinstance(one, FakeRecord)]
            bad = [start + n for n, one in enumerate(some) if one is Hole.UNREADABLE]
            self._positions[partition] = self._told[partition] = position
            chunks[partition] = Chunk(records, position, bad)
        return chunks


class FakeFollower:
    """One topic, read whole and followed.

    Attributes:
        fresh_at: the last moment that was confirmed.
        problem: why it is not confirmed any more.
        is_silent: Kafka does not answer: nothing comes, and nothing is confirmed.
    """

    def __init__(self, kafka: FakeKafka, topic: str, confirmed: Callable[[float], None]) -> None:
        self.fresh_at: float | None = None
        self.problem: str | None = None
        self.is_silent = False
        self._kafka = kafka
        self._topic = topic
        self._confirmed = confirmed
        self._positions: dict[Partition, int] = {}
        self._arrived = asyncio.Event()

    # --- what the connector sees

    async def start(self, timeout: float, on_retry: Callable[[str], None]) -> None:
        if not self._kafka.partitions([self._topic]):
            problem = f"Kafka has no topic {self._topic}: create it, or allow us to see it"
            on_retry(problem)
            raise KafkaUnavailable(problem)
        self._kafka.followers.append(self)

    def load(self) -> AsyncIterator[tuple[Partition, Chunk]]:
        return self._chunks(lambda: self.fresh_at is not None)

    def follow(self) -> AsyncIterator[tuple[Partition, Chunk]]:
        return self._chunks(lambda: False)

    @property
    def lag(self) -> int | None:
        ends = {one: len(self._kafka.logs[one]) for one in self._kafka.partitions([self._topic])}
        return sum(end - self._positions.get(one, 0) for one, end in ends.items())

    def renew_secrets(self) -> None:
        """There are none."""

    async def stop(self, timeout: float) -> None:
        if self in self._kafka.followers:
            self._kafka.followers.remove(self)

    def wake(self) -> None:
        self._arrived.set()

    async def _chunks(self, is_over: Callable[[], bool]) -> AsyncIterator[tuple[Partition, Chunk]]:
        loop = asyncio.get_running_loop()
        while not is_over():
            asked_at = loop.time()
            while (found := self._next()) is not None:
                yield found
                self._positions[found[0]] = found[1].position
                await asyncio.sleep(0)
            self.problem = "Kafka does not answer" if self.is_silent else None
            if not self.is_silent:
                self.fresh_at = asked_at
                self._confirmed(asked_at)
            if not is_over():
                await self._wait()

    async def _wait(self) -> None:
        """Until something was written, or so long as a poll takes."""
        self._arrived.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(POLL_SECONDS):
                await self._arrived.wait()

    def _next(self) -> tuple[Partition, Chunk] | None:
        for partition in () if self.is_silent else sorted(self._kafka.partitions([self._topic])):
            start = self._positions.get(partition, 0)
            some = self._kafka.logs[partition][start : start + 500]
            if some:
                records: list[Record] = [one for one in some if isinstance(one, FakeRecord)]
                bad = [start + n for n, one in enumerate(some) if one is Hole.UNREADABLE]
                return partition, Chunk(records, start + len(some), bad)
        return None


class FakeDeadLetters:
    """The dead-letter topic.

    Attributes:
        letters: what was written.
        refuse: how many of the next sends fail; -1 for all.
        hold: sends that come hang until this is set; None: they do not.
        seconds: how long a send takes.
    """

    def __init__(self) -> None:
        self.letters: list[Letter] = []
        self.refuse = 0
        self.hold: asyncio.Event | None = None
        self.seconds = 0.001

    async def start(self) -> None:
        """It is there."""

    async def send(self, letters: Sequence[Letter]) -> None:
        if self.refuse:
            self.refuse -= 1
            raise KafkaUnavailable("the topic does not take dead letters")
        if self.hold is not None:
            await self.hold.wait()
        await asyncio.sleep(self.seconds)
        if any(len(letter.value) > MOST_LETTER_BYTES for letter in letters):
            raise KafkaUnavailable("the topic does not take dead letters: too large")
        self.letters += letters

    async def stop(self, timeout: float) -> None:
        """Nothing is left to stop."""
