"""Identifiers that say when they were produced: digests whose first 16 digits are a time in microseconds.

They pass the connector as any digest does, so that the sink can read a change's age from the call that carries it.
"""

import math
import re
from collections.abc import Sequence
from typing import Final

STAMPED: Final = re.compile(rb'"id":"([0-9a-f]{16})[0-9a-f]{48}"')


def stamped(seconds: float, number: int) -> str:
    """A digest for the record of this number, produced at this time of the system's clock."""
    return f"{int(seconds * 1e6):016x}{number:048x}"


def latencies(seconds: Sequence[float]) -> dict[str, float]:
    """How many there are, their median and their 99th percentile; nothing where there is none."""
    if not seconds:
        return {}
    ordered = sorted(seconds)
    return {"count": len(ordered), "p50": _percentile(ordered, 50), "p99": _percentile(ordered, 99)}


def _percentile(ordered: Sequence[float], percent: float) -> float:
    """The smallest of them that so many percent do not exceed."""
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]
