"""Records per CPU-second: the connector beside the limit of its parts, a plain program and another framework."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.benchmarks.programs import QUIX_PYTHON
from tests.benchmarks.race import RATE, Race
from tests.benchmarks.surroundings import Surroundings
from tests.benchmarks.table import Figure

PEAK_MB: Final = 250
_RATIOS: Final = {"plain": 0.45, "realistic": 0.45, "hashed": 0.5}
"""Of the limit's records per CPU-second, what the connector has to reach."""

_NAMES: Final = {
    "limit": "limit of the parts",
    "connector": "connector",
    "plain": "plain connector",
    "quix": "Quix Streams",
}
_TITLES: Final = {
    "hashed": "values already hashed",
    "realistic": "realistic: dressed values, hot profiles, 1 % bad",
    "hot": "one audience has 90 %",
    "churn": "30 % taken back within a second",
}


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
    for name, goal in (("limit", _RATIOS["plain"]), ("plain", 1), ("quix", 1)):
        ratio = race.ratio("connector", name)
        yield Figure(f"… connector / {_NAMES[name]}", ratio, at_least=goal)
    for name, shown in _NAMES.items():
        most = PEAK_MB if name == "connector" else None
        yield Figure(f"… peak memory: {shown}", race.peak_mb(name), "MB", at_most=most)
    yield Figure("… rows in a call of the connector", race.rows_in_a_call())


def workloads(surroundings: Surroundings, records: int, rounds: int) -> Iterator[Figure]:
    """Other streams of events, each beside the limit on the same."""
    for name, title in _TITLES.items():
        with surroundings.sink() as sink:
            race = Race(surroundings, surroundings.filled(name, records), sink)
            race.run(("limit", "connector"), rounds)
        yield Figure(f"{title}: connector", race.rate("connector"), RATE)
        ratio = race.ratio("connector", "limit")
        yield Figure("… connector / limit of the parts", ratio, at_least=_RATIOS.get(name))
        yield Figure("… peak memory", race.peak_mb("connector"), "MB", at_most=PEAK_MB)
