"""The verdict: what TikTok's side holds beside what the events imply.

Owns the comparison and its counts. Knows neither where the two come from nor how they are shown, and holds digests
only while it counts.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any, NamedTuple

Audiences = Mapping[str, Mapping[str, AbstractSet[str]]]
"""Audience id -> type of identifier -> digests."""


class Line(NamedTuple):
    """One comparison of two sets, in numbers."""

    name: str
    expected: int
    actual: int
    missing: int
    extra: int

    @property
    def equal(self) -> bool:
        return not self.missing and not self.extra


class Comparison(NamedTuple):
    """All lines of a run.

    Attributes:
        audiences: one line for each audience that either side knows.
        total: of all audiences.
        letters: the records set aside.
    """

    audiences: list[Line]
    total: Line
    letters: Line

    @property
    def equal(self) -> bool:
        return self.total.equal and self.letters.equal


def compare(
    expected: Audiences,
    actual: Audiences,
    expected_letters: AbstractSet[tuple[int, int]],
    actual_letters: AbstractSet[tuple[int, int]],
    names: Mapping[str, str] | None = None,
) -> Comparison:
    """Compare each audience by type and digest, and the letters by the record they stand for.

    Args:
        names: how audiences are to be called; by their id where there is none.
    """
    lines = [
        _line((names or {}).get(one, one), _flat(expected.get(one, {})), _flat(actual.get(one, {})))
        for one in sorted(expected.keys() | actual.keys())
    ]
    total = Line(
        "all audiences",
        sum(line.expected for line in lines),
        sum(line.actual for line in lines),
        sum(line.missing for line in lines),
        sum(line.extra for line in lines),
    )
    return Comparison(lines, total, _line("dead letters", expected_letters, actual_letters))


def _line(name: str, expected: AbstractSet[Any], actual: AbstractSet[Any]) -> Line:
    missing, extra = expected - actual, actual - expected
    return Line(name, len(expected), len(actual), len(missing), len(extra))


def _flat(members: Mapping[str, AbstractSet[str]]) -> set[tuple[str, str]]:
    return {(kind, digest) for kind, digests in members.items() for digest in digests}
