"""The rows of rejected batches while inquiries last: parked, or in groups that are to be tried.

Owns where they wait. What becomes of them is the inquiry's word, and how they come and go the lane's.
"""

from collections import deque
from collections.abc import Iterable

from connector.core.batch import Row
from connector.core.inquiry import Inquiry
from connector.core.row_queue import Queue


class Group(Queue):
    """Rows that are tried in a call of their own, as a part of an inquiry."""

    __slots__ = ("inquiry",)

    def __init__(self, inquiry: Inquiry) -> None:
        super().__init__()
        self.inquiry = inquiry


class Suspects:
    """All rows under inquiry of one lane."""

    __slots__ = ("_groups", "_parked")

    def __init__(self) -> None:
        self._parked: dict[Inquiry, Queue] = {}
        self._groups: deque[Group] = deque()

    def __bool__(self) -> bool:
        """Whether a group is to be tried."""
        return bool(self._groups)

    def rows(self) -> int:
        """How many rows there are, parked or to be tried."""
        return sum(queue.live for queue in self.queues())

    def queues(self) -> Iterable[Queue]:
        """Wherever rows wait."""
        return (*self._parked.values(), *self._groups)

    def parked(self, inquiry: Inquiry) -> Queue:
        """Where the inquiry's rows wait for its word."""
        return self._parked.setdefault(inquiry, Queue())

    def again(self, inquiry: Inquiry) -> Group:
        """A new group before all others, for rows whose try failed for another reason."""
        group = Group(inquiry)
        self._groups.appendleft(group)
        return group

    def try_apart(self, groups: Iterable[list[Row]], inquiry: Inquiry) -> None:
        """Let each group of parked rows wait for a call of its own."""
        for rows in groups:
            self.release(rows, inquiry)
            group = Group(inquiry)
            for row in rows:
                group.append(row)
            self._groups.append(group)

    def next_group(self) -> Group:
        """Take out the group that is to be tried next."""
        return self._groups.popleft()

    def release(self, rows: list[Row], inquiry: Inquiry) -> None:
        """Take these rows out of those that are parked."""
        names = {id(row) for row in rows}
        staying = [row for row in self.release_all(inquiry) if id(row) not in names]
        if staying:
            parked = self.parked(inquiry)
            for row in staying:
                parked.append(row)

    def release_all(self, inquiry: Inquiry) -> list[Row]:
        """Take out all of the inquiry's parked rows."""
        return self._parked.pop(inquiry, Queue()).drain()

    def clear(self) -> None:
        """Forget all of it."""
        self._parked.clear()
        self._groups.clear()
