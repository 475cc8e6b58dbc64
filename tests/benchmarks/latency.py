"""Latency: from a record's production to its acceptance by the sink, at even rates.

The connector, the producer and the sink are processes of their own. Rows carry the time of their production; the
sink takes a call for accepted when it has read it whole, so nothing of what is measured is the sink's.
"""

import time
from collections.abc import Iterator
from typing import Final, NamedTuple

from tests.benchmarks.programs import CONNECTOR, Program, module
from tests.benchmarks.surroundings import Surroundings, say
from tests.benchmarks.table import Figure
from tests.end_to_end.deployment import free_port, get, until


class Case(NamedTuple):
    """A rate of records a second, how long a change may wait for company, and the goals in seconds."""

    rate: int
    linger: float
    p50: float | None = None
    p99: float | None = None


CASES: Final = (
    Case(1_000, 1.0),
    Case(5_000, 1.0, p50=0.6, p99=1.2),
    Case(20_000, 1.0),
    Case(5_000, 0.05, p99=0.15),
)


def latency(surroundings: Surroundings, _records: int, _rounds: int) -> Iterator[Figure]:
    """All cases, one after the other."""
    for case in CASES:
        yield from measured(surroundings, case)


def measured(
    surroundings: Surroundings, case: Case, warm: float = 5.0, seconds: float = 20.0
) -> Iterator[Figure]:
    """One case, on a topic of its own.

    Args:
        surroundings: between what.
        case: what to measure.
        warm: seconds of the same before: calls begin at one a second, until TikTok has accepted one.
        seconds: how long what counts is produced.

    Raises:
        AssertionError: rows were lost.
    """
    topic, port = surroundings.empty(), free_port()
    place = (surroundings.broker.bootstrap_servers, topic.topic)
    with surroundings.sink(timed=True) as sink:
        config = surroundings.configuration(topic, sink, port=port, linger_seconds=case.linger)
        with Program([CONNECTOR, "run", "--config", str(config)]) as connector:
            until(lambda: get(f"http://127.0.0.1:{port}/readyz")[0] == 200, 30, "the connector")
            with Program(module("even", *place, case.rate, warm + seconds)) as producer:
                time.sleep(warm)
                before, begun, early = connector.cpu_seconds(), time.monotonic(), sink.forget()
                producer.finish()
                share = (connector.cpu_seconds() - before) / (time.monotonic() - begun)
                rows = int(producer.output()) - early["rows"]
            until(lambda: sink.taken()["rows"] >= rows, 60, "every row is accepted")
            found = sink.latencies()
            connector.stop()
    what = f"latency at {case.rate:,} records/s, linger {case.linger:g} s"
    say(f"{what}: {found}, {share:.1%} of a core")
    yield Figure(f"{what}: median", found["p50"], "s", at_most=case.p50)
    yield Figure("… 99th percentile", found["p99"], "s", at_most=case.p99)
    yield Figure("… CPU of the connector", 100 * share, "% of a core")
