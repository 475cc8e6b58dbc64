"""When the next call to TikTok may start.

Owns how fast this process calls one app, and how it reacts to TikTok's word that there were too many. At which
moments calls start is connector.core.spacing where all of the allowance is ours, and connector.core.turns where
replicas share it. Pure: time is an argument, in seconds of a monotonic clock; midnight is told as a duration.

TikTok limits an app per second, per minute and per day, answers code 40100 inside HTTP 200 and does not say
which limit was met. Its documents advise: for the second, go on in the next one; for the minute, stop for five
minutes; for the day, stop until 00:00 UTC. So the reactions escalate.

What a limit taught is not known after a restart. So a process begins with one call a second, until TikTok has
accepted one: a service that is started again and again on a used-up allowance does not knock at full speed.
"""

import math
from collections.abc import Callable

from connector.core.spacing import MARGIN, Spacing
from connector.core.turns import WHOLE, Part, Turns

_SLOWER = 0.7
_FASTER_STEP = 0.05
_SLOWEST = 1.0
_ONLY_REFUSED_SECONDS = 10.0
_MINUTE_LIMIT_PAUSE = 300.0


class RateLimit:
    """Spaced calls under a share of an app's allowance: `delay`, `take`, and the answers.

    It begins with the whole allowance, for whoever shares it with nobody.

    Args:
        calls_per_second: the app's allowance for all replicas together, times the configured share.
        to_epoch: a moment in seconds since the Unix epoch, as the wall clock is set now; needed where replicas share
            the allowance.
    """

    def __init__(
        self, calls_per_second: float, to_epoch: Callable[[float], float] | None = None
    ) -> None:
        self._allowance = calls_per_second
        self._to_epoch = to_epoch
        self._part = WHOLE
        self._starts: Spacing | Turns = Spacing(calls_per_second)
        self._ours_from = -math.inf
        self._throttle = 1.0
        self._is_proven = False
        self._paused_until = -math.inf
        self._slowed_at = -math.inf
        self._raised_at = -math.inf
        self._refused_since = -math.inf
        self._refused_last = -math.inf
        self._pauses = 0

    @property
    def share(self) -> float:
        """The calls a second this process may make when TikTok has not complained."""
        return self._allowance * self._part.fraction

    @property
    def rate(self) -> float:
        """The calls a second it makes now; a refusal never makes it slower than one a second, or the share."""
        return max(self.share * self._throttle, min(_SLOWEST, self.share))

    @property
    def paused_until(self) -> float:
        """When the pause after nothing but refusals ends; in the past without one."""
        return self._paused_until

    def set_part(self, part: Part, now: float) -> None:
        """This part of the allowance is ours from now on. What TikTok's answers taught stays.

        The first call waits for as long as one turn: whose turns these were may just have used the last one.

        Raises ValueError where the allowance is to be shared and nothing tells the time by the epoch.
        """
        self._part = part
        self._ours_from = now + MARGIN / self._allowance
        if part.fraction == 1.0:
            self._starts = Spacing(self._allowance)
        elif part.fraction > 0.0:
            if self._to_epoch is None:
                raise ValueError("turns need to_epoch")
            self._starts = Turns(self._allowance, part, self._to_epoch)

    def delay(self, now: float) -> float:
        """Seconds until a call may start; 0.0 when one may start now, infinity without a share."""
        if self.share <= 0.0:
            return math.inf
        return self._starts.next(self._allowed_from(now), self._slowness()) - now

    def take(self, now: float) -> None:
        """A call starts now. Only after `delay` was 0.0, with no await between."""
        self._recover(now)
        self._starts.take(now, self._slowness())

    def is_unused(self, now: float) -> bool:
        """Whether a call could have started before now, and did not: nobody needs all of the share."""
        if self.share <= 0.0 or self._allowed_from(now) > now:
            return False
        return self._starts.is_unused(now, self._slowness())

    def reserve(self, now: float) -> float:
        """Take the next call that may start, before all who wait for one; the seconds until it. Not without a share."""
        delay = self.delay(now)
        self.take(now + delay)
        return delay

    def accepted(self) -> None:
        """TikTok answered a call without complaining of too many."""
        self._is_proven = True
        self._refused_last = -math.inf
        self._pauses = 0

    def refused(self, now: float, to_midnight_utc: float) -> None:
        """TikTok answered that there were too many calls of the app.

        Args:
            now: when the answer came.
            to_midnight_utc: seconds until 00:00 UTC, when a daily limit ends.
        """
        if now - self._slowed_at >= 1.0 and self.share > 0.0:
            self._throttle = self.rate * _SLOWER / self.share
            self._slowed_at = now
        self._raised_at = now
        if now - self._refused_last > max(_ONLY_REFUSED_SECONDS, 2.0 * self._spacing()):
            self._refused_since = now  # longer ago than two slow calls: that was another time
        self._refused_last = now
        if now - self._refused_since >= _ONLY_REFUSED_SECONDS:
            pause = _MINUTE_LIMIT_PAUSE if self._pauses == 0 else to_midnight_utc
            self._paused_until = max(self._paused_until, now + pause)
            self._pauses += 1
            self._refused_last = -math.inf

    def _allowed_from(self, now: float) -> float:
        """The first moment, now or later, at which neither a pause nor another's last turn forbids a call."""
        return max(now, self._paused_until, self._ours_from)

    def _pace(self) -> float:
        """The calls a second that may start now: as long as none was accepted, one at most."""
        return self.rate if self._is_proven else min(self.rate, _SLOWEST)

    def _slowness(self) -> float:
        """How many times slower than the share calls are made now. Not without a share."""
        return self.share / self._pace()

    def _spacing(self) -> float:
        """Seconds between two calls, on average; nothing without a share, for then none may start at all."""
        pace = self._pace()
        return MARGIN / pace if pace > 0.0 else 0.0

    def _recover(self, now: float) -> None:
        """Each second without a refusal gives back a twentieth of the share."""
        if self._throttle >= 1.0:
            return
        seconds = math.floor(now - self._raised_at)
        if seconds > 0:
            self._throttle = min(1.0, self.rate / self.share + seconds * _FASTER_STEP)
            self._raised_at += seconds
