"""One audience's pending changes: per identifier the last one wins, and never two calls hold one identifier.

Owns the rows between their decoding and the end of a call with them. Its rules:

* Every identifier (slot and digest) belongs to at most one pending row: the newest. An older row loses what a
  newer one has; a row that lost everything is superseded, which resolves it at once.
* While a call with an identifier is under way, its next change is held. Nothing else is.
* A call whose fate is unknown leaves an echo: TikTok may still apply it, so the opposite action on its
  identifiers is held for one more request timeout. The same action may go.
* An urgent row waits for no company, and goes before all others.
* What must not be added any more is left out at the last moment, when a batch is cut.

Pure: time is an argument. It knows neither TikTok's protocol nor whether calls may be made; it is told what a
row costs in bytes and says when it is due.
"""

from collections.abc import Callable, Iterable, Sequence

from connector.core.batch import Batch, Row
from connector.core.fences import Fences
from connector.core.inquiry import Inquiry
from connector.core.model import Action
from connector.core.newest import Newest
from connector.core.room import Limits, Room
from connector.core.row_queue import Queue
from connector.core.suspects import Suspects
from connector.core.waiting import Waiting

Veto = Callable[[Row], Sequence[int]]
"""Which of the row's slots must not be sent after all: of an addition, or of an urgent row; asked when it is cut."""


