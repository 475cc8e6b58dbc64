"""Where a lane's rows wait: the urgent ones, the others by action, and those that are held back for now.

Owns which queue a row is in, and which comes first. Who is held back, and for how long, is the lane's word.
"""

import math
from collections.abc import Callable, Iterable

from connector.core.batch import Row
from connector.core.model import Action
from connector.core.row_queue import Queue


class Waiting:
    """The queues of one lane.

    Attributes:
        ready: by action, rows that may be sent and are not urgent.
        urgent: rows that may be sent, before all those.
        held: rows that something holds back; likewise `urgent_held`.
    """

    __slots__ = ("held", "ready", "urgent", "urgent_held")

    def __init__(self) -> None:
        self.ready = {Action.ADD: Queue(), Action.DELETE: Queue()}
        self.urgent = Queue()
        self.held = Queue()
        self.urgent_held = Queue()

    def __len__(self) -> int:
        """How many rows wait, held ones included."""
        add, delete, held, urgent, urgent_held = self.queues()
        return add.live + delete.live + held.live + urgent.live + urgent_held.live

    def queues(self) -> tuple[Queue, ...]:
        """All of them."""
        return (*self.ready.values(), self.held, self.urgent, self.urgent_held)

    def queue_of(self, row: Row) -> Queue:
        """Where the row waits when it may be sent."""
        return self.urgent if row.urgent else self.ready[row.action]

    def held_of(self, row: Row) -> Queue:
        """Where the row waits when it is held back."""
        return self.urgent_held if row.urgent else self.held

    def first(self) -> Queue:
        """The queue that a batch is to be cut from; it may be empty."""
        if self.urgent.live:
            return self.urgent
        add, delete = self.ready.values()
        return add if add.since <= delete.since else delete

    def since(self) -> float:
        """Since when its oldest row that may be sent has waited; for ever, if it is urgent.

        Without any, that of its oldest held one.
        """
        if self.urgent.live:
            return -math.inf
        since = self.first().since
        return since if since < math.inf else min(self.held.since, self.urgent_held.since)

    def has_full(self, is_full: Callable[[Queue], bool]) -> bool:
        """Whether rows that are not urgent fill a call."""
        add, delete = self.ready.values()
        return is_full(add) or is_full(delete)

    def release(self, is_held: Callable[[Row], bool]) -> None:
        """Let held rows go that nothing holds any more, behind those that wait: none is passed for ever."""
        for held in (self.urgent_held, self.held):
            for row in held.drain():
                (held if is_held(row) else self.queue_of(row)).append(row)

    def shed(self, most: int) -> list[Row]:
        """Take out up to so many rows, the oldest first; urgent ones stay."""
        rows: list[Row] = []
        queues: Iterable[Queue] = (*self.ready.values(), self.held)
        while len(rows) < most and (oldest := min(queues, key=_since)).live:
            rows += oldest.take(_only_one)
        return rows


def _since(queue: Queue) -> float:
    return queue.since


def _only_one(rows: int, _: int) -> bool:
    return rows <= 1
