"""What a record, or a letter's row, changes by the present configuration.

Owns the second reading of records: the same decoders, identities, routes and rules about people as in
connector.pipeline, without lanes. A test holds the two to the same answers. Pure; counts nothing.
"""

from collections.abc import Container, Mapping, Sequence
from typing import NamedTuple

from connector.core.identity import Digests, IdentityMap
from connector.core.model import Action
from connector.core.permission import Permission
from connector.core.recency import Recency
from connector.core.routing import FROM_EVENT, AudienceKey, Route, RoutingTable
from connector.errors import InvalidRecord
from connector.formats.cloudevents import memberships_of
from connector.formats.membership import Format, Membership
from connector.replay.letters import SetAside


class Change(NamedTuple):
    """One user's identifiers for one audience, and the route that leads to it.

    Attributes:
        profile: whose they are, where the record says so; letters about rows do not.
        is_blocked: whether the record asks for an addition, and the rules about people make it a deletion.
    """

    audience: AudienceKey
    action: Action
    digests: Digests
    route: Route
    profile: str | None = None
    is_blocked: bool = False


class Suppressed(Exception):  # noqa: N818
    """The change is an addition, and all its identifiers are suppressed."""


class Reading:
    """Reads by one configuration: `changes`, `change_of`.

    Args:
        formats: how each topic's records are read.
        permission: the rules about people; None without any.
    """

    def __init__(
        self,
        formats: Mapping[str, Format],
        identities: IdentityMap,
        routes: RoutingTable,
        permission: Permission | None = None,
    ) -> None:
        self._formats = formats
        self._identities = identities
        self._routes = routes
        self._permission = permission
        self._by_audience = {route.audience: route for route in routes}
        self._slots = {target: slot for slot, target in enumerate(identities.targets)}

    def knows(self, topic: str) -> bool:
        return topic in self._formats

    def changes(
        self,
        topic: str,
        value: bytes | None,
        headers: Sequence[tuple[str, bytes]] = (),
        only: Container[AudienceKey] | None = None,
        recent: Recency | None = None,
    ) -> list[Change]:
        """What the record changes; nothing when it is filtered.

        Args:
            only: leave out all other audiences, before the work that they would make.
            recent: what was read before of this partition, for formats whose messages repeat memberships: a
                repetition changes nothing.

        Raises:
            InvalidRecord: it has the wrong shape, or none of its memberships is usable.
        """
        changes: list[Change] = []
        refusal: InvalidRecord | None = None
        shape = self._formats[topic]
        for membership in memberships_of(shape, value, headers):
            try:
                changes += self._of(membership, only, recent if shape.repeats else None)
            except InvalidRecord as invalid:
                refusal = refusal or invalid
        if refusal is not None and not changes:
            raise refusal
        return changes

    def change_of(self, letter: SetAside) -> Change | None:
        """The change of a delivery letter; None when nothing leads to its audience or its targets any more.

        Whose it is, and what they have consented to, the letter does not say: its record does. Raises Suppressed.
        """
        route = self._route_to(letter.audience)
        digests: Digests = [None] * len(self._slots)
        for target, digest in letter.row:
            slot = self._slots.get(target)
            if slot is None:
                return None
            digests[slot] = bytes.fromhex(digest)
        own = None if route is None else route.restrict(digests)
        if route is None or own is None:
            return None
        if letter.action is Action.ADD:
            permitted = self._cleared([own])
            if not permitted:
                raise Suppressed
            own = permitted[0]
        return Change(letter.audience, letter.action, own, route)

    def _route_to(self, audience: AudienceKey) -> Route | None:
        """The route that names the audience, else one whose events name theirs."""
        any_of_events = AudienceKey(audience.destination, FROM_EVENT)
        return self._by_audience.get(audience) or self._by_audience.get(any_of_events)

    def _of(
        self,
        membership: Membership,
        only: Container[AudienceKey] | None,
        recent: Recency | None,
    ) -> list[Change]:
        led = []
        for route in self._routes.of(membership.segment, membership.alias):
            key = self._routes.audience(route, membership.audience_id, membership.advertiser_id)
            if key is not None and (only is None or key in only):
                led.append((route, key))
        if not led:
            return []
        blocked = None if self._permission is None else self._permission.judge(membership)
        if recent is not None and not _is_news(membership, recent):
            return []
        rows = self._identities.rows(membership.identities)
        if not rows:
            self._identities.judge(membership.identities)
        if membership.action is Action.ADD:
            rows = self._cleared(rows)
        return [
            Change(key, membership.action, own, route, membership.profile_id, blocked is not None)
            for route, key in led
            for digests in rows
            if (own := route.restrict(digests)) is not None
        ]

    def _cleared(self, rows: list[Digests]) -> list[Digests]:
        """The rows of an addition without what is suppressed."""
        left = None if self._permission is None else self._permission.clear(rows)
        return rows if left is None else left


def _is_news(membership: Membership, recent: Recency) -> bool:
    return recent.is_news(
        membership.profile_id,
        membership.segment,
        membership.at,
        membership.identities,
        membership.action,
    )
