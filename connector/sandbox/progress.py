"""How far the demo is, in numbers: read from the connector's own /metrics and /status, and from the others.

Owns one reading and the rates between two. Counts only: nothing here names a person.
"""

import json
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

_PREFIX: Final = "tiktok_connector_"
_TIMEOUT: Final = aiohttp.ClientTimeout(total=2)


class Filling(NamedTuple):
    """One audience: what it has, and what the events so far imply."""

    name: str
    members: int
    expected: int


@dataclass(frozen=True)
class Metrics:
    """What the connector says of itself; all zero while it does not answer."""

    state: str = "starting"
    consumed: float = 0
    delivered: float = 0
    superseded: float = 0
    calls: float = 0
    retries: float = 0
    letters: float = 0
    lag: float = 0
    pending: float = 0
    allowance: float = 0


@dataclass(frozen=True)
class Progress:
    """One moment of the demo."""

    seconds: float
    events: int
    fed: int
    committed: int
    metrics: Metrics = field(default_factory=Metrics)
    records_per_second: float = 0
    calls_per_second: float = 0
    audiences: tuple[Filling, ...] = ()

    @property
    def members(self) -> int:
        return sum(one.members for one in self.audiences)

    @property
    def expected(self) -> int:
        return sum(one.expected for one in self.audiences)


class Watcher:
    """Reads the HTTP sides of the connector and of the emulator, and keeps the last reading, for rates."""

    def __init__(self, session: aiohttp.ClientSession, connector: str, emulator: str) -> None:
        self._session = session
        self._connector = connector
        self._emulator = emulator
        self._last = (0.0, Metrics())

    def addresses(self) -> list[str]:
        """Return what a person may want to open."""
        paths = ("/status", "/metrics")
        emulated = ("/_emulator/stats", "/_emulator/audiences")
        return [f"  {self._connector}{path}" for path in paths] + [
            f"  {self._emulator}{path}" for path in emulated
        ]

    async def metrics(self) -> Metrics:
        """Return the connector's numbers; the last known ones when it does not answer."""
        try:
            status = await self._get(self._connector + "/status")
            return parse(status, await self._get(self._connector + "/metrics"))
        except (aiohttp.ClientError, TimeoutError, ValueError):
            return self._last[1]

    async def members(self) -> dict[str, int]:
        """Return how many identifiers each audience has at the emulator."""
        found = json.loads(await self._get(self._emulator + "/_emulator/audiences"))
        return {one["audience_id"]: sum(one["sizes"].values()) for one in found["audiences"]}

    def rates(self, seconds: float, now: Metrics) -> tuple[float, float]:
        """Return records and calls per second since the last time this was asked."""
        before, then = self._last
        self._last = (seconds, now)
        passed = max(seconds - before, 0.001)
        return (now.consumed - then.consumed) / passed, (now.calls - then.calls) / passed

    async def _get(self, url: str) -> str:
        async with self._session.get(url, timeout=_TIMEOUT, raise_for_status=True) as response:
            return await response.text()


def parse(status: str, metrics: str) -> Metrics:
    """Return the numbers in a /status document and a /metrics text; what is missing is 0.

    Raises:
        ValueError: one of them is something else.
    """
    document: dict[str, Any] = json.loads(status)
    sums = _Sums(metrics)
    return Metrics(
        state=str(document.get("state", "unknown")),
        consumed=sums.of("records_consumed_total"),
        delivered=sums.of("changes_total", outcome="delivered"),
        superseded=sums.of("changes_total", outcome="superseded"),
        calls=sums.of("api_requests_total"),
        retries=sums.of("api_retries_total"),
        letters=sums.of("dead_letters_total"),
        lag=sums.of("consumer_lag_records"),
        pending=sums.of("pending_rows"),
        allowance=sums.of("rate_limit_share_calls_per_second"),
    )


class _Sums:
    """A metrics text, summed over the labels that are not asked for."""

    def __init__(self, text: str) -> None:
        self._samples: list[tuple[str, dict[str, str], float]] = [
            (sample.name, sample.labels, sample.value)
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        ]

    def of(self, name: str, **labels: str) -> float:
        return sum(
            value
            for found, having, value in self._samples
            if found == _PREFIX + name and labels.items() <= having.items()
        )
