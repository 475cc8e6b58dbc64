"""The suppression list kept true: the topic read whole before the first record is handled, then followed.

Owns the list's life and what a new entry means for what is already accepted: pending additions are vetoed when their
batch is cut, and a call that may be adding is followed by a delete. Deletes in every audience are
connector.governance.erasure's. Knows Kafka only as the feed that it declares.
"""

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Protocol

from connector.core.batch import Row, row_of
from connector.core.checkpoint import Span
from connector.core.identity import Digests, IdentityMap
from connector.core.model import Action, Chunk, Partition, Record
from connector.core.permission import SUPPRESSED
from connector.core.suppression import Status, SuppressionEntry, SuppressionList
from connector.delivery.accounts import Audience
from connector.delivery.backlog import Backlog
from connector.errors import InvalidRecord
from connector.formats.suppression import decode
from connector.telemetry.events import IntakeEvents

FRESH_SECONDS = 4.0
"""No call starts unless the list was known to be whole so recently: an entry is known everywhere, or nothing is
sent, one second before the second delete's grace of five is over."""

_PART_RECORDS = 250
"""A part of a chunk is applied at once; others run in between."""

Touch = Callable[[Iterable[Audience]], None]


class Feed(Protocol):
    """The suppression topic, read from outside of any group."""

    @property
    def problem(self) -> str | None:
        """Why it is not known to be read whole, in a sentence; None while it is."""

    def load(self) -> AsyncIterator[tuple[Partition, Chunk]]:
        """All that there is now, from the beginning."""

    def follow(self) -> AsyncIterator[tuple[Partition, Chunk]]:
        """What comes after that, for ever."""


class Keeper:
    """Keeps the list: `load`, then `run`.

    Args:
        identities: of its own, for its counts are not the events'.
        clock: monotonic seconds.

    Attributes:
        suppressed: the list.
        is_loaded: whether everything was read that was there at start.
    """

    def __init__(
        self,
        feed: Feed,
        suppressed: SuppressionList,
        identities: IdentityMap,
        telemetry: IntakeEvents,
        clock: Callable[[], float],
    ) -> None:
        self.suppressed = suppressed
        self.is_loaded = False
        self._feed = feed
        self._identities = identities
        self._telemetry = telemetry
        self._clock = clock
        self._changed_at = -math.inf
        self._positions: dict[Partition, int] = {}

    @property
    def problem(self) -> str | None:
        """Why the list may be out of date; None while it is not."""
        return self._feed.problem

    async def load(self) -> None:
        """Read the topic whole. Raises KafkaUnavailable when that cannot be done."""
        begun = self._clock()
        async for partition, chunk in self._feed.load():
            for part in _parts(chunk.records):
                for record in part:
                    self._apply(record)
                await asyncio.sleep(0)
            self._positions[partition] = chunk.position
        self.is_loaded = True
        self._telemetry.suppression_loaded(len(self.suppressed), self._clock() - begun)

    async def run(
        self, backlog: Backlog, touch: Touch, on_release: Callable[[], None] = lambda: None
    ) -> None:
        """Follow the topic, for ever.

        Args:
            touch: told which audiences have got deletes.
            on_release: told that somebody may be added again.
        """
        async for partition, chunk in self._feed.follow():
            for part in _parts(chunk.records):
                touched: set[Audience] = set()
                for record in part:
                    applied = self._apply(record)
                    if applied is None:
                        continue
                    entry, rows = applied
                    if entry.status is Status.RELEASED:
                        on_release()
                    else:
                        self._changed_at = self._clock()
                        self._catch_up(partition, record, rows, backlog, touched)
                if touched:
                    touch(touched)
                await asyncio.sleep(0)
            self._positions[partition] = chunk.position

    def is_overruled(self, partition: Partition, offset: int, profile_id: str) -> bool:
        """Whether the profile's entry there is known to have been followed by its release."""
        is_read = self._positions.get(partition, 0) > offset
        return is_read and not self.suppressed.has_profile(profile_id)

    def veto(self, row: Row) -> Sequence[int]:
        """The slots of an addition that were suppressed since, or of a delete that a release has recalled."""
        everything = range(len(row.digests))
        if row.action is Action.DELETE:
            return everything if row.span.is_recalled else ()
        if row.span.arrived > self._changed_at:
            return ()
        if row.profile is not None and self.suppressed.has_profile(row.profile):
            struck: Sequence[int] = everything
        else:
            struck = [
                slot
                for slot, digest in enumerate(row.digests)
                if digest is not None and self.suppressed.has(slot, digest)
            ]
        if struck:
            self._telemetry.additions_blocked(row.span.partition.topic, SUPPRESSED, 1)
        return struck

    def _apply(self, record: Record) -> tuple[SuppressionEntry, list[Digests]] | None:
        """Let the list know an entry, which is returned with its identifiers; None when it is none."""
        if record.value is None:
            return None  # compaction forgets the entry; that a person was released must be said
        try:
            entry = decode(record.value)
        except InvalidRecord:
            return None  # the member of the group that owns the record writes a letter
        rows = self._identities.rows(entry.identities)
        self.suppressed.apply(entry, rows)
        return entry, rows

    def _catch_up(
        self,
        partition: Partition,
        record: Record,
        rows: Iterable[Digests],
        backlog: Backlog,
        touched: set[Audience],
    ) -> None:
        """Where a call may be adding the entry's identifiers, delete them after it."""
        span = Span(_Nowhere(partition), record.offset, self._clock(), -1, 0)
        for audience in backlog:
            if not (audience.lane.calls or audience.lane.fences.echoes):
                continue
            may_add = audience.lane.fences.may_add
            for digests in rows:
                own: Digests = [
                    digest if digest and may_add(slot, digest) else None
                    for slot, digest in enumerate(digests)
                ]
                if any(own):
                    backlog.accept(audience, urgent_delete(own, span, record, -1))
                    touched.add(audience)


def urgent_delete(digests: Digests, span: Span, record: Record, timestamp_ms: int) -> Row:
    """The delete of these identifiers that an entry's record asks for: it goes before all that is not urgent."""
    row = row_of(digests, Action.DELETE, span, record.offset, timestamp_ms, record.key)
    row.urgent = True
    return row


class _Nowhere:
    """What a delete is a part of that no offset waits for: its entry's own deletes are."""

    def __init__(self, partition: Partition) -> None:
        self.partition = partition

    def closed(self, span: Span) -> None:
        """Nothing waits for it."""


def _parts(records: Sequence[Record]) -> Iterable[Sequence[Record]]:
    return (
        records[begin : begin + _PART_RECORDS] for begin in range(0, len(records), _PART_RECORDS)
    )
