"""Series over time as SVG: lines, stacked or not, and bars of states.

Knows nothing of dashboards beyond a unit and a limit.
"""

import html
from collections.abc import Callable, Sequence
from typing import NamedTuple

from tests.deploy.grafana.units import shown

COLOURS = ("#3274d9", "#e0752d", "#4c9a3d", "#a352cc", "#c4162a", "#0a9ea4", "#b58900", "#7a7a7a")
GOOD, BAD = "#73bf69", "#c4162a"

_AXIS = 50  # pixels on the left, for the values' words
_MOST_BAR = 26


class Drawn(NamedTuple):
    """A series with its legend written out; its points are (seconds since the epoch, value)."""

    legend: str
    points: Sequence[tuple[float, float]]


class Plot(NamedTuple):
    """An area in pixels, with the time that it spans in seconds since the epoch."""

    width: int
    height: int
    since: float
    until: float

    def lines(self, series: Sequence[Drawn], unit: str, limits: Sequence[float]) -> str:
        """A line for each series, and a broken one for each limit that is in sight."""
        top = 1.1 * (max(value for one in series for _, value in one.points) or 1.0)

        def y(value: float) -> float:
            return 4 + (self.height - 8) * (1 - value / top)

        parts = [self._level(y(value), shown(value, unit)) for value in (0, top / 2.2, top / 1.1)]
        parts += [
            f'<path d="M{_AXIS} {y(one):.1f}H{self.width}" stroke="{BAD}" stroke-dasharray="4"/>'
            for one in limits
            if one <= top
        ]
        parts += [self._line(one, colour_of(place), y) for place, one in enumerate(series)]
        return self._drawn(parts)

    def bars(self, series: Sequence[Drawn]) -> str:
        """A bar for each series, red where it is not 0."""
        each = min(_MOST_BAR, self.height // len(series))
        parts = []
        for place, one in enumerate(series):
            top = place * each
            parts.append(f'<text x="0" y="{top + 14}">{html.escape(one.legend)}</text>')
            parts += self._bar(one.points, top + 3, each - 6)
        return self._drawn(parts)

    def _bar(self, points: Sequence[tuple[float, float]], top: int, tall: int) -> list[str]:
        ends = [*(at for at, _ in points[1:]), self.until]
        return [
            f'<rect shape-rendering="crispEdges" x="{self._x(at):.1f}" y="{top}" height="{tall}"'
            f' width="{self._x(end) - self._x(at):.1f}" fill="{BAD if value else GOOD}"/>'
            for (at, value), end in zip(points, ends, strict=True)
        ]

    def _line(self, one: Drawn, colour: str, y: Callable[[float], float]) -> str:
        points = " ".join(f"{self._x(at):.1f},{y(value):.1f}" for at, value in one.points)
        return f'<polyline points="{points}" fill="none" stroke="{colour}"/>'

    def _level(self, y: float, words: str) -> str:
        return (
            f'<path d="M{_AXIS} {y:.1f}H{self.width}" stroke="#e4e7eb"/>'
            f'<text x="0" y="{y + 3:.1f}" font-size="9" fill="#777">{html.escape(words)}</text>'
        )

    def _x(self, at: float) -> float:
        return _AXIS + (self.width - _AXIS) * (at - self.since) / (self.until - self.since)

    def _drawn(self, parts: Sequence[str]) -> str:
        return f'<svg width="{self.width}" height="{self.height}">{"".join(parts)}</svg>'


def colour_of(place: int) -> str:
    return COLOURS[place % len(COLOURS)]


def stacked(series: Sequence[Drawn]) -> list[Drawn]:
    """Each upon the sum of those before it."""
    sums: dict[float, float] = {}
    found = []
    for one in series:
        for at, value in one.points:
            sums[at] = sums.get(at, 0.0) + value
        found.append(Drawn(one.legend, [(at, sums[at]) for at, _ in one.points]))
    return found
