"""Changes per CPU-second of each format's decoder, beside the parser alone on the same bytes.

    python -m tests.benchmarks.formats [--json]

The messages are the vendors' published examples. The two take turns; each figure is the best of its rounds, for a
busy machine only makes them slower. Exit 1 when a decoder is below its goal; with --json the reader judges.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import orjson

from tests.test_explanation import SAMPLES

_GOAL = 150_000
_ROUNDS = 7
_MESSAGES = 10_000


class Speed(NamedTuple):
    """How fast one format's example is read.

    Attributes:
        size: of the message, in bytes.
        changes: in the message.
        decoded: changes per CPU-second.
        parsed: messages per CPU-second by the parser alone.
    """

    name: str
    size: int
    changes: int
    decoded: float
    parsed: float


def speeds() -> Iterator[Speed]:
    """Measure every format that needs no headers."""
    for name, sample in SAMPLES.items():
        if sample.headers:
            continue
        value = orjson.dumps(sample.trees[0])
        decode = sample.shape.decode
        changes = len(decode(value))
        decoded = parsed = float("inf")
        for _ in range(_ROUNDS):
            decoded = min(decoded, _seconds_of(decode, value))
            parsed = min(parsed, _seconds_of(orjson.loads, value))
        yield Speed(name, len(value), changes, changes / decoded, 1 / parsed)


def _seconds_of(work: Callable[[bytes], object], value: bytes) -> float:
    """The CPU time of one message."""
    began = time.process_time()
    for _ in range(_MESSAGES):
        work(value)
    return (time.process_time() - began) / _MESSAGES


def main() -> int:
    """Measure, print a table; 0 when every decoder reaches its goal."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.formats")
    parser.add_argument("--json", action="store_true")
    if parser.parse_args().json:
        rates = {one.name: one.decoded for one in speeds()}
        print(json.dumps({"goal": _GOAL, "rates": rates}))
        return 0
    found = list(speeds())
    print(f"{'format':<20}{'bytes':>8}{'changes':>9}{'changes/CPU-s':>16}{'parsed/CPU-s':>15}")
    for name, size, changes, decoded, parsed in found:
        print(f"{name:<20}{size:>8}{changes:>9}{decoded:>16,.0f}{parsed:>15,.0f}")
    return int(any(one.decoded < _GOAL for one in found))


if __name__ == "__main__":
    sys.exit(main())