class Lane:
    """The pending changes of one audience: `add`, `due_at`, `cut`, `finish`, `give_back`.

    Args:
        slots: how many identity types there are.
        cell_bytes: the most bytes that one identifier takes in a call's body.
        superseded: called with each row whose last identifier a newer change took over, or a veto struck.
        veto: None where nobody has a say in what is added.

    Attributes:
        calls: how many of its batches are under way.
        room: how much one of them holds.
        waiting: the rows that no call has.
        suspects: those among them whose inquiry goes on.
        fences: which identifiers no call may take at present.
    """

    __slots__ = (
        *("_newest", "_superseded", "_veto", "calls"),
        *("fences", "room", "suspects", "waiting"),
    )

    def __init__(
        self,
        slots: int,
        limits: Limits,
        cell_bytes: int,
        superseded: Callable[[Row], None],
        veto: Veto | None = None,
    ) -> None:
        self.calls = 0
        self.room = Room(slots, limits, cell_bytes)
        self._superseded = superseded
        self._veto = veto
        self._newest = Newest(slots)
        self.fences = Fences(slots)
        self.waiting = Waiting()
        self.suspects = Suspects()

    def __len__(self) -> int:
        """How many rows are pending: those held back included, those under way not."""
        return len(self.waiting) + self.suspects.rows()

    def add(self, row: Row) -> None:
        """Take in the newest change of its identifiers."""
        by_slot, under_way = self._newest.by_slot, self.fences.under_way
        fenced = False
        row.since = row.span.arrived
        for slot, digest in enumerate(row.digests):
            if digest is not None:
                newest = by_slot[slot]
                older = newest.get(digest)
                newest[digest] = row
                if older is not None:
                    # A change that is replaced again and again must be sent some day.
                    if older.since < row.since:  # noqa: PLR1730  hot
                        row.since = older.since
                    if older.urgent and row.action is older.action:
                        row.urgent = True
                    self._take_over(older, slot)
                if digest in under_way[slot]:
                    fenced = True
        if fenced or (self.fences.echoes and self.fences.echoed(row)):
            self.waiting.held_of(row).append(row)
        else:
            self.waiting.queue_of(row).append(row)

    def due_at(self, *, draining: bool = False) -> float:
        """When a batch is to be cut; a time in the past means now, infinity never."""
        due = min(self.fences.first_echo_ends(), self.waiting.urgent.since)
        for queue in self.waiting.ready.values():
            if queue.live:
                at_once = draining or self.room.is_full(queue)
                due = min(due, queue.since + (0.0 if at_once else self.room.limits.linger_seconds))
        return due

    def oldest_since(self) -> float:
        """Since when its oldest row has waited, held rows included; infinity without one."""
        return min(queue.since for queue in self._queues())

    def cut(self, now: float, *, draining: bool = False) -> Batch | None:
        """Take out the rows of one call, the urgent first, then the longest waiting action; fence their identifiers.

        Returns None when every row was taken over meanwhile, is held, or must not be sent any more.
        """
        if self.fences.echoes:
            self.fences.forget_echoes(now)
            self.waiting.release(self.fences.hold)
        queue = self.waiting.first()
        full = self.room.is_full(queue)
        rows = self._permitted(queue.take(self.room.fits, self.room.surely))
        if not rows:
            return None
        by_rows = len(rows) >= self.room.limits.max_rows
        trigger = ("size" if by_rows else "bytes") if full else ("drain" if draining else "age")
        return self._batch(rows, trigger)

    def cut_suspects(self) -> Batch:
        """Take out the next group that is to be tried; it is empty when nothing is left of it to be sent."""
        group = self.suspects.next_group()
        rows = group.drain()
        for row in rows:
            row.queue = None
        rows = self._permitted(rows)
        if not rows:
            return Batch(Action.ADD, [], {}, "age", group.inquiry)
        return self._batch(rows, "age", group.inquiry)

    def finish(self, batch: Batch, *, echo_until: float | None = None) -> None:
        """The call has ended: lift its fence. With `echo_until`, TikTok may still apply it until then."""
        self.calls -= 1
        self.fences.lift(batch.columns)
        if echo_until is not None:
            self.fences.leave_echo(batch.action, batch.columns, echo_until)
        self.waiting.release(self.fences.hold)

    def give_back(self, batch: Batch) -> None:
        """Put a finished batch's rows back, under what has come since: to be sent again as they were."""
        inquiry = batch.inquiry
        queue = self.suspects.again(inquiry) if inquiry else self.waiting.queue_of(batch.rows[0])
        self._put_back(batch, queue)

    def park(self, batch: Batch, inquiry: Inquiry) -> None:
        """Put a finished batch's rows back, to wait for the inquiry: `try_apart`, `take_out` or `unpark`."""
        self._put_back(batch, self.suspects.parked(inquiry))

    def _put_back(self, batch: Batch, queue: Queue) -> None:
        for row in reversed(batch.rows):
            self._newest.reclaim(row)
            if row.left:
                queue.put_back(row)
            else:
                self._superseded(row)

    def take_out(self, rows: list[Row], inquiry: Inquiry) -> None:
        """Give some of the inquiry's parked rows to the caller for good."""
        self.suspects.release(rows, inquiry)
        for row in rows:
            row.queue = None
        self._newest.let_go(rows)

    def shed(self, most: int) -> list[Row]:
        """Give up to so many rows to the caller for good, the oldest first; urgent ones stay, and those under inquiry."""
        rows = self.waiting.shed(most)
        self._newest.let_go(rows)
        return rows

    def unpark(self, inquiry: Inquiry) -> None:
        """Let all of the inquiry's parked rows wait for their turn as others do."""
        for row in self.suspects.release_all(inquiry):
            self.waiting.queue_of(row).append(row)

    def withdraw(self, slot: int, digest: bytes) -> bool:
        """Give up a pending change of the identifier, as if a newer one had come; False when none is pending."""
        older = self._newest.by_slot[slot].pop(digest, None)
        if older is not None:
            self._take_over(older, slot)
        return older is not None

    def forget(self) -> list[Row]:
        """Give up all pending rows; calls under way keep their fences until they end."""
        rows = [row for queue in self._queues() for row in queue.drain()]
        self._newest.clear()
        self.suspects.clear()
        return rows

    def _queues(self) -> Iterable[Queue]:
        return (*self.waiting.queues(), *self.suspects.queues())

    def _permitted(self, rows: list[Row]) -> list[Row]:
        """Those of a batch that may be sent still, without what is vetoed."""
        if self._veto is None or not rows:
            return rows
        if rows[0].action is not Action.ADD and not rows[0].urgent:
            return rows
        for row in rows:
            self._newest.strike(row, self._veto(row))
            if not row.left:
                self._superseded(row)
        return [row for row in rows if row.left]

    def _take_over(self, older: Row, slot: int) -> None:
        older.digests[slot] = None
        older.left -= 1
        older.queue.lose_cell(older)
        if not older.left:
            self._superseded(older)

    def _batch(self, rows: list[Row], trigger: str, inquiry: Inquiry | None = None) -> Batch:
        columns: dict[int, list[bytes]] = {}
        for slot, digests in enumerate(zip(*[row.digests for row in rows], strict=True)):
            column = [*filter(None, digests)]
            if column:
                columns[slot] = column
                self.fences.under_way[slot].update(column)
        self._newest.let_go_columns(columns)
        if rows[0].action is Action.ADD:
            self.fences.adding.append(columns)
        self.calls += 1
        return Batch(rows[0].action, rows, columns, trigger, inquiry)
