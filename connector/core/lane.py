"""One audience's pending changes: per identifier the last one wins, and never two calls hold one identifier.

Owns the rows between their decoding and the end of a call with them. Its rules:

* Every identifier (slot and digest) belongs to at most one pending row: the newest. An older row loses what a
  newer one has; a row that lost everything is superseded, which resolves it at once.
* While a call with an identifier is under way, its next change is held. Nothing else is.
* A call whose fate is unknown leaves an echo: TikTok may still apply it, so the opposite action on its
  identifiers is held for one more request timeout. The same action may go.

Pure: time is an argument. It knows neither TikTok's protocol nor whether calls may be made; it is told what a
row costs in bytes and says when it is due.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from connector.core.batch import Batch, Row
from connector.core.fences import Fences
from connector.core.inquiry import Inquiry
from connector.core.model import Action
from connector.core.newest import Newest
from connector.core.row_queue import Queue
from connector.core.suspects import Suspects

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


@dataclass(frozen=True, slots=True)
class _Measure:
    """What rows take in a call's body."""

    slots: int
    cell_bytes: int

    def bytes(self, rows: int, cells: int) -> int:
        """The most bytes that so many rows can take: empty cells are written too."""
        empty = rows * self.slots - cells
        around = _FRAME_BYTES + rows * _ROW_BYTES + empty * _EMPTY_CELL_BYTES
        return around + cells * self.cell_bytes


