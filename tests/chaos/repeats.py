"""How many rows TikTok was given twice, and why: counted on the marked rows, which stand for one event each.

Owns the definition (docs/reliability.md has it in words). Pure: what was applied when, and what was killed when, in.
"""

import itertools
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from tests.chaos.driver import Outage
from tests.chaos.load import place_of

_ON_THE_WAY_SECONDS = 3.0
"""So long after an outage calls may still be applied whose records are another's: until the session has ended."""


class Repeats(NamedTuple):
    """Rows that were applied again, by why they had to be sent again.

    Attributes:
        rows: marked rows that were applied at all.
        after_kills: the time before was answered; then a connector was killed, or the broker killed or frozen,
            before the event was committed.
        unanswered: the answer to the time before was kept back or broken by a fault.
        otherwise: none of these: a replica came, was stopped or was frozen.
    """

    rows: int
    after_kills: int
    unanswered: int
    otherwise: int

    @property
    def outside_of_kills(self) -> float:
        """The part of the rows that was applied again for any other reason than a kill, 0..1."""
        return (self.unanswered + self.otherwise) / max(1, self.rows)

    def part(self, count: int) -> float:
        return count / max(1, self.rows)


def count_repeats(
    applied: Mapping[str, Sequence[Mapping[str, Any]]], outages: Collection[Outage]
) -> Repeats:
    """Count all applications of each mark after its first.

    Args:
        applied: by mark, when it was applied and whether that was answered.
    """
    after_kills = unanswered = otherwise = 0
    for mark, times in applied.items():
        partition, offset = place_of(mark)
        for before, again in itertools.pairwise(times):
            if not before["answered"]:
                unanswered += 1
            elif any(
                before["at"] <= one.ended + _ON_THE_WAY_SECONDS
                and one.begun <= again["at"]
                and one.committed.get(partition, 0) <= offset
                for one in outages
            ):
                after_kills += 1
            else:
                otherwise += 1
    return Repeats(len(applied), after_kills, unanswered, otherwise)
