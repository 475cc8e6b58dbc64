"""All changes that have been accepted and have not ended.

Owns the audiences' lanes as one: the count of pending changes, and the assignment epoch whose changes they are.
Does no IO.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from connector.core.batch import Batch, Row
from connector.core.lane import Lane, Veto
from connector.core.room import Limits
from connector.core.routing import AudienceKey, Route
from connector.delivery.accounts import Account, Audience
from connector.telemetry.events import ChangeEnd, DeliveryEvents

_MOST_AUDIENCES = 10_000
"""A lane takes some kilobytes: what events may name must be bounded."""

_MOST_ROWS = 10_000
"""TikTok takes no more in one call."""


class Backlog:
    """The lanes of all audiences: `accept`, `end`, `forget`.

    Args:
        accounts: by destination name.
        cell_bytes: from an audience's id, the most bytes of one identifier in a call to it.
        veto: says what must not be added after all, when it is about to be sent; None without anybody who could.

    Attributes:
        pending: changes that have not ended: waiting, held, under way, or set aside and not acknowledged.
        epoch: goes up when the changes of an assignment are given up.
        in_trouble: the audiences that are halted, or have failed and not succeeded since.
    """

    def __init__(
        self,
        accounts: Mapping[str, Account],
        routes: Iterable[Route],
        slots: int,
        limits: Limits,
        cell_bytes: Callable[[str], int],
        telemetry: DeliveryEvents,
        veto: Veto | None = None,
    ) -> None:
        self.pending = 0
        self.epoch = 0
        self.in_trouble: set[Audience] = set()
        self.accounts = tuple(accounts.values())
        self._by_name = accounts
        self._slots = slots
        self._cell_bytes = cell_bytes
        self._limits = limits
        self._bound = _MOST_ROWS
        self._telemetry = telemetry
        self._veto = veto
        self._audiences: dict[AudienceKey, Audience] = {}
        for route in routes:
            if route.is_fixed:
                self._open(route, route.audience)

    def set_routes(self, routes: Sequence[Route]) -> None:
        """Have a lane for each audience that these routes lead to; those that none leads to any more are retired."""
        fixed = {route.audience: route for route in routes if route.is_fixed}
        by_event = {
            (route.segment, route.audience.destination): route
            for route in routes
            if not route.is_fixed
        }
        for key, route in fixed.items():
            if key in self._audiences:
                self._audiences[key].follow(route)
            else:
                self._open(route, key)
        for audience in self:
            if audience.key in fixed:
                continue
            theirs = by_event.get((audience.segment, audience.key.destination))
            if theirs is None:
                audience.is_retired = True
            else:
                audience.follow(theirs)
        shown = [*fixed, *(key for key in self._audiences if key not in fixed)]
        self._audiences = {key: self._audiences[key] for key in shown}

    def dismiss(self, now: float) -> None:
        """Let go of the retired audiences of which nothing is left to be done."""
        for audience in [one for one in self if one.is_retired and one.is_done(now)]:
            del self._audiences[audience.key]
            self.in_trouble.discard(audience)
            account = audience.account
            account.audiences.remove(audience)
            account.denied = [one for one in account.denied if one is not audience]

    def _open(self, route: Route, key: AudienceKey) -> Audience:
        account = self._by_name[key.destination]
        lane = self._lane(key)
        audience = Audience(key, route.segment, account, lane, route.sets_aside, route.slots)
        account.audiences.append(audience)
        self._audiences[key] = audience
        return audience

    def _lane(self, key: AudienceKey) -> Lane:
        cell_bytes = self._cell_bytes(key.audience_id)
        return Lane(self._slots, self._limits, cell_bytes, self._superseded, self._veto)

    def of_route(self, route: Route) -> Audience | None:
        """The audience that the route names; None when each event names its own."""
        return self._audiences[route.audience] if route.is_fixed else None

    def named(self, route: Route, key: AudienceKey) -> Audience | None:
        """The audience that an event names for this route; None when events have named too many."""
        known = self._audiences.get(key)
        if known is not None and known.is_retired:
            known.follow(route)
        if known is None and len(self._audiences) < _MOST_AUDIENCES:
            return self._open(route, key)
        return known

    def __getitem__(self, key: AudienceKey) -> Audience:
        return self._audiences[key]

    def __iter__(self) -> Iterator[Audience]:
        return iter(self._audiences.values())

    def note(self, audience: Audience) -> None:
        """The audience's gate, or its account's, may have changed."""
        if audience.is_in_trouble and self._audiences.get(audience.key) is audience:
            self.in_trouble.add(audience)
        else:
            self.in_trouble.discard(audience)

    def accept(self, audience: Audience, row: Row) -> None:
        """Take in a change; its span has one more open part until it ends."""
        row.span.open += 1
        self.pending += 1
        audience.lane.add(row)

    def end(self, batch: Batch, how: ChangeEnd) -> None:
        """All changes of a batch have ended in this way; their parts of the checkpoint are resolved."""
        self.pending -= len(batch.rows)
        for span, rows in batch.spans().items():
            self._telemetry.changes_ended(span.partition.topic, how, rows)
            span.resolve(rows)

    def end_row(self, row: Row, how: ChangeEnd) -> None:
        """One change has ended in this way."""
        self.pending -= 1
        self._telemetry.changes_ended(row.span.partition.topic, how, 1)
        row.span.resolve()

    def give_up(self, rows: Iterable[Row]) -> None:
        """These changes are not ours any more: the partition's next owner reads them again."""
        for row in rows:
            self.pending -= 1
            self._telemetry.changes_ended(row.span.partition.topic, ChangeEnd.HANDED_OVER, 1)

    def forget(self) -> None:
        """Begin a new epoch without any pending change. Calls under way go on and keep their fences."""
        self.epoch += 1
        for audience in self:
            self.give_up(audience.lane.forget())

    def lower_max_rows(self, rows: int) -> None:
        """TikTok found a call too large: no call of this run is to be larger than so many rows."""
        rows = max(1, rows)
        if rows < self._limits.max_rows:
            self._telemetry.max_rows_lowered(rows)
            self._bound = rows
            self.set_limits(self._limits)

    def set_limits(self, limits: Limits) -> None:
        """Cut by these limits from now on; what TikTok found too large stays too large."""
        self._limits = replace(limits, max_rows=min(limits.max_rows, self._bound))
        for audience in self:
            audience.lane.room.limits = self._limits

    def is_stuck(self) -> bool:
        """Whether all that is left is of halted audiences or destinations."""
        is_busy = False
        for one in self:
            if len(one.lane) or one.lane.calls:
                if not (one.is_halted or one.account.is_halted):
                    return False
                is_busy = True
        return is_busy

    def is_in_doubt(self, now: float) -> bool:
        """Whether there is a call of unknown fate that TikTok may still apply."""
        return any(audience.lane.fences.last_echo_ends() > now for audience in self)

    def oldest_since(self) -> float:
        """Since when the longest waiting change has been pending; infinity without one."""
        return min((one.lane.oldest_since() for one in self), default=float("inf"))

    def _superseded(self, row: Row) -> None:
        self.end_row(row, ChangeEnd.SUPERSEDED)
