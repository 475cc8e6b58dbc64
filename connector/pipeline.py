"""The way of a record: decode, identify, route, coalesce into lanes; or set it aside.

Owns what a record becomes. Plain calls without a wait: what one poll brought is in the lanes when `take` returns.
Knows neither Kafka's client nor TikTok.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from connector.core.batch import Row
from connector.core.checkpoint import Checkpoint, Span
from connector.core.identity import IdentityMap
from connector.core.letter import UNREADABLE_RECORD, Origin, record_letter
from connector.core.model import Chunk, Partition, Record, Stage
from connector.core.routing import Route
from connector.delivery.accounts import Audience
from connector.delivery.backlog import Backlog
from connector.delivery.dead_letters import DeadLetterQueue
from connector.errors import InvalidRecord
from connector.formats.membership import DECODE_REASONS, Decode, Membership
from connector.telemetry.events import IntakeEvents

_UNREADABLE = InvalidRecord(UNREADABLE_RECORD, "Kafka's client could not parse the record")


@dataclass(slots=True)
class _Tally:
    """What became of one chunk's records."""

    accepted: int = 0
    filtered: int = 0
    invalid: int = 0
    first_invalid: int = -1


class Pipeline:
    """Takes chunks of records: `take`.

    Args:
        formats: the decoder of each topic.
        routes: the routes of each segment that has any.
        clock: monotonic seconds.
        wall: seconds since the epoch.
    """

    def __init__(
        self,
        formats: Mapping[str, Decode],
        identities: IdentityMap,
        routes: Mapping[str, tuple[Route, ...]],
        checkpoint: Checkpoint,
        backlog: Backlog,
        dead_letters: DeadLetterQueue,
        telemetry: IntakeEvents,
        wall: Callable[[], float],
    ) -> None:
        self._formats = formats
        self._identities = identities
        self._checkpoint = checkpoint
        self._backlog = backlog
        self._dead_letters = dead_letters
        self._telemetry = telemetry
        self._wall = wall
        self._routes: dict[str, list[tuple[Route, Audience]]] = {
            segment: [(route, backlog[route.audience]) for route in some]
            for segment, some in routes.items()
        }

    def take(self, partition: Partition, chunk: Chunk, now: float) -> set[Audience]:
        """Take in what a poll brought of one partition; returns the audiences that got changes."""
        tally = _Tally()
        touched: set[Audience] = set()
        oldest = chunk.records[0].timestamp if chunk.records else -1
        records = len(chunk.records) + len(chunk.unreadable)
        span = self._checkpoint.track(partition, chunk.position, now, oldest, records)
        decode = self._formats[partition.topic]
        for record in chunk.records:
            try:
                if self._changes(record, decode, span, touched):
                    tally.accepted += 1
                else:
                    tally.filtered += 1
            except InvalidRecord as invalid:
                self._set_aside(record, invalid, span, tally)
        for offset in chunk.unreadable:
            self._set_aside(_Unreadable(offset), _UNREADABLE, span, tally)
        span.resolve()
        self._count(partition, tally)
        return touched

    def _changes(self, record: Record, decode: Decode, span: Span, touched: set[Audience]) -> int:
        """Put the record's changes into their lanes; returns how many there are.

        Raises InvalidRecord when the record has the wrong shape, or none of its memberships is usable.
        """
        value = record.value
        if value is None:
            return 0
        changes = 0
        refusal: InvalidRecord | None = None
        for membership in decode(value):
            if membership.problem is not None:
                self._telemetry.record_error(span.partition.topic, membership.problem)
            try:
                changes += self._membership(membership, record, span, touched)
            except InvalidRecord as invalid:
                refusal = invalid
        if refusal is not None and not changes:
            raise refusal
        return changes

    def _membership(
        self, membership: Membership, record: Record, span: Span, touched: set[Audience]
    ) -> int:
        routes = self._routes.get(membership.segment)
        if routes is None:
            return 0
        rows = self._identities.rows(membership.identities)
        if not rows:
            self._identities.judge(membership.identities)
            return 0
        changes = 0
        for route, audience in routes:
            for digests in rows:
                own = route.restrict(digests)
                if own is None:
                    continue
                left = len(own) - own.count(None)
                row = Row(
                    own, left, membership.action, span, record.offset, record.timestamp, record.key
                )
                self._backlog.accept(audience, row)
                touched.add(audience)
                changes += 1
        return changes

    def _set_aside(self, record: Record, invalid: InvalidRecord, span: Span, tally: _Tally) -> None:
        """Write a letter about the record; its span stays open until the broker has it."""
        topic = span.partition.topic
        origin = Origin(span.partition, record.offset, record.timestamp, record.key)
        stage = Stage.DECODE if invalid.reason in _DECODE_STAGE else Stage.IDENTITY
        letter = record_letter(
            origin, stage, invalid.reason, invalid.detail, record.value, self._wall()
        )
        span.open += 1
        self._dead_letters.put(letter, topic, invalid.reason, span.resolve)
        self._telemetry.record_error(topic, invalid.reason)
        tally.invalid += 1
        if tally.first_invalid < 0:
            tally.first_invalid = record.offset

    def _count(self, partition: Partition, tally: _Tally) -> None:
        self._telemetry.records_ended(
            partition.topic, tally.accepted, tally.filtered, tally.invalid
        )
        if tally.invalid:
            self._telemetry.records_invalid(partition, tally.first_invalid, tally.invalid)


_DECODE_STAGE = frozenset((*DECODE_REASONS, UNREADABLE_RECORD))


@dataclass(frozen=True, slots=True)
class _Unreadable:
    """A record of which nothing is known but where it stands."""

    offset: int
    timestamp: int = -1
    key: bytes | None = None
    value: bytes | None = None
    headers: tuple[tuple[str, bytes], ...] = ()
