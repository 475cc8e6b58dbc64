"""How much one call may hold, by rows and by bytes.

Owns what rows take in a call's body. Knows no lane and no JSON: it is told what an identifier takes.
"""

from dataclasses import dataclass

from connector.core.row_queue import Queue

_EMPTY_CELL_BYTES = 3
"""An empty object and a comma stand for an identity that a user does not have."""

_ROW_BYTES = 3
"""Brackets and a comma around a row."""

_FRAME_BYTES = 256
"""More than what stands around the rows: the keys, the action, one advertiser and all six identity types."""


@dataclass(frozen=True, slots=True)
class Limits:
    """When a batch is full, and how long a change waits for company."""

    max_rows: int
    max_bytes: int
    linger_seconds: float


class Room:
    """The room in the calls to one audience.

    Args:
        slots: how many identity types there are.
        cell_bytes: the most bytes that one identifier takes in a call's body.

    Attributes:
        surely: how many rows fit even when each has all its identifiers; one always does.
    """

    __slots__ = ("_cell_bytes", "_limits", "_slots", "surely")

    def __init__(self, slots: int, limits: Limits, cell_bytes: int) -> None:
        self._slots = slots
        self._cell_bytes = cell_bytes
        self.limits = limits

    @property
    def limits(self) -> Limits:
        return self._limits

    @limits.setter
    def limits(self, limits: Limits) -> None:
        self._limits = limits
        all_cells = self._bytes(1, self._slots) - _FRAME_BYTES
        by_bytes = (limits.max_bytes - _FRAME_BYTES) // all_cells
        self.surely = max(1, min(limits.max_rows, by_bytes))

    def fits(self, rows: int, cells: int) -> bool:
        """Whether one call can hold so many rows with so many identifiers."""
        return rows <= self._limits.max_rows and self._bytes(rows, cells) <= self._limits.max_bytes

    def is_full(self, queue: Queue) -> bool:
        """Whether one more row would not fit beside those that wait."""
        return queue.live >= self.surely and not self.fits(queue.live + 1, queue.cells + 1)

    def _bytes(self, rows: int, cells: int) -> int:
        """The most bytes that so many rows can take: empty cells are written too."""
        empty = rows * self._slots - cells
        around = _FRAME_BYTES + rows * _ROW_BYTES + empty * _EMPTY_CELL_BYTES
        return around + cells * self._cell_bytes
