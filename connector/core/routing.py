"""Which audiences a segment feeds, and with which identities.

Owns the table from segment to routes. Pure; knows neither lanes nor destinations beyond their names.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from connector.core.identity import Digests, Target

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
        if self.slots is None:
            return row.copy()
        kept = [digest if take else None for digest, take in zip(row, self.slots, strict=True)]
        return kept if any(kept) else None


def slots_of(targets: Sequence[Target], only: Sequence[Target] | None) -> tuple[bool, ...] | None:
    """A route's restriction to some targets, as a mask over the slots."""
    if only is None:
        return None
    return tuple(target in only for target in targets)


def by_segment(routes: Iterable[Route]) -> dict[str, tuple[Route, ...]]:
    """The routes of each segment that has any."""
    table: dict[str, tuple[Route, ...]] = {}
    for route in routes:
        table[route.segment] = (*table.get(route.segment, ()), route)
    return table
