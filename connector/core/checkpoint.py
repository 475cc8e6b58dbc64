"""Which offsets may be committed: the highest position below which everything is resolved.

Owns progress, partition by partition, for one assignment epoch: a rebalance forgets it all, and whatever is
resolved late on a forgotten span changes nothing. Knows no Kafka client; it never commits by itself.

A span is what one poll brought of one partition. It is resolved when each of its changes and letters is;
so one number is kept per poll and partition, not per record, and a crash re-reads at most what a poll brought
beyond the rule.
"""

from collections import deque
from collections.abc import Collection, Mapping
from typing import Protocol

from connector.core.model import Partition

_COMPACT_FROM = 64
"""Resolved spans behind an unresolved one are merged when they are this many, and half of all."""


class Whole(Protocol):
    """What a span is a part of."""

    @property
    def partition(self) -> Partition: ...

    def closed(self, span: "Span") -> None:
        """All parts of the span are resolved."""


class Span:
    """The records of one poll and partition, up to a position, and how many of its parts are unresolved.

    Attributes:
        records: how many records it stands for.
        attempts: how often its changes have been tried, this time included: 1 but for a replay.
        is_recalled: whether those of its changes that have not been sent are not wanted any more.
    """

    __slots__ = (
        *("arrived", "attempts", "is_recalled", "oldest_ms", "open", "partition", "position"),
        *("progress", "records"),
    )

    def __init__(
        self, progress: Whole, position: int, arrived: float, oldest_ms: int, records: int
    ) -> None:
        self.progress = progress
        self.partition = progress.partition
        self.position = position
        self.arrived = arrived
        self.oldest_ms = oldest_ms
        self.records = records
        self.attempts = 1
        self.is_recalled = False
        self.open = 1  # the intake's own part, until it has tracked all changes of the span

    def resolve(self, parts: int = 1) -> None:
        """These parts are delivered, superseded, filtered, or their letters acknowledged."""
        self.open -= parts
        if self.open == 0:
            self.progress.closed(self)

    def __repr__(self) -> str:
        topic, partition = self.partition
        return f"<Span {topic}:{partition} to {self.position} [{self.open} open]>"


class Progress:
    """One partition's spans in order.

    Attributes:
        ahead: how many records have been taken in beyond the committable position.
    """

    __slots__ = ("_resolved_behind", "ahead", "committable", "partition", "position", "spans")

    def __init__(self, partition: Partition) -> None:
        self.partition = partition
        self.committable: int | None = None
        self.position: int | None = None
        self.ahead = 0
        self.spans: deque[Span] = deque()
        self._resolved_behind = 0

    def track(self, position: int, arrived: float, oldest_ms: int, records: int) -> Span:
        span = Span(self, position, arrived, oldest_ms, records)
        self.ahead += records
        self.spans.append(span)
        self.position = position
        return span

    def closed(self, span: Span) -> None:
        """Move the committable position when the span was the first; else remember it for merging."""
        if self.spans and self.spans[0] is span:
            while self.spans and self.spans[0].open == 0:
                first = self.spans.popleft()
                self.committable = first.position
                self.ahead -= first.records
        else:
            self._resolved_behind += 1
            if self._resolved_behind > max(_COMPACT_FROM, len(self.spans) // 2):
                self._merge()

    def _merge(self) -> None:
        """Let neighbours that are resolved be one span, so that memory follows what is open, not what passed."""
        merged: deque[Span] = deque()
        for span in self.spans:
            if merged and merged[-1].open == 0 and span.open == 0:
                span.records += merged[-1].records
                merged[-1] = span
            else:
                merged.append(span)
        self.spans = merged
        self._resolved_behind = 0


class Checkpoint:
    """All partitions of the present assignment: track, resolve, committable."""

    def __init__(self) -> None:
        self.epoch = 0
        self._progress: dict[Partition, Progress] = {}
        self._committed: dict[Partition, int] = {}

    def assign(self, partitions: Collection[Partition]) -> None:
        """Begin a new epoch: all earlier spans are forgotten."""
        self.epoch += 1
        self._progress = {partition: Progress(partition) for partition in partitions}
        self._committed = {}

    def track(
        self,
        partition: Partition,
        position: int,
        arrived: float,
        oldest_ms: int,
        records: int = 1,
    ) -> Span:
        """Open the span of so many records up to `position`, in the order in which they were polled.

        The span has one open part: the caller adds one for each change and letter, and resolves its own last.
        """
        return self._progress[partition].track(position, arrived, oldest_ms, records)

    def partitions(self) -> Collection[Partition]:
        """All that are assigned."""
        return self._progress.keys()

    def owns(self, partition: Partition) -> bool:
        return partition in self._progress

    def committable(self) -> dict[Partition, int]:
        """Positions that may be committed now and have not been."""
        return {
            partition: progress.committable
            for partition, progress in self._progress.items()
            if progress.committable is not None
            and progress.committable != self._committed.get(partition)
        }

    def committed(self, positions: Mapping[Partition, int]) -> None:
        """The broker acknowledged these positions."""
        for partition, position in positions.items():
            if partition in self._progress:
                self._committed[partition] = position

    def position(self, partition: Partition) -> int | None:
        """Up to where records have been taken in; None before the first."""
        return self._progress[partition].position

    def ahead(self, partition: Partition) -> int:
        """How many records have been taken in beyond what may be committed: a crash reads them again."""
        return self._progress[partition].ahead

    def is_settled(self) -> bool:
        """Whether everything that was taken in is resolved."""
        return not any(progress.spans for progress in self._progress.values())

    def committed_position(self, partition: Partition) -> int | None:
        """The last position committed in this epoch."""
        return self._committed.get(partition)

    def oldest_uncommitted_ms(self) -> dict[str, int]:
        """By topic, the timestamp of the oldest record that is not resolved."""
        oldest: dict[str, int] = {}
        for partition, progress in self._progress.items():
            if progress.spans and progress.spans[0].oldest_ms >= 0:
                first = progress.spans[0].oldest_ms
                oldest[partition.topic] = min(first, oldest.get(partition.topic, first))
        return oldest
