"""Changes per CPU-second of each format's decoder, beside the parser alone on the same bytes.

    python -m tests.benchmarks.formats

The messages are the vendors' published examples. The two take turns; each figure is the best of its rounds, for a
busy machine only makes them slower. Exit 1 when a decoder is below its goal.
"""

import sys
import time
from collections.abc import Callable

import orjson

from tests.test_explanation import SAMPLES

_GOAL = 150_000
_ROUNDS = 7
_MESSAGES = 10_000


def seconds_of(work: Callable[[bytes], object], value: bytes) -> float:
    """The CPU time of one message."""
    began = time.process_time()
    for _ in range(_MESSAGES):
        work(value)
    return (time.process_time() - began) / _MESSAGES


def main() -> int:
    """Measure, print a table; 0 when every decoder reaches its goal."""
    print(f"{'format':<20}{'bytes':>8}{'changes':>9}{'changes/CPU-s':>16}{'parsed/CPU-s':>15}")
    slow = 0
    for name, sample in SAMPLES.items():
        if sample.headers:
            continue
        value = orjson.dumps(sample.trees[0])
        decode = sample.shape.decode
        changes = len(decode(value))
        decoded = parsed = float("inf")
        for _ in range(_ROUNDS):
            decoded = min(decoded, seconds_of(decode, value))
            parsed = min(parsed, seconds_of(orjson.loads, value))
        rate = changes / decoded
        slow += rate < _GOAL
        print(f"{name:<20}{len(value):>8}{changes:>9}{rate:>16,.0f}{1 / parsed:>15,.0f}")
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
