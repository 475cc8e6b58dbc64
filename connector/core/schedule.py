"""Which of many lanes is due, and when the next one will be.

Owns an order in time and nothing else: what it orders is the caller's, and so is the clock.
"""

import heapq
import math
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Schedule(Generic[Item]):
    """Items by the time they are due; of those due, the one that has waited longest comes first.

    Entries that were replaced stay in the heaps and are passed over when they surface.
    """

    def __init__(self) -> None:
        self._upcoming: list[tuple[float, int, float, Item]] = []
        self._due: list[tuple[float, int, Item]] = []
        self._current: dict[Item, tuple[float, float, int]] = {}
        self._count = 0

    def due_at(self, item: Item) -> float:
        """When it is due; infinity if it is not."""
        known = self._current.get(item)
        return math.inf if known is None else known[0]

    def set(self, item: Item, due_at: float, since: float) -> None:
        """The item is due at that time, and has waited since then; infinity takes it out."""
        known = self._current.get(item)
        if known is not None and known[:2] == (due_at, since):
            return
        if due_at == math.inf:
            self._current.pop(item, None)
            return
        self._count += 1
        self._current[item] = (due_at, since, self._count)
        heapq.heappush(self._upcoming, (due_at, self._count, since, item))

    def next_due(self, now: float) -> float:
        """When the first item is due: a time not after `now` if one is, infinity if there is none."""
        self._advance(now)
        if self._due:
            return now
        return self._upcoming[0][0] if self._upcoming else math.inf

    def pop(self, now: float) -> Item | None:
        """Take out the due item that has waited longest; None if none is due."""
        self._advance(now)
        if not self._due:
            return None
        item = heapq.heappop(self._due)[2]
        del self._current[item]
        return item

    def _advance(self, now: float) -> None:
        """Move what has become due, and drop what was replaced, until both heaps show a current entry."""
        while self._upcoming and (self._stale(self._upcoming[0]) or self._upcoming[0][0] <= now):
            entry = heapq.heappop(self._upcoming)
            if not self._stale(entry):
                _, count, since, item = entry
                heapq.heappush(self._due, (since, count, item))
        while self._due and self._stale(self._due[0]):
            heapq.heappop(self._due)

    def _stale(self, entry: tuple[float, int, float, Item] | tuple[float, int, Item]) -> bool:
        current = self._current.get(entry[-1])
        return current is None or current[2] != entry[1]
