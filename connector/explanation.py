"""What a record becomes by the present configuration, step by step, in words that hold nothing of it.

Owns the steps as values. The same decoders, identities, routes and rules about people as in connector.pipeline decide,
in the same order; a test holds the two to the same answers. What depends on earlier records is not known here. Pure;
counts nothing.

Of what a record says only that is named which the configuration names, too: segments, namespaces, audiences.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from connector.core.identity import Digests, IdentityMap, IdentityMapping, Target
from connector.core.letter import UNREADABLE_RECORD
from connector.core.model import Action, Stage
from connector.core.permission import NO_CONSENT, SUPPRESSED, Permission
from connector.core.recency import Recency
from connector.core.routing import AUDIENCE_CONFLICT, AudienceKey, Route, RoutingTable
from connector.core.verdicts import Judge, Verdict
from connector.errors import InvalidRecord
from connector.formats.cloudevents import memberships_of, unwrap
from connector.formats.membership import Format, Membership
from connector.replay.letters import REASONS

TOMBSTONE = "a record without a value"
NO_MEMBERSHIP = "the message says nothing about memberships"
NO_ROUTE = "no route"
REPEATED = "the same message says the same, or something newer, before"
NOT_CONFIGURED = "none of its namespaces is configured"
OTHER_ACCOUNT = "the event names an audience of another account"
NOT_TAKEN = "it has no identity that the route takes"
ALL_SUPPRESSED = "all its identifiers are suppressed"

_REMEMBERED = 100_000
"""Memberships within one message: more than any format lets through."""


class Refusal(NamedTuple):
    """Why a record is set aside; the detail quotes nothing of it."""

    reason: str
    stage: Stage
    detail: str


class Envelope(NamedTuple):
    """The CloudEvents envelope around a record.

    Attributes:
        mode: binary or structured; None for a record without a value, or a broken envelope.
        value_bytes: of what it holds; None for nothing.
    """

    mode: str | None = None
    value_bytes: int | None = None
    has_time: bool = False
    problem: str | None = None
    is_broken: bool = False


class Ruling(NamedTuple):
    """What the rules about people make of an addition.

    Attributes:
        has_consented: to all purposes that are required; None where none is.
        profile_is_suppressed: None where it is not looked at.
        suppressed: the target of each identifier that is left out; None where they are not looked at.
    """

    has_consented: bool | None = None
    profile_is_suppressed: bool | None = None
    suppressed: tuple[Target, ...] | None = None


class Led(NamedTuple):
    """A route that a membership's segment has, and what comes of it.

    Attributes:
        audience: as the configuration names it: `from_event` stays so.
        only: the targets that the route takes; None for all.
        rows: of each row that is sent, by slot, the targets that are filled.
        filtered: why nothing is sent; None when something is, or when it is refused.
        refusal: why the record is refused for this route.
    """

    audience: AudienceKey
    only: tuple[Target, ...] | None
    rows: tuple[tuple[Target | None, ...], ...] = ()
    filtered: str | None = None
    refusal: Refusal | None = None

    @property
    def schema(self) -> tuple[Target, ...]:
        """The targets that occur, in configured order."""
        return tuple(next(filter(None, one)) for one in zip(*self.rows, strict=True) if any(one))


@dataclass(frozen=True, slots=True)
class Member:
    """One membership of a record, and what comes of it.

    Attributes:
        segment: its name as routes call it; None for one that no route names.
        segment_length: in characters.
        said: what the event asks for; `action` is what is made of it.
        profile: which of the explanation's identities are its own.
        problem: a closed reason for something that was ignored.
        routes: those that were looked at.
        filtered: why no route was looked at.
        refusal: why it is not usable.
        ruling: None for an exit, and where there are no such rules.
    """

    segment: str | None
    segment_length: int
    said: Action
    action: Action
    profile: int
    has_profile_id: bool
    has_time: bool
    problem: str | None
    routes: tuple[Led, ...] = ()
    filtered: str | None = None
    refusal: Refusal | None = None
    ruling: Ruling | None = None

    @property
    def changes(self) -> int:
        return sum(len(route.rows) for route in self.routes)


@dataclass(frozen=True, slots=True)
class Explanation:
    """What became of a record.

    Attributes:
        repeats: whether the format repeats memberships: then the service leaves out what it has handled.
        profiles: what is judged of the identities of each profile.
        changes: how many there are, of memberships that are usable.
        filtered: why there is no membership.
        refusal: why it becomes a dead letter.
    """

    repeats: bool = False
    envelope: Envelope | None = None
    profiles: tuple[tuple[Verdict, ...], ...] = ()
    members: tuple[Member, ...] = ()
    changes: int = 0
    filtered: str | None = None
    refusal: Refusal | None = None

    @property
    def outcome(self) -> str:
        """As metrics call it."""
        if self.refusal is not None:
            return "invalid"
        return "accepted" if self.changes else "filtered"


UNREADABLE = Explanation(
    refusal=Refusal(UNREADABLE_RECORD, Stage.DECODE, "Kafka's client could not parse the record")
)


class Explainer:
    """Explains by one configuration: `explain`.

    Args:
        permission: the rules about people; None without any.
    """

    def __init__(
        self,
        mappings: Sequence[IdentityMapping],
        routes: RoutingTable,
        permission: Permission | None = None,
    ) -> None:
        self._judge = Judge(mappings)
        self._identities = IdentityMap(mappings)
        self._routes = routes
        self._permission = permission
        self._segments = frozenset(route.segment for route in routes)
        self._feeds = {route.audience: route.segment for route in routes if route.is_fixed}

    def explain(
        self, shape: Format, value: bytes | None, headers: Sequence[tuple[str, bytes]] = ()
    ) -> Explanation:
        """What the record becomes. Never raises, whatever its bytes are."""
        envelope = None
        try:
            envelope = _envelope(value, headers)
            memberships = memberships_of(shape, value, headers)
        except InvalidRecord as invalid:
            if envelope is None and _is_broken(value, headers):
                envelope = Envelope(is_broken=True)
            return Explanation(shape.repeats, envelope, refusal=_refusal(invalid))
        if not memberships:
            is_tombstone = value is None
            why = TOMBSTONE if is_tombstone else NO_MEMBERSHIP
            return Explanation(shape.repeats, envelope, filtered=why)
        reading = _Reading(dict(self._feeds), Recency(_REMEMBERED) if shape.repeats else None)
        for membership in memberships:
            if membership.identities is not reading.identities:
                reading.identities = membership.identities
                reading.profiles.append(tuple(self._judge.verdicts(membership.identities)))
                reading.rows = self._identities.rows(membership.identities)
            reading.members.append(self._member(membership, reading))
        changes = sum(one.changes for one in reading.members if one.refusal is None)
        refusal = next((one.refusal for one in reading.members if one.refusal), None)
        return Explanation(
            shape.repeats,
            envelope,
            tuple(reading.profiles),
            tuple(reading.members),
            changes,
            refusal=None if changes else refusal,
        )

    def _member(self, membership: Membership, reading: "_Reading") -> Member:
        routes = self._routes.of(membership.segment, membership.alias)
        said = membership.action
        ruling = self._ruling(membership) if routes else None
        filtered = NO_ROUTE if not routes else REPEATED if reading.knows(membership) else None
        led: tuple[Led, ...] = ()
        refusal: Refusal | None = None
        if filtered is None and reading.rows:
            rows, ruling = self._cleared(reading.rows, ruling)
            led = self._led(membership, routes, rows, reading.feeds)
            refusal = led[-1].refusal
        elif filtered is None:
            try:
                self._identities.judge(membership.identities)
                filtered = NOT_CONFIGURED
            except InvalidRecord as invalid:
                refusal = _refusal(invalid)
        names = (membership.segment, membership.alias)
        return Member(
            next((name for name in names if name in self._segments), None),
            len(membership.segment),
            said,
            membership.action,
            len(reading.profiles) - 1,
            membership.profile_id is not None,
            membership.at is not None,
            membership.problem,
            led,
            filtered,
            refusal,
            ruling,
        )

    def _ruling(self, membership: Membership) -> Ruling | None:
        """Let the rules make of the membership what they will."""
        rules = self._permission
        if rules is None or membership.action is not Action.ADD:
            return None
        reason = rules.judge(membership)
        has_consented = None if rules.consent is None else reason != NO_CONSENT
        if rules.suppressed is None or reason == NO_CONSENT:
            return Ruling(has_consented)
        return Ruling(has_consented, reason == SUPPRESSED)

    def _cleared(
        self, rows: Sequence[Digests], ruling: Ruling | None
    ) -> tuple[Sequence[Digests], Ruling | None]:
        """The rows without what must not be added, and which identifiers that was."""
        if ruling is None or ruling.profile_is_suppressed is not False:
            return rows, ruling
        left = self._permission.clear(rows) if self._permission else None
        if left is None:
            return rows, ruling._replace(suppressed=())
        targets = self._identities.targets
        gone = tuple(
            target
            for slot, target in enumerate(targets)
            for _ in range(_filled_in(slot, rows) - _filled_in(slot, left))
        )
        return left, ruling._replace(suppressed=gone)

    def _led(
        self,
        membership: Membership,
        routes: Sequence[Route],
        rows: Sequence[Digests],
        feeds: dict[AudienceKey, str],
    ) -> tuple[Led, ...]:
        """The membership's routes, up to the first for which it is refused."""
        found: list[Led] = []
        for route in routes:
            led = Led(route.audience, self._only(route))
            try:
                led = self._through(led, route, membership, rows, feeds)
            except InvalidRecord as invalid:
                found.append(led._replace(refusal=_refusal(invalid)))
                break
            found.append(led)
        return tuple(found)

    def _through(
        self,
        led: Led,
        route: Route,
        membership: Membership,
        rows: Sequence[Digests],
        feeds: dict[AudienceKey, str],
    ) -> Led:
        key = self._routes.audience(route, membership.audience_id, membership.advertiser_id)
        if key is None:
            return led._replace(filtered=OTHER_ACCOUNT)
        if feeds.setdefault(key, route.segment) != route.segment:
            raise InvalidRecord(
                AUDIENCE_CONFLICT, "the event names an audience that another segment feeds"
            )
        if not rows:
            return led._replace(filtered=ALL_SUPPRESSED)
        taken = [own for row in rows if (own := route.restrict(row)) is not None]
        filled = tuple(self._filled(row) for row in taken)
        return led._replace(rows=filled, filtered=None if filled else NOT_TAKEN)

    def _only(self, route: Route) -> tuple[Target, ...] | None:
        if route.slots is None:
            return None
        targets = self._identities.targets
        return tuple(one for one, takes in zip(targets, route.slots, strict=True) if takes)

    def _filled(self, row: Digests) -> tuple[Target | None, ...]:
        targets = self._identities.targets
        return tuple(
            None if digest is None else target for target, digest in zip(targets, row, strict=True)
        )


