"""Records per CPU-second: the connector beside the limit of its parts, a plain program and another framework.

The programs take turns over the same topic, so that a slow minute of the machine meets all of them.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from tests.benchmarks.programs import (
    CONNECTOR,
    QUIX_PYTHON,
    Program,
    Usage,
    cost,
    median_cpu,
    module,
)
from tests.benchmarks.surroundings import Filled, Sink, Surroundings, say
from tests.benchmarks.table import Figure

RATE: Final = "records/CPU-s"
PEAK_MB: Final = 250
RATIOS: Final = {"plain": 0.45, "realistic": 0.45, "hashed": 0.5}
"""Of the limit's records per CPU-second, what the connector has to reach."""

_NAMES: Final = {
    "limit": "limit of the parts",
    "connector": "connector",
    "plain": "plain connector",
    "quix": "Quix Streams",
}


class Race:
    """Programs over one topic, and what they took."""

    def __init__(self, surroundings: Surroundings, filled: Filled, sink: Sink) -> None:
        self._surroundings = surroundings
        self._filled = filled
        self._sink = sink
        self.usages: dict[str, list[Usage]] = {}
        self.taken: dict[str, dict[str, Any]] = {}

    def run(self, names: Sequence[str], rounds: int) -> None:
        """Let them take turns."""
        for number in range(rounds):
            for name in names:
                self._sink.taken()
                usage = Program(self._command(name)).finish()
                self._note(name)
                self.usages.setdefault(name, []).append(usage)
                rate = self._filled.records / usage.cpu_seconds
                say(
                    f"{self._filled.workload.name}, round {number + 1}: {name} {rate:,.0f} {RATE},"
                    f" {usage.wall_seconds:.1f} s, {usage.peak_mb:.0f} MB"
                )

    def _note(self, name: str) -> None:
        """Keep what came to the sink; a program that lost rows was not measured.

        Raises:
            RuntimeError: it lost some.
        """
        taken = self.taken[name] = self._sink.taken()
        missing = self._filled.records - taken["rows"]
        if missing and self._filled.workload.is_once and name != "limit":
            raise RuntimeError(f"{name} did not send {missing:,} rows")

    def rate(self, name: str) -> float:
        return self._filled.records / median_cpu(self.usages[name])

    def peak_mb(self, name: str) -> float:
        return max(one.peak_mb for one in self.usages[name])

    def ratio(self, name: str, to: str) -> float:
        """How many records the one takes for each record of the other, with the same CPU."""
        return cost(self.usages[to], self.usages[name])

    def _command(self, name: str) -> list[str]:
        if name == "connector":
            config = self._surroundings.configuration(self._filled, self._sink)
            return [CONNECTOR, "run", "--until-end", "--config", str(config)]
        place = (self._surroundings.broker.bootstrap_servers, self._filled.topic)
        if name == "limit":
            return module("limit", *place, self._filled.records)
        python = {"python": QUIX_PYTHON} if name == "quix" else {}
        return module(name, *place, self._filled.records, self._sink.port, **python)


def throughput(surroundings: Surroundings, records: int, rounds: int) -> Iterator[Figure]:
    """All four programs over the main workload.

    Raises:
        RuntimeError: Quix Streams is not there.
    """
    if not Path(QUIX_PYTHON).exists():
        raise RuntimeError("Quix Streams is not installed: make bench does so")
    with surroundings.sink() as sink:
        race = Race(surroundings, surroundings.filled("plain", records), sink)
        race.run(tuple(_NAMES), rounds)
    for name, shown in _NAMES.items():
        yield Figure(f"three plain identifiers: {shown}", race.rate(name), RATE)
    for name, goal in (("limit", RATIOS["plain"]), ("plain", 1), ("quix", 1)):
        ratio = race.ratio("connector", name)
        yield Figure(f"… connector / {_NAMES[name]}", ratio, at_least=goal)
    for name, shown in _NAMES.items():
        most = PEAK_MB if name == "connector" else None
        yield Figure(f"… peak memory: {shown}", race.peak_mb(name), "MB", at_most=most)
    taken = race.taken["connector"]
    yield Figure("… rows in a call of the connector", taken["rows"] / taken["calls"])
