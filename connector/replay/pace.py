"""When a call of a replay may start, and what is noted of it while it is under way.

Owns the rule that nothing is sent on an old look at the source, and the edge where calls start and end.
"""

import asyncio
import math
from collections.abc import Callable

from connector.core.batch import Batch
from connector.core.outcome import Outcome, Retryable
from connector.core.rate_limit import RateLimit
from connector.core.routing import AudienceKey
from connector.delivery.seams import Destination
from connector.replay.watch import Watch

_FRESH_SECONDS = 0.25
"""A look that is older than this does not count. It bounds what is sent in vain; that nothing newer is lost in the
end does not depend on it."""

_ASK_AGAIN_SECONDS = 0.05


class Pace(RateLimit):
    """A rate limit that lets a call start only shortly after a look at the source.

    Attributes:
        looked_at: when the last look was completed.
        asked: set when a call waits for a look.
    """

    def __init__(self, calls_per_second: float) -> None:
        super().__init__(calls_per_second)
        self.looked_at = -math.inf
        self.asked = asyncio.Event()

    def delay(self, now: float) -> float:
        """Seconds until a call may start; asks for a look when that is all that is missing."""
        delay = super().delay(now)
        if delay > 0.0 or now - self.looked_at <= _FRESH_SECONDS:
            return delay
        self.asked.set()
        return _ASK_AGAIN_SECONDS


class WatchedDestination:
    """A destination whose calls are noted.

    Args:
        doubt_seconds: how long after a call without an answer TikTok may still apply it.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        name: str,
        inner: Destination,
        watch: Watch,
        doubt_seconds: float,
        clock: Callable[[], float],
    ) -> None:
        self._name = name
        self._inner = inner
        self._watch = watch
        self._doubt_seconds = doubt_seconds
        self._clock = clock

    async def send(self, audience_id: str, batch: Batch) -> Outcome:
        """Make one call with the batch."""
        audience = AudienceKey(self._name, audience_id)
        self._watch.started(audience, batch.columns)
        outcome = await self._inner.send(audience_id, batch)
        in_doubt = isinstance(outcome, Retryable) and outcome.in_doubt
        doubt = self._doubt_seconds if in_doubt else 0.0
        self._watch.ended(audience, batch.columns, self._clock() + doubt)
        return outcome

    async def probe(self) -> Outcome:
        """Find out whether calls are accepted."""
        return await self._inner.probe()

    def renewed(self) -> bool:
        """Whether the account's secret has changed since it was last asked."""
        return self._inner.renewed()