@dataclass(slots=True)
class _Reading:
    """How far the reading of one record has come.

    Attributes:
        feeds: the segment that feeds each audience.
        recent: what the message has said before, where it may repeat.
    """

    feeds: dict[AudienceKey, str]
    recent: Recency | None
    identities: Mapping[str, object] | None = None
    rows: Sequence[Digests] = ()
    profiles: list[tuple[Verdict, ...]] = field(default_factory=list)
    members: list[Member] = field(default_factory=list)

    def knows(self, membership: Membership) -> bool:
        if self.recent is None:
            return False
        return not self.recent.is_news(
            membership.profile_id,
            membership.segment,
            membership.at,
            membership.identities,
            membership.action,
        )


def _envelope(value: bytes | None, headers: Sequence[tuple[str, bytes]]) -> Envelope | None:
    found = unwrap(value, headers)
    if found is None:
        return None
    if found.value is None:
        return Envelope(has_time=found.time is not None, problem=found.problem)
    mode = "binary" if found.value is value else "structured"
    return Envelope(mode, len(found.value), found.time is not None, found.problem)


def _filled_in(slot: int, rows: Sequence[Digests]) -> int:
    return sum(row[slot] is not None for row in rows)


def _is_broken(value: bytes | None, headers: Sequence[tuple[str, bytes]]) -> bool:
    try:
        unwrap(value, headers)
    except InvalidRecord:
        return True
    return False


def _refusal(invalid: InvalidRecord) -> Refusal:
    return Refusal(invalid.reason, REASONS[invalid.reason], invalid.detail)
