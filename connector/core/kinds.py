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


PLAIN, _DIGEST, _UPPER = range(3)

Counts = list[int]
"""One source's, in the order of Kind: at PLAIN those that were plain."""


class Kinds:
    """The counts.

    Args:
        sources: the namespaces by position.
        has_patterns: whether a profile may be counted as a whole.

    Attributes:
        has_patterns: whether a profile may be counted as a whole.
        all_plain: the pattern of a profile with a plain value of each source, which takes no reckoning.
        units: what a digest of each source adds to that pattern, and its absence takes away.
        sizes: by pattern, how many sources gave something.
        profiles: by pattern, how many profiles were counted as a whole.
        counts: of what was counted one by one, by position.
        odd: digests that were noted, not yet counted.
    """

    def __init__(self, sources: Sequence[str], *, has_patterns: bool) -> None:
        self.has_patterns = has_patterns
        self._sources = sources
        self.units = [3**position if has_patterns else 0 for position in range(len(sources))]
        self.all_plain = sum(self.units)
        self.sizes = [0]
        for _ in sources if has_patterns else ():
            self.sizes += [size + 1 for size in self.sizes] * 2
        self.profiles = [0] * len(self.sizes)
        self.counts: list[Counts] = [[0] * len(Kind) for _ in sources]
        self.odd: list[tuple[Counts, int]] = []

    def note_for(self, position: int) -> Callable[[bool], object]:
        """Where the encoder of this source says that a digest was not given as it is passed on.

        It is told whether that was for its upper case. Such a digest looks like the product of a plain value.
        """
        digest, upper = (self.counts[position], _DIGEST), (self.counts[position], _UPPER)
        return lambda is_upper: self.odd.append(upper if is_upper else digest)

    def settle(self) -> None:
        """Count what was noted, each of which has been counted as plain."""
        for counts, kind in self.odd:
            counts[kind] += 1
            counts[PLAIN] -= 1
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
