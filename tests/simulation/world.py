"""Replicas that always have work, what comes between them and TikTok, and what TikTok counts.

Owns the chance: everything comes from one seed. Time is a number, true for all; each replica's wall clock differs
from it.
"""

import heapq
import random
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from itertools import pairwise

from connector.core.model import Partition
from connector.core.rate_limit import RateLimit
from connector.core.turns import NOTHING, Part, part_of

EPOCH = 1_800_000_000.0
TO_MIDNIGHT = 40_000.0


class Pacing(Enum):
    """How replicas keep below the allowance."""

    TURNS = "turns by the clock"
    ALONE = "each one evenly, by its share"


class Window(Enum):
    """Which seconds TikTok counts in."""

    CALENDAR = "calendar"
    SLIDING = "sliding"


@dataclass(frozen=True)
class Nature:
    """What is not as it should be, in seconds. Whatever is exponential is named by its mean.

    Attributes:
        skew: the standard deviation of the wall clocks; no clock is off by more than four of it.
        late: how much later than asked for a replica wakes up.
        way: what a call takes to TikTok and an answer takes back, beyond 20 milliseconds.
    """

    skew: float = 0.002
    late: float = 0.002
    way: float = 0.002


class TikTok:
    """Counts calls, and refuses those that are too many in the kind of second that it goes by."""

    def __init__(self, calls_per_second: int, window: Window) -> None:
        self.calls: list[float] = []
        self.refused: list[float] = []
        self._most = calls_per_second
        self._window = window
        self._recent: deque[float] = deque()

    def arrive(self, at: float) -> bool:
        """Count a call that arrives after all others; whether it is accepted."""
        begins = float(at // 1.0) if self._window is Window.CALENDAR else at - 1.0
        while self._recent and self._recent[0] < begins:
            self._recent.popleft()
        self._recent.append(at)
        self.calls.append(at)
        is_accepted = len(self._recent) <= self._most
        if not is_accepted:
            self.refused.append(at)
        return is_accepted


@dataclass
class Replica:
    """One process with more work than calls.

    Attributes:
        starts: when its calls started.
        stint: which assignment it works under; wake-ups of an earlier one are void.
    """

    rate: RateLimit
    starts: list[float] = field(default_factory=list)
    stint: int = 0

    def since(self, begin: float) -> list[float]:
        """When its calls started, from then on."""
        return self.starts[bisect_left(self.starts, begin) :]


def dealt_out(partitions: int, replicas: int) -> list[list[Partition]]:
    """One by one, as the round-robin assignor does."""
    every = [Partition("members", number) for number in range(partitions)]
    return [every[first::replicas] for first in range(replicas)]


def in_ranges(partitions: int, replicas: int) -> list[list[Partition]]:
    """Neighbours together, as the range assignor does."""
    every = [Partition("members", number) for number in range(partitions)]
    ends = [partitions * number // replicas for number in range(replicas + 1)]
    return [every[start:end] for start, end in pairwise(ends)]


class World:
    """So many replicas under one allowance: `give`, `take_all`, `run`."""

    def __init__(
        self,
        calls_per_second: int,
        seed: int,
        *,
        pacing: Pacing = Pacing.TURNS,
        window: Window = Window.CALENDAR,
        nature: Nature | None = None,
    ) -> None:
        self.begun = self.now = EPOCH
        self.tiktok = TikTok(calls_per_second, window)
        self.replicas: list[Replica] = []
        self._calls_per_second = calls_per_second
        self._pacing = pacing
        self._nature = nature or Nature()
        self._chance = random.Random(seed)
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0

    def give(self, assignment: Sequence[Sequence[Partition]], within: float = 0.02) -> None:
        """A rebalance ends: the first replica has the first of these partitions, and so on.

        Args:
            within: after so many seconds at most each one has heard of it, and has work.
        """
        every = [one for some in assignment for one in some]
        for number, mine in enumerate(assignment):
            if number == len(self.replicas):
                self.replicas.append(self._make())
            part = part_of(mine, every)
            begin = partial(self._begin, self.replicas[number], part)
            self._at(self._chance.uniform(0.0, within), begin)

    def take_all(self) -> None:
        """A rebalance begins: nobody has partitions."""
        for one in self.replicas:
            one.rate.set_part(NOTHING, self.now)
            one.stint += 1

    def run(self, seconds: float) -> None:
        """Let so much time pass."""
        end = self.now + seconds
        while self._events and self._events[0][0] <= end:
            self.now, _, act = heapq.heappop(self._events)
            act()
        self.now = end

    def _make(self) -> Replica:
        most = 4.0 * self._nature.skew
        skew = min(most, max(-most, self._chance.gauss(0.0, self._nature.skew)))
        return Replica(RateLimit(self._calls_per_second, lambda at: at + skew))

    def _begin(self, one: Replica, part: Part) -> None:
        if self._pacing is Pacing.ALONE and part.mine:
            one.rate = RateLimit(self._calls_per_second * part.fraction)
            one.rate.accepted()
        else:
            one.rate.set_part(part, self.now)
        if part.mine:
            self._look(one, one.stint)

    def _look(self, one: Replica, stint: int) -> None:
        """It wakes up: it starts the calls that may start, and sleeps until the next one."""
        if stint != one.stint:
            return
        while (delay := one.rate.delay(self.now)) <= 0.0:
            one.rate.take(self.now)
            one.starts.append(self.now)
            self._at(0.02 + self._wait(self._nature.way), lambda: self._arrive(one))
        self._at(delay + self._wait(self._nature.late), lambda: self._look(one, stint))

    def _arrive(self, one: Replica) -> None:
        is_accepted = self.tiktok.arrive(self.now)
        self._at(0.02 + self._wait(self._nature.way), lambda: self._answer(one, is_accepted))

    def _answer(self, one: Replica, is_accepted: bool) -> None:  # noqa: FBT001  an event's data
        if is_accepted:
            one.rate.accepted()
        else:
            one.rate.refused(self.now, TO_MIDNIGHT)

    def _wait(self, mean: float) -> float:
        return self._chance.expovariate(1.0 / mean) if mean else 0.0

    def _at(self, delay: float, act: Callable[[], None]) -> None:
        self._count += 1  # of two at one moment, the one that was planned first
        heapq.heappush(self._events, (self.now + delay, self._count, act))


def longest_gap(starts: Iterable[float]) -> float:
    """The longest time between two of these moments."""
    return max((after - before for before, after in pairwise(starts)), default=0.0)
