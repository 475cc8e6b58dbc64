"""Rows in order of arrival, with what a lane needs to know of them at once: how many, how large, since when.

Owns the order. Knows no rule about who may be sent.
"""

import math
from collections import deque
from collections.abc import Callable

from connector.core.batch import Row

_COMPACT_FROM = 64
"""Rows that lost everything are swept out when they are this many more than twice the living."""


_NO_ROWS: deque[Row] = deque(maxlen=0)
"""Stands in where there are none: most queues of most lanes are empty, and a deque takes 760 bytes."""


class Queue:
    """Rows in order of arrival. Rows that lost everything stay in the deque, uncounted, until passed over."""

    __slots__ = ("cells", "live", "rows", "since")

    def __init__(self) -> None:
        self.rows = _NO_ROWS
        self.live = 0
        self.cells = 0
        self.since = math.inf

    def append(self, row: Row) -> None:
        if not self.live:
            self.rows = deque()
        if row.since < self.since:  # noqa: PLR1730  hot
            self.since = row.since
        self.live += 1
        self.cells += row.left
        self.rows.append(row)
        row.queue = self

    def put_back(self, row: Row) -> None:
        """Place a row that has waited already before all others."""
        if not self.live:
            self.rows = deque()
        self.live += 1
        self.cells += row.left
        self.since = min(self.since, row.since)
        self.rows.appendleft(row)
        row.queue = self

    def lose_cell(self, row: Row) -> None:
        """One of its rows lost an identifier, perhaps its last."""
        self.cells -= 1
        if row.left == 0:
            self.live -= 1
            if self.live == 0:
                self.clear()
            elif len(self.rows) > _COMPACT_FROM + 2 * self.live:
                self.rows = deque(row for row in self.rows if row.left)

    def take(self, fits: Callable[[int, int], bool], surely: int = 1) -> list[Row]:
        """Take out rows from the front for as long as `fits(rows, cells)` holds.

        Args:
            surely: so many fit, whatever they hold: it is not asked about them.
        """
        taken: list[Row] = []
        cells = 0
        while len(taken) < self.live:
            row = self.rows.popleft()
            if not row.left:
                continue
            if len(taken) >= surely and not fits(len(taken) + 1, cells + row.left):
                self.rows.appendleft(row)
                break
            cells += row.left
            row.queue = None
            taken.append(row)
        self.live -= len(taken)
        self.cells -= cells
        if self.live:
            self.since = self.rows[0].since
        else:
            self.clear()
        return taken

    def drain(self) -> list[Row]:
        """Take out all rows that are left."""
        rows = [row for row in self.rows if row.left]
        self.clear()
        return rows

    def clear(self) -> None:
        self.rows = _NO_ROWS
        self.live = self.cells = 0
        self.since = math.inf
