"""When the next call to TikTok may start.

Owns the spacing of all calls of one app in this process, and how it reacts to TikTok's word that there were
too many. Pure: time is an argument, in seconds of a monotonic clock; midnight is told as a duration.

TikTok limits an app per second, per minute and per day, answers code 40100 inside HTTP 200 and does not say
which limit was met. Its documents advise: for the second, go on in the next one; for the minute, stop for five
minutes; for the day, stop until 00:00 UTC. So the reactions escalate.

What a limit taught is not known after a restart. So a process begins with one call a second, until TikTok has
accepted one: a service that is started again and again on a used-up allowance does not knock at full speed.
"""

import math

_MARGIN = 1.04
"""Calls are this much further apart than the allowance, so that jitter on the way earns no 40100."""

_SLACK_SECONDS = 0.005
"""How late a call may start without delaying the next: the wake-up delay of a busy event loop.

Safe by arithmetic: n + 1 calls then span at least 1.04 - 0.005 seconds at an allowance of n a second."""

_SLOWER = 0.7
_FASTER_STEP = 0.05
_SLOWEST = 1.0
_ONLY_REFUSED_SECONDS = 10.0
_MINUTE_LIMIT_PAUSE = 300.0


class RateLimit:
    """Spaced calls under a share of an app's allowance: `delay`, `take`, and the answers.

    Args:
        calls_per_second: the app's allowance for all replicas together, times the configured share.
    """

    def __init__(self, calls_per_second: float) -> None:
        self._allowance = calls_per_second
        self._part = 1.0
        self._throttle = 1.0
        self._last = -math.inf
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
        return self._allowance * self._part

    @property
    def rate(self) -> float:
        """The calls a second it makes now; a refusal never makes it slower than one a second, or the share."""
        return max(self.share * self._throttle, min(_SLOWEST, self.share))

    @property
    def paused_until(self) -> float:
        """When the pause after nothing but refusals ends; in the past without one."""
        return self._paused_until

    def set_part(self, part: float) -> None:
        """This replica may use so much (0..1) of the allowance. What TikTok's answers taught stays."""
        self._part = part

    def delay(self, now: float) -> float:
        """Seconds until a call may start; 0.0 when one may start now, infinity without a share."""
        if self.rate <= 0.0:
            return math.inf
        return max(0.0, self._next() - now, self._paused_until - now)

    def take(self, now: float) -> None:
        """A call starts now. Only after `delay` was 0.0, with no await between."""
        self._recover(now)
        self._last = max(self._next(), now - _SLACK_SECONDS)

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

    def _next(self) -> float:
        """When the spacing allows the next call. Computed anew, so that a new share counts at once."""
        return self._last + self._spacing()

    def _spacing(self) -> float:
        """Seconds between two calls; nothing without a share, for then none may start at all."""
        rate = self.rate if self._is_proven else min(self.rate, _SLOWEST)
        return _MARGIN / rate if rate > 0.0 else 0.0

    def _recover(self, now: float) -> None:
        """Each second without a refusal gives back a twentieth of the share."""
        if self._throttle >= 1.0:
            return
        seconds = math.floor(now - self._raised_at)
        if seconds > 0:
            self._throttle = min(1.0, self.rate / self.share + seconds * _FASTER_STEP)
            self._raised_at += seconds
