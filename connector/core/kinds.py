"""How many identifiers each source gave, by what they were: plain or hashed.

Owns these counts. They are made for every identifier, so the usual profile costs one addition: it is counted by
its pattern, a number in base three with a digit for each source, that says what the source gave.
"""

from collections.abc import Callable, Sequence
from enum import StrEnum


class Kind(StrEnum):
    """What a usable value was."""

    PLAIN = "plain"
    DIGEST = "digest"
    DIGEST_UPPER_CASE = "digest_upper_case"


PLAIN, DIGEST, UPPER = range(len(Kind))

Counts = list[int]
"""One source's, in the order of Kind: at PLAIN those that were plain."""

Note = Callable[[int, int], object]
"""Told that a value that is counted as the one kind is of the other."""


_MOST_IN_PATTERNS = 6
"""Sources whose profiles are counted as a whole: of six there are 729 patterns."""


class Kinds:
    """The counts.

    Args:
        sources: the namespaces by position.

    Attributes:
        has_patterns: whether a profile may be counted as a whole: not where one source is counted for two targets,
            nor where the patterns would be too many.
        units: what a plain value of each source adds to a profile's pattern; a digest adds twice as much.
        profiles: by pattern, how many profiles were counted as a whole.
        counts: of what was counted one by one, by position.
        odd: what was noted, and is counted as something else so far.
    """

    def __init__(self, sources: Sequence[str]) -> None:
        self.has_patterns = len(set(sources)) == len(sources) <= _MOST_IN_PATTERNS
        self._sources = sources
        self.units = [3**position for position in range(len(sources))]
        self.profiles = [0] * (3 ** len(sources) if self.has_patterns else 1)
        self.counts: list[Counts] = [[0] * len(Kind) for _ in sources]
        self.odd: list[tuple[Counts, int, int]] = []

    def note_for(self, position: int) -> Note:
        """Where the encoder of this source says what its values are whose length says something else.

        A value is counted at once by its length: as long as a digest, it is one in lower case, else it is plain.
        """
        counts = self.counts[position]
        return lambda counted, kind: self.odd.append((counts, counted, kind))

    def settle(self) -> None:
        """Count what was noted as what it is."""
        for counts, counted, kind in self.odd:
            counts[kind] += 1
            counts[counted] -= 1
        self.odd.clear()

    def totals(self) -> dict[tuple[str, Kind], int]:
        """By source and kind; a value of a source with two targets is counted for each."""
        totals = {(source, kind): 0 for source in self._sources for kind in Kind}
        for source, unit, counts in zip(self._sources, self.units, self.counts, strict=True):
            total = counts.copy()
            for pattern, profiles in enumerate(self.profiles):
                given = pattern // unit % 3 if profiles else 0
                if given:
                    total[given - 1] += profiles
            for kind, number in zip(Kind, total, strict=True):
                totals[source, kind] += number
        return totals
