"""Records per CPU-second: the connector beside the limit of its parts, a plain program and another framework.

The programs take turns over the same topic, so that a slow minute of the machine meets all of them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
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
_RATIOS: Final = {"plain": 0.45, "realistic": 0.45, "hashed": 0.5}
"""Of the limit's records per CPU-second, what the connector has to reach."""

_TITLES: Final = {
    "plain": "three plain identifiers",
    "hashed": "values already hashed",
    "realistic": "realistic: dressed values, hot profiles, 1 % bad",
    "hot": "one audience has 90 %",
    "churn": "30 % taken back within a second",
    "audiences": "2,000 audiences",
}

Programs = Mapping[str, Callable[[], Usage]]


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


def programs(surroundings: Surroundings, records: int, rounds: int) -> Iterator[Figure]:
    """All four over the main workload."""
    names = ("limit", "connector", "plain", "quix")
    if not Path(QUIX_PYTHON).exists():
        raise RuntimeError("Quix Streams is not installed: make bench does so")
    with surroundings.sink() as sink:
        race = Race(surroundings, surroundings.filled("plain", records), sink)
        race.run(names, rounds)
    for name in names:
        yield Figure(f"{_TITLES['plain']}: {_SHOWN[name]}", race.rate(name), RATE)
    yield _beside_the_limit(race, "plain")
    yield Figure("… connector / plain connector", race.ratio("connector", "plain"), at_least=1)
    yield Figure("… connector / Quix Streams", race.ratio("connector", "quix"), at_least=1)
    taken = race.taken["connector"]
    yield Figure(
        "… calls / fewest that hold the rows", taken["calls"] / taken["fewest"], at_most=1.05
    )
    yield Figure("… rows in a call", taken["rows"] / taken["calls"])
    for name in names:
        goal = {"at_most": PEAK_MB} if name == "connector" else {}
        yield Figure(f"… peak memory: {_SHOWN[name]}", race.peak_mb(name), "MB", **goal)


_SHOWN: Final = {
    "limit": "limit of the parts",
    "connector": "connector",
    "plain": "plain connector",
    "quix": "Quix Streams",
}


def _beside_the_limit(race: Race, workload: str) -> Figure:
    ratio = race.ratio("connector", "limit")
    return Figure("… connector / limit", ratio, at_least=_RATIOS.get(workload))
