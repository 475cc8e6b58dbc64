"""Who is to blame for a rejected batch: some bad rows, or the audience itself.

Owns the order of trying. A rejected batch is halved until the bad rows are alone. Groups down to an eighth of it
that are rejected wait until anything of the batch was accepted: only then is the fault known to be in rows. When
all eighths are rejected, eight single rows spread over them are tried; when these are rejected too, it is the
audience's fault, and no row is set aside.

Pure; it moves no row itself: it says what to try, and the lane keeps the rows meanwhile, so that newer changes
take over what they have to.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from connector.core.batch import Row
from connector.core.outcome import Rejected

PARTS = 8
"""So many parts, and so many single rows, must be rejected before the audience is blamed."""


class _Refused(NamedTuple):
    """A group that was rejected, with the size it was tried in."""

    size: int
    rows: list[Row]
    outcome: Rejected


@dataclass(frozen=True, slots=True)
class Step:
    """What follows from an answer.

    Attributes:
        groups: rows to be tried, each group in a call of its own.
        bad: rows that were rejected alone, with the answer.
        is_audiences_fault: nothing is left to try: put all rows back and halt the audience.
    """

    groups: list[list[Row]] = field(default_factory=list)
    bad: list[tuple[Row, Rejected]] = field(default_factory=list)
    is_audiences_fault: bool = False


class Inquiry:
    """One rejected batch being looked into: `rejected`, `accepted`, `vanished`, once for each group tried.

    Args:
        rows: how many the batch had. With fewer than eight, single rows are blamed and never the audience.
    """

    def __init__(self, rows: int) -> None:
        self._wait_from = -(-rows // PARTS) if rows >= PARTS else 0
        self._untried = 1  # the batch itself, whose rejection begins it
        self._waiting: list[_Refused] = []
        self._is_cleared = False
        self._has_sampled = False

    def rejected(self, rows: list[Row], outcome: Rejected) -> Step:
        """A group was rejected. Its rows may have lost identifiers, or all of them, since."""
        self._untried -= 1
        refused = _Refused(len(rows), rows, outcome)
        if self._is_cleared or refused.size > self._wait_from:
            return self._divide([refused])
        self._waiting.append(refused)
        return self._conclude()

    def accepted(self) -> Step:
        """A group was accepted: the audience is not to blame, and what waits is divided."""
        self._untried -= 1
        self._is_cleared = True
        waiting, self._waiting = self._waiting, []
        return self._divide(waiting)

    def vanished(self) -> Step:
        """All rows of a group were taken over by newer changes before it was tried."""
        self._untried -= 1
        return self._conclude()

    def _divide(self, groups: Iterable[_Refused]) -> Step:
        step = Step()
        for size, tried, outcome in groups:
            rows = [row for row in tried if row.left]
            if size == 1:
                step.bad.extend((row, outcome) for row in rows)
            elif rows:
                middle = len(rows) // 2
                step.groups.extend(half for half in (rows[:middle], rows[middle:]) if half)
        self._untried += len(step.groups)
        return step

    def _conclude(self) -> Step:
        """With nothing left to try and nothing accepted, try single rows; after these, blame the audience."""
        if self._untried or self._is_cleared:
            return Step()
        if self._has_sampled:
            return Step(is_audiences_fault=True)
        self._has_sampled = True
        rows = [row for one in self._waiting for row in one.rows if row.left]
        count = min(PARTS, len(rows))
        chosen = [rows[place * len(rows) // count] for place in range(count)]
        return self._sample(chosen)

    def _sample(self, chosen: list[Row]) -> Step:
        if not chosen:
            return Step(is_audiences_fault=True)
        names = {id(row) for row in chosen}
        self._waiting = [
            one._replace(rows=[row for row in one.rows if id(row) not in names])
            for one in self._waiting
        ]
        self._untried += len(chosen)
        return Step([[row] for row in chosen])
