"""Counts calls in time and says which are too many. Time is an argument: no clock is read here.

The app's limits are TikTok's: per second, per minute, per UTC day, each in fixed calendar windows
(documented: a second's limit is over "after the current second", a day's at 00:00:00 UTC). One emulator
stands for one app, whatever the token. Every call counts, refused ones too.
"""

from collections import deque
from typing import Annotated, Final

import msgspec

from connector.sandbox.emulator.tiktok_facts import Code, Violation

Limit = Annotated[int, msgspec.Meta(ge=0)]

HISTORY_SECONDS: Final = 3600


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The rate limits; 0 is unlimited.

    Attributes:
        qps: calls of the app in one second; 10 is TikTok's tier "basic".
        qpm: calls of the app in one minute; basic has 600.
        qpd: calls of the app in one UTC day; basic has 864,000.
        advertiser_qps: calls for one advertiser to one endpoint in one second.
        app_id: named in the message of a refusal.
    """

    qps: Limit = 10
    qpm: Limit = 0
    qpd: Limit = 0
    advertiser_qps: Limit = 0
    app_id: str = "7000000000000000000"


class Second(msgspec.Struct):
    """What one calendar second saw."""

    second: int
    calls: int = 0
    refused: int = 0


class Window:
    """A fixed window of the calendar: how many calls since it began."""

    def __init__(self, seconds: int) -> None:
        self._seconds = seconds
        self._index = -1
        self._calls = 0

    def arrive(self, now: float) -> int:
        """Count a call and return how many the current window has."""
        index = int(now // self._seconds)
        if index != self._index:
            self._index, self._calls = index, 0
        self._calls += 1
        return self._calls


class Rates:
    """The app's and the advertisers' windows, and the record of what they saw."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._app = (Window(1), Window(60), Window(86_400))
        self._advertisers: dict[tuple[str, str], Window] = {}
        self.clear()

    def clear(self) -> None:
        """Forget the record. The windows go on: forgetting them would allow a burst."""
        self._last_second: deque[float] = deque()
        self.history: deque[Second] = deque(maxlen=HISTORY_SECONDS)
        self.max_calendar_second = 0
        self.max_sliding_second = 0

    def arrive(self, now: float) -> Violation | None:
        """Count a call of the app; return 40100 if it is one too many."""
        counts = [window.arrive(now) for window in self._app]
        limits = (self.limits.qps, self.limits.qpm, self.limits.qpd)
        over = any(limit and count > limit for count, limit in zip(counts, limits, strict=True))
        self._record(now, refused=over)
        if not over:
            return None
        return Violation(
            Code.APP_TOO_FREQUENT,
            f"Due to too many requests, requests from App {self.limits.app_id} are "
            "temporarily restricted.",
        )

    def arrive_for(self, advertiser_id: str, endpoint: str, now: float) -> Violation | None:
        """Count a call for a known advertiser; return 40133 if it is one too many."""
        limit = self.limits.advertiser_qps
        if not limit:
            return None
        window = self._advertisers.setdefault((advertiser_id, endpoint), Window(1))
        count = window.arrive(now)
        if count <= limit:
            return None
        return Violation(
            Code.ADVERTISER_TOO_FREQUENT,
            f"Advertiser ({advertiser_id})'s QPS ({count}) reaches QPS limit {limit} for current "
            "path, request is temporarily restricted.",
        )

    def _record(self, now: float, *, refused: bool) -> None:
        if not self.history or self.history[-1].second != int(now):
            self.history.append(Second(int(now)))
        second = self.history[-1]
        second.calls += 1
        second.refused += refused
        self.max_calendar_second = max(self.max_calendar_second, second.calls)
        self._last_second.append(now)
        while self._last_second[0] <= now - 1:
            self._last_second.popleft()
        self.max_sliding_second = max(self.max_sliding_second, len(self._last_second))
