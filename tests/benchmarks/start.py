"""From start to the first call, the small commands as a user runs them, and what the service holds when idle."""

import statistics
import time
from collections.abc import Iterator
from typing import Final

from tests.benchmarks.programs import CONNECTOR, Program, run
from tests.benchmarks.surroundings import Filled, Sink, Surroundings, say
from tests.benchmarks.table import Figure
from tests.end_to_end.deployment import free_port, get, until

_STARTS: Final = 5
_COMMANDS: Final = 15
_RECORDS: Final = 100_000
_IDLE_SECONDS: Final = 10.0
IDLE_MB: Final = 120


def start(surroundings: Surroundings, records: int, _rounds: int) -> Iterator[Figure]:
    """All figures around a start."""
    filled = surroundings.filled("plain", min(records, _RECORDS))
    with surroundings.sink() as sink:
        firsts = [_first_call(surroundings, filled, sink) for _ in range(_STARTS)]
        yield Figure("from start to the first call", statistics.median(firsts), "s", at_most=2)
        yield from _idle(surroundings, sink)
    yield Figure("connector --help", _milliseconds("--help"), "ms", at_most=150)


def _first_call(surroundings: Surroundings, filled: Filled, sink: Sink) -> float:
    """Seconds until a call with rows came, on a topic with records and for a new group."""
    config = surroundings.configuration(filled, sink)
    sink.forget()
    with Program([CONNECTOR, "run", "--until-end", "--config", str(config)]) as connector:
        connector.finish()
    took = float(sink.taken()["first"]) - connector.started_at
    say(f"from start to the first call: {took:.2f} s")
    return took


def _idle(surroundings: Surroundings, sink: Sink) -> Iterator[Figure]:
    port = free_port()
    config = str(surroundings.configuration(surroundings.empty(), sink, port=port))
    with Program([CONNECTOR, "run", "--config", config]) as connector:
        until(lambda: get(f"http://127.0.0.1:{port}/readyz")[0] == 200, 30, "the connector")
        before = connector.cpu_seconds()
        time.sleep(_IDLE_SECONDS)
        share = (connector.cpu_seconds() - before) / _IDLE_SECONDS
        yield Figure("memory, nothing to do", connector.memory_mb(), "MB", at_most=IDLE_MB)
        yield Figure("CPU, nothing to do", 100 * share, "% of a core")
        took = _milliseconds("healthcheck", "--config", config)
        yield Figure("connector healthcheck", took, "ms", at_most=150)
        connector.stop()


def _milliseconds(*arguments: str) -> float:
    """A command's wall time: the median of some runs."""
    walls = [run([CONNECTOR, *arguments]).wall_seconds for _ in range(_COMMANDS)]
    say(f"connector {arguments[0]}: {min(walls) * 1e3:.0f} to {max(walls) * 1e3:.0f} ms")
    return 1e3 * statistics.median(walls)
