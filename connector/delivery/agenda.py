"""Whose batch is next: when each audience's is due, and that inquiries get their part of the calls.

Owns the two schedules, of ordinary batches and of those that find out which rows are bad. Makes no call, and asks
nobody whether one may be made.
"""

import math

from connector.core.schedule import Schedule
from connector.delivery.accounts import Audience

_CALLS_BETWEEN_INQUIRIES = 9


class Agenda:
    """Audiences by when their next batch is due: `set`, `next_due`, `pop`."""

    def __init__(self) -> None:
        self._batches: Schedule[Audience] = Schedule()
        self._suspects: Schedule[Audience] = Schedule()
        self._calls_since_inquiry = 0

    def set(self, audience: Audience, opens_at: float | None, *, at_once: bool) -> None:
        """Look at the audience's lane anew.

        Args:
            opens_at: when it may be called; None for not before something ends.
            at_once: whether its oldest row need not linger.
        """
        lane = audience.lane
        due = suspects_due = oldest = math.inf
        if opens_at is not None:
            due = max(opens_at, lane.due_at(draining=at_once))
            if lane.suspects:
                suspects_due, oldest = opens_at, lane.oldest_since()
        self._batches.set(audience, due, lane.waiting.since())
        self._suspects.set(audience, suspects_due, oldest)

    def is_true_of(self, audience: Audience, now: float) -> bool:
        """Whether rows that were put into the audience's lane leave it due when it was, as nearly always.

        They may have taken over what made it due: then it stays due, and goes earlier than it need.
        """
        due, lane = self._batches.due_at(audience), audience.lane
        if due <= now:
            return not lane.waiting.urgent.live
        lingered = lane.waiting.since() + lane.room.limits.linger_seconds
        return due <= lingered and not lane.waiting.has_full(lane.room.is_full)

    def next_due(self, now: float) -> float:
        """When the next batch is due, ordinary or of an inquiry; infinity without one."""
        return min(self._batches.next_due(now), self._suspects.next_due(now))

    def pop(self, now: float) -> tuple[Audience | None, bool]:
        """The audience that a call is to be made for now, and whether it is one of an inquiry; None if none is due."""
        inquires = self._is_inquiries_turn(now)
        return (self._suspects if inquires else self._batches).pop(now), inquires

    def called(self, *, inquires: bool) -> None:
        """A call was made."""
        self._calls_since_inquiry = 0 if inquires else self._calls_since_inquiry + 1

    def _is_inquiries_turn(self, now: float) -> bool:
        """Looking for bad rows gets one call in ten while others are due, and all that are unused."""
        if self._suspects.next_due(now) > now:
            return False
        is_unused = self._batches.next_due(now) > now
        return is_unused or self._calls_since_inquiry >= _CALLS_BETWEEN_INQUIRIES
