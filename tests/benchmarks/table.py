"""The table: each figure, beside its goal where it has one, and whether the goal is met.

Pure: figures in, Markdown out, padded so that a terminal shows it well too.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

_HEADINGS: Final = ("what", "figure", "goal", "met")
_MET: Final = {True: "yes", False: "**missed**", None: ""}


@dataclass(frozen=True)
class Figure:
    """One line.

    Attributes:
        what: what was measured, in words.
        unit: what stands behind the number; nothing behind a ratio.
        at_least, at_most: the goal; at most one of them.
    """

    what: str
    value: float
    unit: str = ""
    at_least: float | None = None
    at_most: float | None = None

    @property
    def is_met(self) -> bool | None:
        """None where there is no goal. What is not a number meets none."""
        if self.at_least is not None:
            return self.value >= self.at_least
        return self.value <= self.at_most if self.at_most is not None else None

    def cells(self) -> tuple[str, str, str, str]:
        goal = ""
        if self.at_least is not None:
            goal = f"≥ {self._shown(self.at_least)}"
        elif self.at_most is not None:
            goal = f"≤ {self._shown(self.at_most)}"
        return self.what, self._shown(self.value), goal, _MET[self.is_met]

    def _shown(self, value: float) -> str:
        """With three digits that count, and thousands set apart."""
        digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
        return f"{value:,.{digits}f} {self.unit}".rstrip()


def table(figures: Iterable[Figure]) -> str:
    """All lines as one table."""
    rows = [_HEADINGS, *(one.cells() for one in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    lines = [_line(row, widths) for row in rows]
    lines.insert(1, f"|{'|'.join('-' * (width + 2) for width in widths)}|")
    return "\n".join(lines)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    what, *others = (
        cell.ljust(width) if number in (0, 3) else cell.rjust(width)
        for number, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return f"| {' | '.join((what, *others))} |"


def missed(figures: Iterable[Figure]) -> list[Figure]:
    """Those whose goal is not met."""
    return [one for one in figures if one.is_met is False]
