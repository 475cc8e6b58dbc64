"""The way of a record: decode, identify, route, coalesce into lanes; or set it aside.

Owns what a record becomes. Plain calls without a wait: what one poll brought is in the lanes when `take` returns.
Knows neither Kafka's client nor TikTok.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from connector.core.batch import Row
from connector.core.checkpoint import Checkpoint, Span
from connector.core.identity import Digests, IdentityMap
from connector.core.model import Action, Chunk, Partition, Record
from connector.core.permission import SUPPRESSED, Permission
from connector.core.recency import Recency
from connector.core.routing import (
    AUDIENCE_CONFLICT,
    TOO_MANY_AUDIENCES,
    Route,
    RoutingTable,
)
from connector.delivery.accounts import Audience
from connector.delivery.backlog import Backlog
from connector.errors import InvalidRecord
from connector.formats.cloudevents import memberships_of
from connector.formats.membership import Format, Membership
from connector.record_letters import RecordLetters
from connector.telemetry.events import IntakeEvents


@dataclass(slots=True)
class _Tally:
    """What became of one chunk's records."""

    accepted: int = 0
    filtered: int = 0
    invalid: int = 0
    first_invalid: int = -1

    def add_invalid(self, offset: int) -> None:
        self.invalid += 1
        if self.first_invalid < 0:
            self.first_invalid = offset


class _Repeats:
    """What was handled, for formats whose messages repeat memberships: of this assignment, each partition by itself."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint
        self._recent: dict[Partition, Recency] = {}
        self._epoch = -1

    def knows(self, partition: Partition, membership: Membership) -> bool:
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

    def forget(self) -> None:
        self._recent.clear()


class Pipeline:
    """Takes chunks of records: `take`.

    Args:
        formats: the decoder of each topic.
        permission: the rules about people; None without any.
    """

    def __init__(
        self,
        formats: Mapping[str, Format],
        identities: IdentityMap,
        routes: RoutingTable,
        checkpoint: Checkpoint,
        backlog: Backlog,
        letters: RecordLetters,
        telemetry: IntakeEvents,
        permission: Permission | None = None,
    ) -> None:
        self._formats = formats
        self._identities = identities
        self._checkpoint = checkpoint
        self._backlog = backlog
        self._letters = letters
        self._telemetry = telemetry
        self._permission = permission
        self._tells_profiles = permission is not None and permission.suppressed is not None
        self._repeats = _Repeats(checkpoint)
        self._table = routes
        self._routes = self._by_segment(routes)

    def set_routes(self, routes: RoutingTable) -> None:
        """Follow these routes from now on; the backlog has their lanes already."""
        self._table = routes
        self._routes = self._by_segment(routes)

    def _by_segment(self, routes: RoutingTable) -> dict[str, list[tuple[Route, Audience | None]]]:
        found: dict[str, list[tuple[Route, Audience | None]]] = {}
        for route in routes:
            found.setdefault(route.segment, []).append((route, self._backlog.of_route(route)))
        return found

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
                self._letters.set_aside(record, invalid, span)
                tally.add_invalid(record.offset)
        for offset in chunk.unreadable:
            self._letters.set_unreadable_aside(offset, span)
            tally.add_invalid(offset)
        span.resolve()
        self._count(partition, tally)
        return touched

    def forget_repeats(self) -> None:
        """Take everything that messages repeat for news: what was handled holds no more, as when a person is released."""
        self._repeats.forget()

    def _changes(self, record: Record, shape: Format, span: Span, touched: set[Audience]) -> int:
        """Put the record's changes into their lanes; returns how many there are.

        Raises InvalidRecord when the record has the wrong shape, or none of its memberships is usable.
        """
        changes = 0
        refusals: list[InvalidRecord] | None = None
        identities: object = None
        rows: list[Digests] = []
        permission, blocked = self._permission, None
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
            if not routes:
                continue
            if permission is not None:
                blocked = permission.judge(membership)
            if shape.repeats and self._repeats.knows(span.partition, membership):
                continue
            if membership.identities is not identities:
                identities = membership.identities
                rows = self._identities.rows(membership.identities)
            try:
                if rows:
                    some: Sequence[Digests] = rows
                    if permission is not None:
                        some = self._permitted(permission, membership, blocked, rows, span)
                    changes += self._put(membership, routes, some, record, span, touched)
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

    def _permitted(
        self,
        permission: Permission,
        membership: Membership,
        blocked: str | None,
        rows: Sequence[Digests],
        span: Span,
    ) -> Sequence[Digests]:
        """The rows without what must not be added; counts an addition that is not made as it was asked for."""
        if membership.action is Action.ADD and (left := permission.clear(rows)) is not None:
            blocked, rows = SUPPRESSED, left
        if blocked is not None:
            self._telemetry.additions_blocked(span.partition.topic, blocked, 1)
        return rows

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
        before, later_ms = span.position - record.offset, record.timestamp - span.oldest_ms
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
                row = Row(own, left, membership.action, span, before, later_ms, record.key)
                if self._tells_profiles:
                    row.profile = membership.profile_id
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
