"""How fast, how large, how soon: every figure beside its goal, in one run on one machine: docs/performance.md.

    python -m tests.benchmarks [--only PART,PART] [--records 1000000] [--rounds 3] [--output FILE]

Brings up a broker and sinks by itself. Progress goes to stderr, the table to stdout and, as Markdown, to the file.
Exit 0 when everything was measured, whether the goals are met or not: the table says so.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from tests.benchmarks import throughput
from tests.benchmarks.surroundings import Surroundings
from tests.benchmarks.table import Figure, table

Part = Callable[[Surroundings, int, int], Iterator[Figure]]

PARTS: Final[Mapping[str, Part]] = {
    "throughput": throughput.programs,
}


def measured(parts: Sequence[str], records: int, rounds: int) -> list[Figure]:
    """All figures of these parts, in their order."""
    with Surroundings.up() as surroundings:
        return [one for part in parts for one in PARTS[part](surroundings, records, rounds)]


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks", description=__doc__.splitlines()[0] if __doc__ else None
    )
    parser.add_argument("--only", default=",".join(PARTS), help=f"of {', '.join(PARTS)}")
    parser.add_argument("--records", type=int, default=1_000_000, help="in a topic")
    parser.add_argument("--rounds", type=int, default=3, help="of each program; medians count")
    parser.add_argument("--output", type=Path, help="where the table goes too, as Markdown")
    given = parser.parse_args(arguments)
    parts = given.only.split(",")
    if unknown := [one for one in parts if one not in PARTS]:
        parser.error(f"there is no part {unknown[0]}: {', '.join(PARTS)}")
    found = table(measured(parts, given.records, given.rounds))
    print(found)
    if given.output:
        given.output.write_text(found + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