class Lane:
    """The pending changes of one audience: `add`, `due_at`, `cut`, `finish`, `give_back`.

    Args:
        slots: how many identity types there are.
        cell_bytes: the most bytes that one identifier takes in a call's body.
        superseded: called with each row whose last identifier a newer change took over.

    Attributes:
        calls: how many of its batches are under way.
    """

    def __init__(
        self, slots: int, limits: Limits, cell_bytes: int, superseded: Callable[[Row], None]
    ) -> None:
        self.limits = limits
        self.calls = 0
        self._measure = _Measure(slots, cell_bytes)
        self._superseded = superseded
        self._newest = Newest(slots)
        self._fences = Fences(slots)
        self._slots = tuple(
            zip(range(slots), self._newest.by_slot, self._fences.under_way, strict=True)
        )
        self._ready = {Action.ADD: Queue(), Action.DELETE: Queue()}
        self._held = Queue()
        self._suspects = Suspects()

    def __len__(self) -> int:
        """How many rows are pending: those held back included, those under way not."""
        return sum(queue.live for queue in self._queues())

    def __repr__(self) -> str:
        return f"<Lane {len(self)} pending, {self._held.live} held, {self.calls} calls>"

    def add(self, row: Row) -> None:
        """Take in the newest change of its identifiers."""
        fenced = False
        row.since = row.span.arrived
        for (slot, newest, under_way), digest in zip(self._slots, row.digests):  # noqa: B905  hot
            if digest is not None:
                older = newest.get(digest)
                newest[digest] = row
                if older is not None:
                    # A change that is replaced again and again must be sent some day.
                    if older.since < row.since:  # noqa: PLR1730  hot
                        row.since = older.since
                    self._take_over(older, slot)
                if digest in under_way:
                    fenced = True
        if fenced or (self._fences.echoes and self._fences.echoed(row)):
            self._held.append(row)
        else:
            self._ready[row.action].append(row)

    def due_at(self, *, draining: bool = False) -> float:
        """When a batch is to be cut; a time in the past means now, infinity never."""
        due = self._fences.first_echo_ends()
        for queue in self._ready.values():
            if queue.live:
                at_once = draining or self._is_full(queue)
                due = min(due, queue.since + (0.0 if at_once else self.limits.linger_seconds))
        return due

    def waiting_since(self) -> float:
        """Since when its oldest row that may be sent has waited; else its oldest held one, due at an echo's end."""
        since = min(queue.since for queue in self._ready.values())
        return since if since < math.inf else self._held.since

    def oldest_since(self) -> float:
        """Since when its oldest row has waited, held rows included; infinity without one."""
        return min(queue.since for queue in self._queues())

    def cut(self, now: float, *, draining: bool = False) -> Batch | None:
        """Take out the rows of one call, the longest waiting action first; fence their identifiers.

        Returns None when every row was taken over meanwhile or is held.
        """
        if self._fences.echoes:
            self._fences.forget_echoes(now)
            self._release()
        queue = min(self._ready.values(), key=lambda one: one.since)
        if not queue.live:
            return None
        full = self._is_full(queue)
        rows = queue.take(self._fits)
        by_rows = len(rows) >= self.limits.max_rows
        trigger = ("size" if by_rows else "bytes") if full else ("drain" if draining else "age")
        return self._batch(rows, trigger)

    def in_doubt_until(self) -> float:
        """Until when TikTok may still apply a call whose fate is unknown; in the past without one."""
        return self._fences.last_echo_ends()

    def has_suspects(self) -> bool:
        """Whether groups of a rejected batch are to be tried."""
        return bool(self._suspects)

    def cut_suspects(self) -> Batch:
        """Take out the next group that is to be tried; it is empty when newer changes took all of it over."""
        group = self._suspects.next_group()
        rows = group.drain()
        for row in rows:
            row.queue = None
        if not rows:
            return Batch(Action.ADD, [], {}, "age", group.inquiry)
        return self._batch(rows, "age", group.inquiry)

    def finish(self, batch: Batch, *, echo_until: float | None = None) -> None:
        """The call has ended: lift its fence. With `echo_until`, TikTok may still apply it until then."""
        self.calls -= 1
        self._fences.lift(batch.columns)
        if echo_until is not None:
            self._fences.leave_echo(batch.action, batch.columns, echo_until)
        self._release()

    def give_back(self, batch: Batch) -> None:
        """Put a finished batch's rows back, under what has come since: to be sent again as they were."""
        is_part = batch.inquiry is not None
        queue = self._suspects.again(batch.inquiry) if is_part else self._ready[batch.action]
        self._put_back(batch, queue)

    def park(self, batch: Batch, inquiry: Inquiry) -> None:
        """Put a finished batch's rows back, to wait for the inquiry: `try_apart`, `take_out` or `unpark`."""
        self._put_back(batch, self._suspects.parked(inquiry))

    def _put_back(self, batch: Batch, queue: Queue) -> None:
        for row in reversed(batch.rows):
            self._newest.reclaim(row)
            if row.left:
                queue.put_back(row)
            else:
                self._superseded(row)

    def try_apart(self, groups: Iterable[list[Row]], inquiry: Inquiry) -> None:
        """Let each group of the inquiry's parked rows have a call of its own."""
        self._suspects.try_apart(groups, inquiry)

    def take_out(self, rows: list[Row], inquiry: Inquiry) -> None:
        """Give some of the inquiry's parked rows to the caller for good."""
        self._suspects.release(rows, inquiry)
        for row in rows:
            row.queue = None
        self._newest.let_go(rows)

    def shed(self, most: int) -> list[Row]:
        """Give up to so many rows to the caller for good, the oldest first; those under inquiry stay."""
        rows: list[Row] = []
        queues = (*self._ready.values(), self._held)
        while len(rows) < most and (oldest := min(queues, key=_since)).live:
            rows += oldest.take(_only_one)
        self._newest.let_go(rows)
        return rows

    def unpark(self, inquiry: Inquiry) -> None:
        """Let all of the inquiry's parked rows wait for their turn as others do."""
        for row in self._suspects.release_all(inquiry):
            self._ready[row.action].append(row)

    def forget(self) -> list[Row]:
        """Give up all pending rows; calls under way keep their fences until they end."""
        rows = [row for queue in self._queues() for row in queue.drain()]
        self._newest.clear()
        self._suspects.clear()
        return rows

    def _queues(self) -> Iterable[Queue]:
        return (*self._ready.values(), self._held, *self._suspects.queues())

    def _take_over(self, older: Row, slot: int) -> None:
        older.digests[slot] = None
        older.left -= 1
        older.queue.lose_cell(older)
        if not older.left:
            self._superseded(older)

    def _batch(self, rows: list[Row], trigger: str, inquiry: Inquiry | None = None) -> Batch:
        columns: dict[int, list[str]] = {}
        for slot, _, under_way in self._slots:
            column = [digest for row in rows if (digest := row.digests[slot]) is not None]
            if column:
                columns[slot] = column
                under_way.update(column)
        self._newest.let_go_columns(columns)
        self.calls += 1
        return Batch(rows[0].action, rows, columns, trigger, inquiry)

    def _release(self) -> None:
        """Let held rows go whose fences have been lifted, behind those that wait: none is passed for ever."""
        for row in self._held.drain():
            (self._held if self._fences.hold(row) else self._ready[row.action]).append(row)

    def _fits(self, rows: int, cells: int) -> bool:
        limits = self.limits
        return rows <= limits.max_rows and self._measure.bytes(rows, cells) <= limits.max_bytes

    def _is_full(self, queue: Queue) -> bool:
        """Whether one more row would not fit beside those that wait."""
        return queue.live > 0 and not self._fits(queue.live + 1, queue.cells + 1)


def _since(queue: Queue) -> float:
    return queue.since


def _only_one(rows: int, _: int) -> bool:
    return rows <= 1
