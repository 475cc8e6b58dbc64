"""Other loads than the main one: what they cost, and what they hold in memory.

Each has its reason in `workloads`. Where the limit loop reads the same topic it stands beside it; many audiences
stand beside few, two processes beside one.
"""

from collections.abc import Iterator
from typing import Final

from tests.benchmarks.programs import CONNECTOR, Program, cost
from tests.benchmarks.surroundings import Surroundings, say
from tests.benchmarks.table import Figure
from tests.benchmarks.throughput import PEAK_MB, RATE, RATIOS, Race

_TITLES: Final = {
    "hashed": "values already hashed",
    "realistic": "realistic: dressed values, hot profiles, 1 % bad",
    "hot": "one audience has 90 %",
    "churn": "30 % taken back within a second",
}
_BACKLOG: Final = 5
_HIGHEST_TIER: Final = 50
"""Calls a second: TikTok's highest tier."""


def workloads(surroundings: Surroundings, records: int, rounds: int) -> Iterator[Figure]:
    """Each of the other workloads, beside the limit."""
    for name, title in _TITLES.items():
        with surroundings.sink() as sink:
            race = Race(surroundings, surroundings.filled(name, records), sink)
            race.run(("limit", "connector"), rounds)
        yield Figure(f"{title}: connector", race.rate("connector"), RATE)
        ratio = race.ratio("connector", "limit")
        yield Figure("… connector / limit", ratio, at_least=RATIOS.get(name))
        yield Figure("… peak memory", race.peak_mb("connector"), "MB", at_most=PEAK_MB)


def audiences(surroundings: Surroundings, records: int, rounds: int) -> Iterator[Figure]:
    """Two thousand audiences beside twenty, by turns."""
    with surroundings.sink() as sink:
        many = Race(surroundings, surroundings.filled("audiences", records), sink)
        few = Race(surroundings, surroundings.filled("plain", records), sink)
        for _ in range(rounds):
            few.run(("connector",), 1)
            many.run(("connector",), 1)
    both = (race.usages["connector"] for race in (many, few))
    taken = many.taken["connector"]
    yield Figure("2,000 audiences: connector", many.rate("connector"), RATE)
    yield Figure("… CPU beside 20 audiences", cost(*both), at_most=1.25)
    yield Figure("… rows in a call", taken["rows"] / taken["calls"])
    yield Figure("… peak memory", many.peak_mb("connector"), "MB", at_most=PEAK_MB)


def burst(surroundings: Surroundings, records: int, _rounds: int) -> Iterator[Figure]:
    """The main workload at once, where calls are as scarce as with TikTok's highest tier."""
    filled = surroundings.filled("plain", records)
    with surroundings.sink() as sink:
        config = surroundings.configuration(filled, sink, qps=_HIGHEST_TIER)
        usage = Program([CONNECTOR, "run", "--until-end", "--config", str(config)]).finish()
        taken = sink.taken()
    say(f"burst: {taken['calls']:,} calls, {usage.wall_seconds:.1f} s, {usage.peak_mb:.0f} MB")
    calls = taken["calls"] / taken["fewest"]
    yield Figure(
        f"burst at {_HIGHEST_TIER} calls/s: rows in a call", taken["rows"] / taken["calls"]
    )
    yield Figure("… calls / fewest that hold the rows", calls, at_most=1.05)
    yield Figure(
        "… of the calls allowed", 100 * taken["calls"] / usage.wall_seconds / _HIGHEST_TIER, "%"
    )
    yield Figure("… peak memory", usage.peak_mb, "MB", at_most=PEAK_MB)


def backlog(surroundings: Surroundings, records: int, _rounds: int) -> Iterator[Figure]:
    """A long backlog: one process, then two that share it."""
    filled = surroundings.filled("plain", _BACKLOG * records)
    with surroundings.sink() as sink:
        race = Race(surroundings, filled, sink)
        race.run(("connector",), 1)
        config = str(surroundings.configuration(filled, sink))
        command = [CONNECTOR, "run", "--until-end", "--config", config]
        both = [Program(command), Program(command)]
        try:
            usages = [one.finish() for one in both]
        finally:
            for one in both:
                one.kill()
    (alone,) = race.usages["connector"]
    together = sum(one.cpu_seconds for one in usages)
    say(f"two processes: {[f'{one.cpu_seconds:.1f} CPU-s' for one in usages]}")
    yield Figure(f"backlog of {filled.records:,}: connector", race.rate("connector"), RATE)
    yield Figure("… peak memory", alone.peak_mb, "MB", at_most=PEAK_MB)
    yield Figure("… two processes", filled.records / together, RATE)
    yield Figure("… two processes / one", alone.cpu_seconds / together, at_least=0.9)
