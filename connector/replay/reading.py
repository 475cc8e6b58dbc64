"""What a record, or a letter's row, changes by the present configuration.

Owns the second reading of records: the same decoders, identities and routes as connector.pipeline, without lanes.
A test holds the two to the same answers. Pure; counts nothing.
"""

from collections.abc import Container, Mapping, Sequence
from typing import NamedTuple

from connector.core.identity import Digests, IdentityMap
from connector.core.model import Action
from connector.core.routing import AudienceKey, Route, by_segment
from connector.errors import InvalidRecord
from connector.formats.membership import Decode, Membership
from connector.replay.letters import SetAside


class Change(NamedTuple):
    """One user's identifiers for one audience."""

    audience: AudienceKey
    action: Action
    digests: Digests


class Reading:
    """Reads by one configuration: `changes`, `change_of`.

    Args:
        formats: the decoder of each topic.
    """

    def __init__(
        self, formats: Mapping[str, Decode], identities: IdentityMap, routes: Sequence[Route]
    ) -> None:
        self._formats = formats
        self._identities = identities
        self._routes = by_segment(routes)
        self._by_audience = {route.audience: route for route in routes}
        self._slots = {target: slot for slot, target in enumerate(identities.targets)}

    def knows(self, topic: str) -> bool:
        return topic in self._formats

    def changes(
        self, topic: str, value: bytes | None, only: Container[AudienceKey] | None = None
    ) -> list[Change]:
        """What the record changes; nothing when it is filtered.

        Args:
            only: leave out all other audiences, before the work that they would make.

        Raises:
            InvalidRecord: it has the wrong shape, or none of its memberships is usable.
        """
        if value is None:
            return []
        changes: list[Change] = []
        refusal: InvalidRecord | None = None
        for membership in self._formats[topic](value):
            try:
                changes += self._of(membership, only)
            except InvalidRecord as invalid:
                refusal = invalid
        if refusal is not None and not changes:
            raise refusal
        return changes

    def change_of(self, letter: SetAside) -> Change | None:
        """The change of a delivery letter; None when nothing leads to its audience or its targets any more."""
        route = self._by_audience.get(letter.audience)
        digests: Digests = [None] * len(self._slots)
        for target, digest in letter.row:
            slot = self._slots.get(target)
            if slot is None:
                return None
            digests[slot] = digest
        own = None if route is None else route.restrict(digests)
        return None if own is None else Change(letter.audience, letter.action, own)

    def _of(self, membership: Membership, only: Container[AudienceKey] | None) -> list[Change]:
        routes = [
            route
            for route in self._routes.get(membership.segment, ())
            if only is None or route.audience in only
        ]
        if not routes:
            return []
        rows = self._identities.rows(membership.identities)
        if not rows:
            self._identities.judge(membership.identities)
        return [
            Change(route.audience, membership.action, own)
            for route in routes
            for digests in rows
            if (own := route.restrict(digests)) is not None
        ]
