"""The way of a record: decode, identify, route, coalesce into lanes; or set it aside.

Owns what a record becomes. Plain calls without a wait: what one poll brought is in the lanes when `take` returns.
Knows neither Kafka's client nor TikTok.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from connector.core.batch import Row
from connector.core.checkpoint import Checkpoint, Span
from connector.core.identity import Digests, IdentityMap
from connector.core.letter import UNREADABLE_RECORD, Origin, record_letter
from connector.core.model import Chunk, Partition, Record, Stage
from connector.core.recency import Recency
from connector.core.routing import (
    AUDIENCE_CONFLICT,
    AUDIENCE_REASONS,
    TOO_MANY_AUDIENCES,
    Route,
    RoutingTable,
)
from connector.delivery.accounts import Audience
from connector.delivery.backlog import Backlog
from connector.delivery.dead_letters import DeadLetterQueue
from connector.errors import InvalidRecord
from connector.formats.cloudevents import memberships_of
from connector.formats.membership import DECODE_REASONS, Format, Membership
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
        clock: monotonic seconds.
        wall: seconds since the epoch.
    """

    def __init__(
        self,
        formats: Mapping[str, Format],
        identities: IdentityMap,
        routes: RoutingTable,
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
        self._table = routes
        self._routes: dict[str, list[tuple[Route, Audience | None]]] = {}
        for route in routes:
            self._routes.setdefault(route.segment, []).append((route, backlog.of_route(route)))
        self._recent: dict[Partition, Recency] = {}
        self._epoch = -1

    def take(self, partition: Partition, chunk: Chunk, now: float) -> set[Audience]:
        """Take in what a poll brought of one partition; returns the audiences that got changes."""
        tally = _Tally()
        touched: set[Audience] = set()
        oldest = chunk.records[0].timestamp if chunk.records else -1
        records = len(chunk.records) + len(chunk.unreadable)
        span = self._checkpoint.track(partition, chunk.position, now, oldest, records)
        shape = self._formats[partition.topic]
        for record in chunk.records:
            try:
                if self._changes(record, shape, span, touched):
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

    def _changes(self, record: Record, shape: Format, span: Span, touched: set[Audience]) -> int:
        """Put the record's changes into their lanes; returns how many there are.

        Raises InvalidRecord when the record has the wrong shape, or none of its memberships is usable.
        """
        changes = 0
        refusals: list[InvalidRecord] | None = None
        identities: object = None
        rows: list[Digests] = []
        value = record.value
        if value is None or record.headers:
            memberships = memberships_of(shape, value, record.headers)
        else:  # hot
            memberships = shape.decode(value)
        for membership in memberships:
            if membership.problem is not None:
                self._telemetry.record_error(span.partition.topic, membership.problem)
            routes: Sequence[tuple[Route, Audience | None]]
            routes = self._routes.get(membership.segment, ())
            if membership.alias is not None:
                routes = self._with_alias(membership)
            if not routes or (shape.repeats and self._is_known(span.partition, membership)):
                continue
            if membership.identities is not identities:
                identities = membership.identities
                rows = self._identities.rows(membership.identities)
            try:
                if rows:
                    changes += self._put(membership, routes, rows, record, span, touched)
                else:
                    self._identities.judge(membership.identities)
            except InvalidRecord as invalid:
                refusals = [*(refusals or ()), invalid]
        if refusals is None:
            return changes
        if not changes:
            raise refusals[0]
        for refusal in refusals:  # of a message in which others were usable
            self._telemetry.record_error(span.partition.topic, refusal.reason)
        return changes

    def _with_alias(self, membership: Membership) -> Sequence[tuple[Route, Audience | None]]:
        """The routes that name the segment by either of its names."""
        routes = self._routes.get(membership.segment, ())
        if membership.alias is None or membership.alias == membership.segment:
            return routes
        return (*routes, *self._routes.get(membership.alias, ()))

    def _is_known(self, partition: Partition, membership: Membership) -> bool:
        """Whether the membership is older than what was handled, or the same; what is not known is news."""
        if self._epoch != self._checkpoint.epoch:
            self._epoch = self._checkpoint.epoch
            self._recent.clear()
        recent = self._recent.get(partition)
        if recent is None:
            most = _MOST_REMEMBERED // len(self._checkpoint.partitions())
            recent = self._recent[partition] = Recency(max(most, _LEAST_REMEMBERED))
        return not recent.is_news(
            membership.profile_id,
            membership.segment,
            membership.at,
            membership.identities,
            membership.action,
        )

    def _put(
        self,
        membership: Membership,
        routes: Iterable[tuple[Route, Audience | None]],
        rows: Sequence[Digests],
        record: Record,
        span: Span,
        touched: set[Audience],
    ) -> int:
        changes = 0
        for route, fixed in routes:
            audience = fixed
            if audience is None:
                audience = self._named_audience(route, membership)
                if audience is None:
                    continue
            for digests in rows:
                own = digests.copy() if route.slots is None else route.restrict(digests)
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

    def _named_audience(self, route: Route, membership: Membership) -> Audience | None:
        """The audience that the event names; None when it names it for another account.

        Raises InvalidRecord when it names none, or one that another segment feeds.
        """
        key = self._table.audience(route, membership.audience_id, membership.advertiser_id)
        if key is None:
            return None
        audience = self._backlog.named(route, key)
        if audience is None:
            raise InvalidRecord(TOO_MANY_AUDIENCES, "events have named too many audiences")
        if audience.segment != route.segment:
            raise InvalidRecord(
                AUDIENCE_CONFLICT, "the event names an audience that another segment feeds"
            )
        return audience

    def _set_aside(self, record: Record, invalid: InvalidRecord, span: Span, tally: _Tally) -> None:
        """Write a letter about the record; its span stays open until the broker has it."""
        topic = span.partition.topic
        origin = Origin(span.partition, record.offset, record.timestamp, record.key)
        stage = Stage.DECODE if invalid.reason in _DECODE_STAGE else Stage.IDENTITY
        letter = record_letter(
            origin,
            stage,
            invalid.reason,
            invalid.detail,
            record.value,
            self._wall(),
            headers=record.headers,
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


_MOST_REMEMBERED = 200_000
"""Memberships whose repetition is recognised, of all partitions together: 210 bytes each."""

_LEAST_REMEMBERED = 1_000
"""Of one partition, however many there are."""

_DECODE_STAGE = frozenset((*DECODE_REASONS, *AUDIENCE_REASONS, UNREADABLE_RECORD))


@dataclass(frozen=True, slots=True)
class _Unreadable:
    """A record of which nothing is known but where it stands."""

    offset: int
    timestamp: int = -1
    key: bytes | None = None
    value: bytes | None = None
    headers: tuple[tuple[str, bytes], ...] = ()
