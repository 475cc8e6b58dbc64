"""What a suppression list takes: memory for each entry, time for an entry and for a question.

    python -m tests.benchmarks.suppression [--entries 1000000] [--json]

Each entry has three identifiers that nobody else has. Memory is what this process has grown by; a question's time
is the best of many rounds, for a busy machine only makes them longer. Exit 1 when an entry takes more than its goal.
"""

import argparse
import hashlib
import json
import os
import resource
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from connector.core.identity import Digests
from connector.core.suppression import Status, SuppressionEntry, SuppressionList

_GOAL_BYTES = 110
_SLOTS = 3
_ROUNDS = 60
_QUESTIONS = 500

Asked = TypeVar("Asked", str, bytes)


def digest(number: int, slot: int = 0) -> bytes:
    return hashlib.sha256(b"%d %d" % (number, slot)).digest()


def row(number: int) -> Digests:
    return [digest(number, slot) for slot in range(_SLOTS)]


def rss() -> int:
    """The memory that this process holds now, in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def fill(suppressed: SuppressionList, entries: int) -> tuple[float, float]:
    """Apply so many entries; the mean of an entry in microseconds of CPU, and the longest in milliseconds."""
    spent = longest = 0.0
    for number in range(entries):
        entry, rows = SuppressionEntry(f"profile-{number}", Status.ERASED, {}), [row(number)]
        began = time.thread_time()
        suppressed.apply(entry, rows)
        took = time.thread_time() - began
        spent += took
        longest = max(longest, took)
    return spent / entries * 1e6, longest * 1e3


def microseconds(
    ask: Callable[[Asked], bool], rounds: Iterable[Sequence[Asked]], *, says: bool
) -> float:
    """The time of one question, in the best round of those; each has to be answered so."""
    best = float("inf")
    for some in rounds:
        began = time.perf_counter()
        for one in some:
            if ask(one) is not says:
                raise AssertionError("a question was answered wrongly")
        best = min(best, (time.perf_counter() - began) / len(some))
    return best * 1e6


def measure(entries: int) -> dict[str, float]:
    before = rss()
    suppressed = SuppressionList(os.urandom(16))
    mean, longest = fill(suppressed, entries)
    grown = rss() - before
    known = [
        [number * 7919 % entries for number in range(at, at + _QUESTIONS)] for at in range(_ROUNDS)
    ]
    unknown = [[number + entries for number in some] for some in known]

    def has(one: bytes) -> bool:
        return suppressed.has(0, one)

    def digests(rounds: list[list[int]]) -> list[list[bytes]]:
        return [[digest(number) for number in some] for some in rounds]

    def profiles(rounds: list[list[int]]) -> list[list[str]]:
        return [[f"profile-{number}" for number in some] for some in rounds]

    return {
        "entries": entries,
        "bytes_per_entry": round(grown / entries, 1),
        "megabytes": round(grown / 1e6, 1),
        "apply_us": round(mean, 2),
        "longest_apply_ms": round(longest, 2),
        "has_us": round(microseconds(has, digests(unknown), says=False), 2),
        "has_listed_us": round(microseconds(has, digests(known), says=True), 2),
        "has_profile_us": round(
            microseconds(suppressed.has_profile, profiles(unknown), says=False), 2
        ),
        "has_listed_profile_us": round(
            microseconds(suppressed.has_profile, profiles(known), says=True), 2
        ),
    }


def main() -> int:
    """Measure and print; 0 when an entry takes no more than its goal."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.suppression")
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    measured = measure(given.entries)
    if given.json:
        print(json.dumps(measured))
    else:
        for name, figure in measured.items():
            print(f"{name:<24}{figure:>14,}")
    return int(measured["bytes_per_entry"] > _GOAL_BYTES)


if __name__ == "__main__":
    sys.exit(main())
