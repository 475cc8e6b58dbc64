"""Which lines that repeat are written: of each kind the first few in a minute, then how many more there were.

Owns the counts, and their bound: so many kinds are known at once, whatever is said. Knows no line and writes none.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

Head = TypeVar("Head")

MOST_LINES = 10
SECONDS = 60.0
_MOST_KINDS = 1000


@dataclass(slots=True)
class _Window(Generic[Head]):
    """A minute of one kind of line, since its first one."""

    ends_at: float
    head: Head
    passed: int = 0
    left_out: int = 0


class Sampler(Generic[Head]):
    """Lets the first lines of a kind pass: `passes`. Tells how many did not: `over`, `rest`.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._windows: dict[Hashable, _Window[Head]] = {}
        self._ended: list[_Window[Head]] = []

    def passes(self, kind: Hashable, head: Head) -> bool:
        """Whether a line of this kind is to be written now. One that is not is counted.

        Args:
            head: what the line that tells the count begins with; a window keeps its first one.
        """
        window = self._windows.get(kind) or self._open(kind, head)
        if window.passed < MOST_LINES:
            window.passed += 1
            return True
        window.left_out += 1
        return False

    def over(self) -> list[tuple[Head, int]]:
        """The windows that ended and left lines out, with how many. Each is told once."""
        now = self._clock()
        while self._windows:
            kind, window = next(
                iter(self._windows.items())
            )  # they stand in the order of their ends
            if window.ends_at > now:
                break
            self._end(kind)
        return self._tell()

    def rest(self) -> list[tuple[Head, int]]:
        """The same, of all windows: nothing more is to be written."""
        for kind in [*self._windows]:
            self._end(kind)
        return self._tell()

    def _open(self, kind: Hashable, head: Head) -> _Window[Head]:
        if len(self._windows) >= _MOST_KINDS:
            self._end(next(iter(self._windows)))  # a minute ends early; no count is lost
        window = self._windows[kind] = _Window(self._clock() + SECONDS, head)
        return window

    def _end(self, kind: Hashable) -> None:
        self._ended.append(self._windows.pop(kind))

    def _tell(self) -> list[tuple[Head, int]]:
        ended, self._ended = self._ended, []
        return [(one.head, one.left_out) for one in ended if one.left_out]
