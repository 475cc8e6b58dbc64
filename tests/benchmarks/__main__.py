"""How fast, how large, how soon: every figure beside its goal, in one run on one machine: docs/performance.md.

    python -m tests.benchmarks [--only PART,PART] [--records 1000000] [--rounds 3] [--output FILE]

Brings up a broker and sinks by itself. Progress goes to stderr, the table to stdout and, as Markdown, to the file.
Exit 0 when everything was measured, whether the goals are met or not: the table says so.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from tests.benchmarks.latency import latency
from tests.benchmarks.machine import description
from tests.benchmarks.programs import Program, module
from tests.benchmarks.scale import audiences, backlog, burst
from tests.benchmarks.start import start
from tests.benchmarks.surroundings import Surroundings, say
from tests.benchmarks.table import Figure, missed, table
from tests.benchmarks.throughput import throughput, workloads

Part = Callable[[Surroundings, int, int], Iterator[Figure]]


def formats(_surroundings: Surroundings, _records: int, _rounds: int) -> Iterator[Figure]:
    """Each format's decoder, in a process of its own: it needs more memory than what is measured."""
    with Program(module("formats", "--json")) as program:
        program.finish()
        found = json.loads(program.output())
    for name, rate in found["rates"].items():
        yield Figure(f"decoding {name}", rate, "changes/CPU-s", at_least=found["goal"])


PARTS: Final[Mapping[str, Part]] = {
    "throughput": throughput,
    "workloads": workloads,
    "audiences": audiences,
    "burst": burst,
    "backlog": backlog,
    "latency": latency,
    "start": start,
    "formats": formats,
}


def measured(parts: Sequence[str], records: int, rounds: int) -> list[Figure]:
    """All figures of these parts, in their order."""
    figures: list[Figure] = []
    with Surroundings.up() as surroundings:
        for part in parts:
            begun = time.monotonic()
            figures += PARTS[part](surroundings, records, rounds)
            say(f"{part}: {time.monotonic() - begun:.0f} s")
    return figures


def document(figures: Sequence[Figure], records: int, rounds: int) -> str:
    """What was measured on what, and how many goals are met."""
    goals = [one for one in figures if one.is_met is not None]
    reached = f"{len(goals) - len(missed(goals))} of {len(goals)} goals are met."
    sizes = f"- sizes: {records:,} records in a topic, {rounds} rounds"
    return "\n".join((description(), sizes, "", table(figures), "", reached))


def main(arguments: Sequence[str]) -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks")
    parser.add_argument("--only", default=",".join(PARTS), help=f"of {', '.join(PARTS)}")
    parser.add_argument("--records", type=int, default=1_000_000, help="in a topic")
    parser.add_argument("--rounds", type=int, default=3, help="of each program; medians count")
    parser.add_argument("--output", type=Path, help="a file for what is printed")
    given = parser.parse_args(arguments)
    parts = given.only.split(",")
    if unknown := [one for one in parts if one not in PARTS]:
        parser.error(f"there is no part {unknown[0]}: {', '.join(PARTS)}")
    found = document(measured(parts, given.records, given.rounds), given.records, given.rounds)
    print(found)
    if given.output:
        given.output.write_text(found + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
