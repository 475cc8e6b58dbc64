"""More of everything: two thousand audiences, a burst where calls are scarce, a long backlog, two processes."""

from collections.abc import Iterator
from typing import Final

from tests.benchmarks.programs import CONNECTOR, Program, run
from tests.benchmarks.race import RATE, Race
from tests.benchmarks.surroundings import Surroundings, say
from tests.benchmarks.table import Figure
from tests.benchmarks.throughput import PEAK_MB

_SMALL_CALLS: Final = {"max_rows": 50, "linger_seconds": 10}
"""Full calls alone, of a size that twenty audiences and two thousand both fill: then both make as many."""
_HIGHEST_TIER: Final = 50
"""Calls a second: TikTok's highest tier."""
_BACKLOG: Final = 5


def audiences(surroundings: Surroundings, records: int, rounds: int) -> Iterator[Figure]:
    """Two thousand audiences beside twenty, by turns: with as many calls, then with what the default makes of it.

    Without TikTok's limits, a linger of a second is up to two thousand calls a second, one for each audience. That
    tells what calls cost; what audiences cost is told where the calls are the same.
    """
    with surroundings.sink() as sink:
        many, few = (
            Race(surroundings, surroundings.filled(name, records), sink, **_SMALL_CALLS)
            for name in ("audiences", "plain")
        )
        by_default = Race(surroundings, surroundings.filled("audiences", records), sink)
        for _ in range(rounds):
            for race in (few, many):
                race.run(("connector",), 1)
        by_default.run(("connector",), 1)
    yield Figure("2,000 audiences, as many calls: connector", many.rate("connector"), RATE)
    yield Figure("… CPU beside 20 audiences", many.beside(few), at_most=1.25)
    calls = few.rows_in_a_call() / many.rows_in_a_call()
    yield Figure("… calls beside 20 audiences", calls)
    yield Figure("2,000 audiences, linger 1 s: connector", by_default.rate("connector"), RATE)
    yield Figure("… rows in a call", by_default.rows_in_a_call())
    yield Figure("… peak memory", by_default.peak_mb("connector"), "MB", at_most=PEAK_MB)


def burst(surroundings: Surroundings, records: int, _rounds: int) -> Iterator[Figure]:
    """The main workload at once, where calls are as scarce as with TikTok's highest tier."""
    filled = surroundings.filled("plain", records)
    with surroundings.sink() as sink:
        config = surroundings.configuration(filled, sink, qps=_HIGHEST_TIER)
        usage = run([CONNECTOR, "run", "--until-end", "--config", str(config)])
        taken = sink.taken()
    say(f"burst: {taken['calls']:,} calls, {usage.wall_seconds:.1f} s, {usage.peak_mb:.0f} MB")
    rows, used = taken["rows"] / taken["calls"], taken["calls"] / usage.wall_seconds
    yield Figure(f"burst at {_HIGHEST_TIER} calls/s: rows in a call", rows)
    yield Figure("… calls / fewest", taken["calls"] / taken["fewest"], at_most=1.05)
    yield Figure("… calls made of those allowed", 100 * used / _HIGHEST_TIER, "%")
    yield Figure("… peak memory", usage.peak_mb, "MB", at_most=PEAK_MB)


def backlog(surroundings: Surroundings, records: int, _rounds: int) -> Iterator[Figure]:
    """A long backlog: one process, then two that share it."""
    filled = surroundings.filled("plain", _BACKLOG * records)
    with surroundings.sink() as sink:
        race = Race(surroundings, filled, sink)
        race.run(("connector",), 1)
        config = str(surroundings.configuration(filled, sink))
        command = [CONNECTOR, "run", "--until-end", "--config", config]
        with Program(command) as one, Program(command) as other:
            usages = [one.finish(), other.finish()]
    together = filled.records / sum(usage.cpu_seconds for usage in usages)
    say(f"two processes: {[f'{usage.cpu_seconds:.1f} CPU-s' for usage in usages]}")
    alone = race.rate("connector")
    yield Figure(f"backlog of {filled.records:,}: connector", alone, RATE)
    yield Figure("… peak memory", race.peak_mb("connector"), "MB", at_most=PEAK_MB)
    yield Figure("… two processes that share it", together, RATE)
    yield Figure("… two processes / one", together / alone, at_least=0.9)
