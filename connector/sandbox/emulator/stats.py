"""Counts what clients did: calls by endpoint and outcome, rows, duplicates.

Calls in time are counted by rates; this module reads no clock.
"""

from collections import Counter
from collections.abc import Sequence


class Stats:
    """Plain counters; a snapshot is made on demand."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Begin anew."""
        self._calls: dict[str, Counter[str]] = {}
        self._row_counts: Counter[int] = Counter()  # rows of a call -> such calls
        self._rows_applied = 0
        self._overlaps = 0
        self._overlapping_calls = 0
        self._within_call = 0

    def answered(self, endpoint: str, outcome: str) -> None:
        """Count a call by its code ("0"), its HTTP status ("http_500") or how it was broken ("reset")."""
        self._calls.setdefault(endpoint, Counter())[outcome] += 1

    def received(self, rows: int, *, overlaps: int, repeated: int) -> None:
        """Count a well-formed mapping call that passed the rate limit."""
        self._row_counts[rows] += 1
        self._overlaps += overlaps
        self._overlapping_calls += overlaps > 0
        self._within_call += repeated

    def applied(self, rows: int) -> None:
        """Count the rows of a mapping call that changed the audiences."""
        self._rows_applied += rows

    def snapshot(self) -> dict[str, object]:
        """Return the counters as JSON values."""
        return {
            "calls": {
                "total": sum(outcomes.total() for outcomes in self._calls.values()),
                "by_endpoint": {
                    endpoint: dict(sorted(outcomes.items()))
                    for endpoint, outcomes in sorted(self._calls.items())
                },
            },
            "rows": {
                "received": sum(rows * calls for rows, calls in self._row_counts.items()),
                "applied": self._rows_applied,
                "per_call": summary(self._row_counts),
            },
            "duplicates": {
                "under_way": self._overlaps,
                "calls_with_under_way": self._overlapping_calls,
                "within_call": self._within_call,
            },
        }


def summary(counts: Counter[int]) -> dict[str, float]:
    """Return count, min, mean, p50, p95 and max of the numbers counted; zeros if there are none."""
    total = counts.total()
    if not total:
        return {"calls": 0, "min": 0, "mean": 0, "p50": 0, "p95": 0, "max": 0}
    numbers = sorted(counts)
    return {
        "calls": total,
        "min": numbers[0],
        "mean": round(sum(number * times for number, times in counts.items()) / total, 2),
        "p50": _quantile(counts, numbers, 0.5),
        "p95": _quantile(counts, numbers, 0.95),
        "max": numbers[-1],
    }


def _quantile(counts: Counter[int], numbers: Sequence[int], part: float) -> int:
    needed = part * counts.total()
    seen = 0
    for number in numbers:
        seen += counts[number]
        if seen >= needed:
            return number
    return numbers[-1]
