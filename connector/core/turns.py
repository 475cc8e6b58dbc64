"""Turns by the clock: when the next call may start, where replicas share the calls of one app.

Owns the rule by which replicas that never talk to each other make no more calls together than one would. The app's
time is cut into turns of 1.04 / n seconds, counted from the Unix epoch. The partitions of the group's topics, in the
order of topic and number, own one turn each in rotation, and whoever owns a partition owns its turns. In each turn
one call may start, at most 30 milliseconds after it began.

Why that keeps the allowance: n + 1 calls of whatever replicas span n turns, 1.04 seconds, less what the first one was
late, more what the last one was. In the worst case 10 milliseconds are left for clocks that differ and for the way
to TikTok; calls are seldom late by more than a few, so that clocks which are 10 milliseconds off on average earn no
refusal in a thousand calls (tests/simulation). Worse ones cost calls, never data: TikTok answers 40100, and
connector.core.rate_limit reacts.

The order serves evenness alone: the assignor deals partitions out one by one in the same order (see
connector.kafka.source), so the turns of a replica are as evenly spaced as its partitions allow.

Pure: moments are seconds of a monotonic clock, and the way from there to the epoch is an argument.
"""

import math
from bisect import bisect_left
from collections.abc import Callable, Collection
from typing import NamedTuple

from connector.core.model import Partition
from connector.core.spacing import MARGIN

_LATE_SECONDS = 0.03
"""How late a call of a turn may start; later the turn is lost. It may be longer than a turn: calls that a busy event
loop has missed in that time are then made at once."""

_STEP_SECONDS = 1.0
"""When the wall clock moved so far against the monotonic one, it was set: turns of before mean nothing any more.

Clocks that are corrected little by little, by 0.5 milliseconds a second, get there in half an hour: then one turn more
may be used, or one less."""


class Part(NamedTuple):
    """A replica's part of the calls of an app.

    Attributes:
        mine: which places of the rotation are its own, ascending.
        places: how many there are.
    """

    mine: tuple[int, ...]
    places: int

    @property
    def fraction(self) -> float:
        """Of the allowance, 0..1."""
        return len(self.mine) / self.places if self.places else 0.0


WHOLE = Part((0,), 1)
NOTHING = Part((), 1)


def part_of(mine: Collection[Partition], every: Collection[Partition]) -> Part:
    """The part of whoever owns these partitions of a group's.

    Args:
        every: the partitions of all topics of the group, as far as they are known; those that are mine belong to them.
    """
    owned = set(mine)
    rotation = sorted(owned.union(every))
    places = tuple(place for place, one in enumerate(rotation) if one in owned)
    return Part(places, len(rotation))


class Turns:
    """Calls in the turns of a part: `next`, `take`, `is_unused`, as connector.core.spacing has them.

    Our turns are numbered without gaps, and `slowness` is how many of them a call takes.

    Args:
        calls_per_second: the allowance of all replicas together, the same with each of them.
        part: more than nothing.
        to_epoch: a moment in seconds since the Unix epoch, as the wall clock is set now.
    """

    def __init__(
        self, calls_per_second: float, part: Part, to_epoch: Callable[[float], float]
    ) -> None:
        self._seconds = MARGIN / calls_per_second
        self._mine = part.mine
        self._places = part.places
        self._to_epoch = to_epoch
        self._last = 0.0
        self._offset = math.inf

    def next(self, at: float, slowness: float) -> float:
        """When the first call may start that starts at that moment or later."""
        wall = self._to_epoch(at)
        return at + max(0.0, self._begins(self._first(at, wall, slowness)) - wall)

    def take(self, at: float, slowness: float) -> None:
        """A call starts at that moment, which `next` named."""
        wall = self._to_epoch(at)
        number = self._first(at, wall, slowness)
        # What is not a whole turn is carried on: seven calls in ten turns, where that is the pace.
        self._last = max(self._due(wall - at, slowness), number - 1.0)
        self._offset = wall - at

    def is_unused(self, at: float, slowness: float) -> bool:
        """Whether a call could have started in a turn that is over by that moment, and did not."""
        wall = self._to_epoch(at)
        return math.floor(self._due(wall - at, slowness)) + 1 < self._open(wall)

    def _first(self, at: float, wall: float, slowness: float) -> int:
        """The number of the first turn that is not over, and not too soon after the last one."""
        return max(self._open(wall), math.floor(self._due(wall - at, slowness)) + 1)

    def _due(self, offset: float, slowness: float) -> float:
        """A call may start in the turns after this number. Computed anew, so that another slowness counts at once."""
        is_set = abs(offset - self._offset) > _STEP_SECONDS
        return -1.0 if is_set else self._last + slowness

    def _open(self, wall: float) -> int:
        """The number of the first of our turns in which a call may start yet."""
        turn = math.floor((wall - _LATE_SECONDS) / self._seconds) + 1
        rounds, place = divmod(turn, self._places)
        return rounds * len(self._mine) + bisect_left(self._mine, place)

    def _begins(self, number: int) -> float:
        """When one of our turns begins, in seconds since the epoch."""
        rounds, index = divmod(number, len(self._mine))
        return (rounds * self._places + self._mine[index]) * self._seconds
