"""What the counters did over the last minutes: samples in a ring, and what follows from two of them.

Owns the samples and their bound: 15 minutes, whatever happens. Reads the metrics' plain numbers and changes none.
Knows nothing of who shows them.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from connector.telemetry.catalogue import Catalogue
from connector.telemetry.events import ChangeEnd
from connector.telemetry.families import Family

INTERVAL_SECONDS = 5.0
_MOST_SAMPLES = 181
"""Fifteen minutes, with both ends."""

_ALLOWANCE_SECONDS = 60.0
"""Over so long the use of the allowance is told: TikTok's finest limit but one is a minute's."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The counters at one time of our clock; `lag` is None while none is known."""

    at: float
    records: float
    rows: float
    calls: float
    lag: int | None


@dataclass(frozen=True, slots=True)
class Pace:
    """What happened between two samples, a second; `at` is the later one's time."""

    at: float
    records: float
    rows: float
    calls: float
    lag: int | None


class Letters(NamedTuple):
    """The dead letters of one topic and reason: how many since the start, and when the last one was noticed."""

    topic: str
    reason: str
    letters: int
    at: float


class History:
    """Takes samples: `run`. Tells of them: `paces`, `calls_per_second`, `letters`.

    Args:
        lags: how many records each partition is behind; None where that is unknown.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        metrics: Catalogue,
        lags: Callable[[], Iterable[int | None]],
        clock: Callable[[], float],
    ) -> None:
        self._metrics = metrics
        self._lags = lags
        self._clock = clock
        self._samples: deque[Sample] = deque(maxlen=_MOST_SAMPLES)
        self._letters: dict[tuple[str, ...], tuple[float, float]] = {}

    async def run(self) -> None:
        """Take a sample every few seconds, for ever."""
        while True:
            self.take()
            await asyncio.sleep(INTERVAL_SECONDS)

    def take(self) -> None:
        """Take a sample now."""
        self._samples.append(self._now())
        self._notice_letters()

    def paces(self) -> Iterator[Pace]:
        """What happened between each two samples, oldest first."""
        for before, after in pairwise(self._samples):
            seconds = after.at - before.at
            if seconds > 0.0:
                yield Pace(
                    after.at,
                    (after.records - before.records) / seconds,
                    (after.rows - before.rows) / seconds,
                    (after.calls - before.calls) / seconds,
                    after.lag,
                )

    def calls_per_second(self) -> float | None:
        """The calls a second over the last minute, or as much of it as there is; None before the second sample."""
        now = self._now()
        recent = (one for one in self._samples if now.at - one.at <= _ALLOWANCE_SECONDS)
        first = next(recent, None)
        if first is None or now.at <= first.at:
            return None
        return (now.calls - first.calls) / (now.at - first.at)

    def letters(self) -> list[Letters]:
        """The dead letters by topic and reason, the newest first. Times are as exact as the interval."""
        self._notice_letters()
        found = [
            Letters(topic, reason, int(count), at)
            for (topic, reason), (count, at) in self._letters.items()
        ]
        return sorted(found, key=lambda one: one.at, reverse=True)

    def _now(self) -> Sample:
        metrics = self._metrics
        return Sample(
            self._clock(),
            _total(metrics.records_consumed),
            _total(metrics.changes, ChangeEnd.DELIVERED),
            _total(metrics.api_requests),
            self._lag(),
        )

    def _lag(self) -> int | None:
        """Of all partitions where it is known; None where it is of none."""
        known = [lag for lag in self._lags() if lag is not None]
        return sum(known) if known else None

    def _notice_letters(self) -> None:
        for labels, count in self._metrics.dead_letters.values.items():
            seen, _ = self._letters.get(labels, (0, 0.0))
            if count != seen:
                self._letters[labels] = (count, self._clock())


def _total(family: Family, last_label: str | None = None) -> float:
    return sum(
        value
        for labels, value in family.values.items()
        if last_label is None or labels[-1] == last_label
    )
