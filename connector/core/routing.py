"""Which audiences a segment feeds, and with which identities.

Owns the table from segment to routes. Pure; knows neither lanes nor destinations beyond their names.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from connector.core.identity import Digests, Target
from connector.errors import InvalidRecord

FROM_EVENT = "from_event"
"""In place of an audience's id in a route: each event names its own."""


class AudienceKey(NamedTuple):
    """An audience of a destination, by the names the configuration gives them."""

    destination: str
    audience_id: str


@dataclass(frozen=True, slots=True)
class Route:
    """One segment feeds one audience.

    Attributes:
        slots: which identity slots may be sent; None for all.
        sets_aside: whether the changes of a blocked audience become letters when they reach their bound; else
            they hold the intake.
    """

    segment: str
    audience: AudienceKey
    slots: tuple[bool, ...] | None = None
    sets_aside: bool = False

    @property
    def is_fixed(self) -> bool:
        """Whether the configuration names the audience; else each event does."""
        return self.audience.audience_id != FROM_EVENT

    def restrict(self, row: Digests) -> Digests | None:
        """The row's digests that this audience takes, as a list of its own; None if there are none."""
        return restrict(row, self.slots)


def restrict(row: Digests, slots: tuple[bool, ...] | None) -> Digests | None:
    """The row's digests in these slots, as a list of its own; None if there are none."""
    if slots is None:
        return row.copy()
    kept = [digest if take else None for digest, take in zip(row, slots, strict=True)]
    return kept if any(kept) else None


def slots_of(targets: Sequence[Target], only: Sequence[Target] | None) -> tuple[bool, ...] | None:
    """A route's restriction to some targets, as a mask over the slots."""
    if only is None:
        return None
    return tuple(target in only for target in targets)


NO_AUDIENCE = "no_audience"
AUDIENCE_CONFLICT = "audience_conflict"
TOO_MANY_AUDIENCES = "too_many_audiences"
AUDIENCE_REASONS = (NO_AUDIENCE, AUDIENCE_CONFLICT, TOO_MANY_AUDIENCES)
"""Why a record is set aside whose route leaves the audience to it."""

_is_audience_id = re.compile(r"[0-9]{1,32}").fullmatch


class RoutingTable:
    """Which routes a segment has, and which audience each leads to.

    Args:
        advertisers: by destination, its account's id at TikTok.
    """

    def __init__(self, routes: Iterable[Route], advertisers: Mapping[str, str]) -> None:
        # Who leaves the audience to the event may refuse it: before a change is accepted for another.
        self._by_segment = by_segment(sorted(routes, key=lambda route: route.is_fixed))
        self._advertisers = advertisers

    def __iter__(self) -> Iterator[Route]:
        return (route for some in self._by_segment.values() for route in some)

    def of(self, segment: str, alias: str | None = None) -> tuple[Route, ...]:
        """The routes that name the segment, by its id or by its other name."""
        routes = self._by_segment.get(segment, ())
        if alias is None or alias == segment:
            return routes
        return (*routes, *self._by_segment.get(alias, ()))

    def audience(
        self, route: Route, audience_id: str | None, advertiser_id: str | None
    ) -> AudienceKey | None:
        """The audience that the route leads to; None when the event names one of another account.

        Args:
            audience_id: the audience that the event names.
            advertiser_id: the account that it names with it.

        Raises:
            InvalidRecord: the event is to name its audience, and does not.
        """
        if route.is_fixed:
            return route.audience
        destination = route.audience.destination
        if advertiser_id not in {None, self._advertisers[destination]}:
            return None
        if audience_id is None or not _is_audience_id(audience_id):
            raise InvalidRecord(NO_AUDIENCE, "the event names no audience by its id")
        return AudienceKey(destination, audience_id)


def by_segment(routes: Iterable[Route]) -> dict[str, tuple[Route, ...]]:
    """The routes of each segment that has any."""
    table: dict[str, tuple[Route, ...]] = {}
    for route in routes:
        table[route.segment] = (*table.get(route.segment, ()), route)
    return table
