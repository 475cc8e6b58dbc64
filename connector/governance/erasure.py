"""Erasure: the identifiers of whoever is suppressed are deleted from every routed audience, twice.

Owns the deletes that the suppression topic's records ask for, in the group member that owns their partition: once at
once, and once more when no call of another replica can be under way that began before it knew of the entry. A record
is done when both have ended. Knows neither Kafka's client nor TikTok.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from connector.core.checkpoint import Checkpoint, Span
from connector.core.identity import Digests, IdentityMap
from connector.core.model import Chunk, Partition, Record
from connector.core.suppression import Status
from connector.delivery.accounts import Audience
from connector.delivery.backlog import Backlog
from connector.errors import InvalidRecord
from connector.formats.suppression import decode
from connector.governance.keeper import Keeper, Touch, urgent_delete
from connector.record_letters import RecordLetters
from connector.telemetry.events import IntakeEvents

_GRACE_SECONDS = 5.0
"""A replica that does not know of an entry for so long starts no call: see connector.governance.keeper."""

_LOOK_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class ErasureRules:
    """What is erased, and how.

    Attributes:
        topic: the suppression topic.
        most_rows: so many deletes may be pending before no more of its records are read.
        doubt_seconds: how long a call may take.
    """

    topic: str
    most_rows: int
    doubt_seconds: float


class _Order:
    """The deletes that one entry asks for. Its span is a part of the record's, and closes with the last of them."""

    def __init__(
        self,
        record: Record,
        profile: str,
        rows: Sequence[Digests],
        part: Span,
        ended: Callable[["_Order"], None],
    ) -> None:
        self.partition = part.partition
        self.profile = profile
        self.rows = rows
        self.record = record
        self.deletes = 0
        self.again_at = 0.0
        self.span = Span(self, record.offset, part.arrived, record.timestamp, 0)
        self._part = part
        self._ended = ended
        part.open += 1

    def closed(self, _: Span) -> None:
        self._ended(self)
        self._part.resolve()


class Erasure:
    """Takes the suppression topic's records: `take`, and `run` for the second round.

    Args:
        identities: of its own, for its counts are not the events'.
    """

    def __init__(
        self,
        identities: IdentityMap,
        keeper: Keeper,
        backlog: Backlog,
        checkpoint: Checkpoint,
        letters: RecordLetters,
        rules: ErasureRules,
        telemetry: IntakeEvents,
    ) -> None:
        self._identities = identities
        self._keeper = keeper
        self._backlog = backlog
        self._checkpoint = checkpoint
        self._letters = letters
        self._telemetry = telemetry
        self._rules = rules
        self._again_after = rules.doubt_seconds + _GRACE_SECONDS
        self._epoch = -1
        self._orders: dict[_Order, None] = {}
        self._due: deque[_Order] = deque()
        self._rows = 0

    def __len__(self) -> int:
        """How many entries' deletes have not ended, the second round included."""
        return len(self._orders)

    @property
    def is_full(self) -> bool:
        """Whether no more records should be read until deletes have ended."""
        return self._rows >= self._rules.most_rows

    @property
    def topics(self) -> Collection[str]:
        """What is read also while everything else is paused."""
        return (self._rules.topic,)

    def set_rules(self, rules: ErasureRules) -> None:
        """Take in by these rules from now on."""
        self._rules = rules

    def oldest_ms(self) -> int | None:
        """When the oldest entry was written whose deletes have not ended; None without one."""
        written = (order.record.timestamp for order in self._orders)
        return min((at for at in written if at >= 0), default=None)

    def take(self, partition: Partition, chunk: Chunk, now: float) -> set[Audience]:
        """Take in what a poll brought of one partition; returns the audiences that got deletes."""
        self._keep_to_this_assignment()
        touched: set[Audience] = set()
        accepted = filtered = invalid = 0
        oldest = chunk.records[0].timestamp if chunk.records else -1
        records = len(chunk.records) + len(chunk.unreadable)
        span = self._checkpoint.track(partition, chunk.position, now, oldest, records)
        for record in chunk.records:
            try:
                if self._follow(record, span, now, touched):
                    accepted += 1
                else:
                    filtered += 1
            except InvalidRecord as refusal:
                self._letters.set_aside(record, refusal, span)
                invalid += 1
        for offset in chunk.unreadable:
            self._letters.set_unreadable_aside(offset, span)
            invalid += 1
        span.resolve()
        self._telemetry.records_ended(partition.topic, accepted, filtered, invalid)
        if accepted:
            self._telemetry.erasures_began(partition, accepted)
        return touched

    async def run(self, clock: Callable[[], float], touch: Touch) -> None:
        """Delete for the second time what is due, for ever."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            self._keep_to_this_assignment()
            touched: set[Audience] = set()
            while self._due and self._due[0].again_at <= clock():
                order = self._due.popleft()
                if not self._is_recalled(order):
                    self._delete(order, -1, touched)
                order.span.resolve()  # the second round's own part
            if touched:
                touch(touched)

    def _follow(self, record: Record, span: Span, now: float, touched: set[Audience]) -> bool:
        """Do what the entry says; whether it asks for deletes. Raises InvalidRecord."""
        if record.value is None:
            return False  # compaction forgets the entry; that a person was released must be said
        entry = decode(record.value)
        if entry.status is Status.RELEASED:
            self._recall(entry.profile_id)
            return False
        if self._keeper.is_overruled(span.partition, record.offset, entry.profile_id):
            return False
        rows = self._identities.rows(entry.identities)
        if not rows:
            if entry.identities:
                self._identities.judge(entry.identities)
            return False
        order = _Order(record, entry.profile_id, rows, span, self._ended)
        order.again_at = now + self._again_after
        self._orders[order] = None
        self._due.append(order)
        self._delete(order, record.timestamp, touched)
        return True

    def _delete(self, order: _Order, timestamp_ms: int, touched: set[Audience]) -> None:
        """Put the entry's deletes into the lanes of all audiences, before everything else there."""
        record = order.record
        for audience in self._backlog:
            for digests in order.rows:
                own = audience.restrict(digests)
                if own is None:
                    continue
                order.deletes += 1
                self._rows += 1
                row = urgent_delete(own, order.span, record, timestamp_ms)
                self._backlog.accept(audience, row)
                touched.add(audience)

    def _recall(self, profile: str) -> None:
        """Whoever was released may be added again: what has not been sent yet is vetoed when its turn comes."""
        for order in self._orders:
            if order.profile == profile:
                order.span.is_recalled = True

    def _is_recalled(self, order: _Order) -> bool:
        """Whether a release came since; the list may know of it before its record is taken in."""
        return order.span.is_recalled or self._keeper.is_overruled(
            order.partition, order.record.offset, order.profile
        )

    def _ended(self, order: _Order) -> None:
        if order in self._orders:
            del self._orders[order]
            self._rows -= order.deletes

    def _keep_to_this_assignment(self) -> None:
        """When partitions have changed hands, their next owner begins anew with what was not committed."""
        if self._epoch != self._checkpoint.epoch:
            self._epoch = self._checkpoint.epoch
            self._orders.clear()
            self._due.clear()
            self._rows = 0
