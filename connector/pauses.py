"""Which partitions are paused, and why.

Owns the bounds of memory as far as they concern reading: how much may be pending in all, and how far a partition
may be read ahead of its commit. In between two limits nothing flaps, for each pause costs what was prefetched.
Above them stands an operator's word, which lasts until it is taken back.
"""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from connector.core.checkpoint import Checkpoint
from connector.core.model import Partition
from connector.delivery.accounts import Audience
from connector.delivery.bulkheads import Bulkheads, Pressure
from connector.delivery.dead_letters import DeadLetterQueue
from connector.telemetry.events import IntakeEvents


class Tap(Protocol):
    """Who can stop and go on reading single partitions."""

    def pause(self, partitions: Collection[Partition]) -> None:
        """Fetch no more of these until they are resumed; poll on, so that the membership lives."""

    def resume(self, partitions: Collection[Partition]) -> None:
        """Fetch these again."""


class PauseReason(StrEnum):
    """Why nothing is read."""

    OPERATOR = "operator"
    PENDING = "pending"
    LETTERS = "letters"
    BLOCKED = "blocked"


class Ahead(Protocol):
    """Who takes in topics that are read also while all others are paused, within a bound of its own."""

    @property
    def topics(self) -> Collection[str]: ...
    @property
    def is_full(self) -> bool:
        """Whether its topics have to be paused too."""


@dataclass(frozen=True, slots=True)
class ReadingBounds:
    """How much may be read.

    Attributes:
        max_pending_rows: over so many pending changes everything pauses.
        max_uncommitted_records: over so many records beyond what may be committed, their partition pauses.
    """

    max_pending_rows: int
    max_uncommitted_records: int


class Pauses:
    """Pauses and resumes: `regulate`, after each poll.

    Attributes:
        paused: the partitions that are not read at present.
        is_full: whether nothing is read because too much is pending.
        holding: the audience because of which nothing is read; None without.
        by_operator: whether nothing is read because an operator wants it so. A rebalance does not change that.
    """

    def __init__(
        self,
        tap: Tap,
        checkpoint: Checkpoint,
        dead_letters: DeadLetterQueue,
        bulkheads: Bulkheads,
        bounds: ReadingBounds,
        telemetry: IntakeEvents,
        ahead: Ahead | None = None,
    ) -> None:
        self.paused: set[Partition] = set()
        self.is_full = False
        self.holding: Audience | None = None
        self.by_operator = False
        self._far: set[Partition] = set()
        self._tap = tap
        self._checkpoint = checkpoint
        self._dead_letters = dead_letters
        self._bulkheads = bulkheads
        self._bounds = bounds
        self._telemetry = telemetry
        self._ahead = ahead

    def set_bounds(self, bounds: ReadingBounds) -> None:
        """Read within these bounds from now on: with the next poll."""
        self._bounds = bounds

    def forget(self) -> None:
        """A rebalance: partitions start unpaused, unless an operator wants it otherwise."""
        self.paused.clear()
        self._far.clear()
        self.is_full = False
        self._keep_operators_pause()

    def stop_reading(self) -> None:
        """An operator's word: read nothing from now on, until `go_on_reading`; but who is suppressed."""
        self.by_operator = True
        self._keep_operators_pause()

    def go_on_reading(self) -> None:
        """The operator's word is taken back: with the next poll, what no bound pauses is read again."""
        self.by_operator = False

    def reasons(self) -> list[PauseReason]:
        """Why nothing is read at present; empty while something is, or may be."""
        reasons = []
        if self.is_full and self.holding is not None:
            reasons.append(PauseReason.BLOCKED)
        if self.is_full and self._dead_letters.is_full:
            reasons.append(PauseReason.LETTERS)
        if self.is_full and not reasons:
            reasons.append(PauseReason.PENDING)
        return [PauseReason.OPERATOR, *reasons] if self.by_operator else reasons

    def regulate(self, partitions: Collection[Partition], done: Collection[Partition]) -> None:
        """Pause what has reached a bound, or is done; resume what is at half of it."""
        self._find_far(partitions)
        pressure = self._relieve()
        self._find_full(pressure)
        wanted = {*self._stopped(partitions), *done, *self._far}
        if wanted != self.paused:
            self._tap.pause(wanted - self.paused)
            self._tap.resume(self.paused - wanted)
            self.paused = wanted

    def _stopped(self, partitions: Collection[Partition]) -> set[Partition]:
        """The partitions that are not read because too much is pending, or an operator wants it so."""
        is_stopped = self.is_full or self.by_operator
        if self._ahead is None:
            return set(partitions) if is_stopped else set()
        first = {one for one in partitions if one.topic in self._ahead.topics}
        others = set(partitions) - first
        return (others if is_stopped else set()) | (first if self._ahead.is_full else set())

    def is_reading(self) -> bool:
        """Whether any partition is read at present, or would be but for an operator."""
        return self.by_operator or len(self.paused) < len(self._checkpoint.partitions())

    def _keep_operators_pause(self) -> None:
        """At once, and not with the next poll: that would bring records first."""
        more = self._stopped(self._checkpoint.partitions()) - self.paused
        if self.by_operator and more:
            self._tap.pause(more)
            self.paused |= more

    def _find_far(self, partitions: Collection[Partition]) -> None:
        most = self._bounds.max_uncommitted_records
        for partition in partitions:
            ahead = self._checkpoint.ahead(partition)
            if ahead > most and partition not in self._far:
                self._far.add(partition)
                self._telemetry.paused_far_ahead(partition, ahead)
            elif ahead <= most // 2 and partition in self._far:
                self._far.discard(partition)
                self._telemetry.resumed_far_ahead(partition)

    def _relieve(self) -> Pressure:
        """Where blocked audiences may have their changes set aside, they are not what stops the others."""
        if self._far:
            return self._bulkheads.relieve(keep=0)
        pressure = self._bulkheads.relieve()
        most = self._bounds.max_pending_rows
        if pressure.pending > most and pressure.blocked > most // 2:
            return self._bulkheads.relieve(keep=most // 2)
        return pressure

    def _find_full(self, pressure: Pressure) -> None:
        is_over = pressure.pending > self._bounds.max_pending_rows or self._dead_letters.is_full
        if not self.is_full and (is_over or pressure.holding is not None):
            self.is_full = True
            self._telemetry.paused(pressure.pending, pressure.blocked, len(self._dead_letters))
        elif self.is_full and self._may_go_on(pressure):
            self.is_full = False
            self._telemetry.resumed(pressure.pending)
        self.holding = audience = pressure.holding
        if audience is not None:
            self._telemetry.held(audience.key, audience.trouble, len(audience.lane))

    def _may_go_on(self, pressure: Pressure) -> bool:
        """Whether half of the room that blocked audiences leave is free again."""
        if pressure.holding is not None or self._dead_letters.is_full:
            return False
        room = self._bounds.max_pending_rows - pressure.blocked
        return room > 0 and pressure.pending - pressure.blocked <= room // 2
