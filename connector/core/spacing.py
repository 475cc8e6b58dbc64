"""Even spacing: when the next call may start, where all calls of the app are this process's own.

Owns the margin, and the moment of the last call. How calls are shared among replicas is connector.core.turns. Pure:
moments are seconds of a monotonic clock.
"""

import math

MARGIN = 1.04
"""Calls are this much further apart than the allowance, so that jitter on the way earns no 40100."""

_SLACK_SECONDS = 0.005
"""How late a call may start without delaying the next: the wake-up delay of a busy event loop.

Safe by arithmetic: n + 1 calls then span at least 1.04 - 0.005 seconds at an allowance of n a second."""


class Spacing:
    """Calls at even distances: `next`, `take`, `is_unused`.

    Everywhere, `slowness` is how many times further apart than the allowance asks for they are at present: 1 or more.
    """

    def __init__(self, calls_per_second: float) -> None:
        self._seconds = MARGIN / calls_per_second
        self._last = -math.inf

    def next(self, at: float, slowness: float) -> float:
        """When the first call may start that starts at that moment or later."""
        return max(at, self._due(slowness))

    def take(self, at: float, slowness: float) -> None:
        """A call starts at that moment, which `next` named."""
        self._last = max(self._due(slowness), at - _SLACK_SECONDS)

    def is_unused(self, at: float, slowness: float) -> bool:
        """Whether a call could have started before that moment, and did not."""
        return self._due(slowness) < at

    def _due(self, slowness: float) -> float:
        """Computed anew, so that another slowness counts at once."""
        return self._last + self._seconds * slowness
