"""The lane against a naive model and a TikTok that may apply a call of unknown fate late, or never.

Whatever happens in between - retries, bisecting, timeouts, rebalances -, the audience must end as if the raw
changes had been applied one by one.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from connector.core.batch import Batch, Row, row_of
from connector.core.checkpoint import Checkpoint, Span
from connector.core.identity import Digests
from connector.core.inquiry import Inquiry
from connector.core.lane import Lane
from connector.core.model import Action
from connector.core.room import Limits
from tests.core.strategies import PARTITION, actions, users

SLOTS = 2
CELL = 10
FRAME = 256
"""What the lane allows for all that surrounds the rows."""


class Identifier(NamedTuple):
    slot: int
    digest: bytes


class Change(NamedTuple):
    """One raw change; its place in the log is its offset."""

    digests: tuple[bytes | None, ...]
    action: Action
    urgent: bool = False


@dataclass(eq=False)
class Pending:
    """A row that should be in the lane, with what should be left of it."""

    row: Row
    left: set[Identifier]
    unhindered: bool
    apart: bool = False
    """In a group of an inquiry, or parked for one: no ordinary call takes it."""
    """Nothing stood in its way when it came: it may be sent."""


@dataclass(eq=False)
class Call:
    batch: Batch
    rows: list[Pending]
    identifiers: set[Identifier]
    epoch: int


class Echo(NamedTuple):
    """A call that TikTok may apply until then."""

    action: Action
    identifiers: frozenset[Identifier]
    until: float


def identifiers_of(digests: Sequence[bytes | None]) -> set[Identifier]:
    return {Identifier(slot, digest) for slot, digest in enumerate(digests) if digest is not None}


def most_bytes(rows: int, cells: int) -> int:
    return FRAME + cells * CELL + (rows * SLOTS - cells) * 3 + rows * 3


class LaneModel(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.log: list[Change] = []
        self.wanted: dict[Identifier, Action] = {}
        self.audience: set[Identifier] = set()
        self.pending: list[Pending] = []
        self.superseded: list[Row] = []
        self.calls: list[Call] = []
        self.echoes: list[Echo] = []
        self.dead_lettered: set[Identifier] = set()
        self.banned: set[Identifier] = set()
        self.checkpoint = Checkpoint()
        self.checkpoint.assign([PARTITION])
        self.spans: list[Span] = []
        self.read_from = 0
        self.left_behind_at = -math.inf
        """When a full batch or a shed last left rows behind; it counts their wait anew."""

    @initialize(
        max_rows=st.integers(1, 4),
        room=st.integers(0, 120),
        linger=st.sampled_from([0.0, 0.5, 2.0]),
    )
    def begin(self, max_rows: int, room: int, linger: float) -> None:
        self.limits = Limits(max_rows, FRAME + room, linger)
        self.lane = Lane(SLOTS, self.limits, CELL, self.superseded.append, self.veto)

    # What comes in.

    @rule(digests=users(SLOTS), action=actions)
    def add(self, digests: Digests, action: Action) -> None:
        self.log.append(Change(tuple(digests), action))
        self.wanted |= dict.fromkeys(identifiers_of(digests), action)
        self.take_in(len(self.log) - 1)

    @rule(digests=users(SLOTS), action=actions, more=st.lists(actions, max_size=6))
    def flap(self, digests: Digests, action: Action, more: list[Action]) -> None:
        for one in (action, *more):
            self.add(digests, one)

    @rule(digests=users(SLOTS))
    def erase(self, digests: Digests) -> None:
        """A delete that goes before all other work."""
        self.log.append(Change(tuple(digests), Action.DELETE, urgent=True))
        self.wanted |= dict.fromkeys(identifiers_of(digests), Action.DELETE)
        self.take_in(len(self.log) - 1)

    @rule(digests=users(SLOTS))
    def ban(self, digests: Digests) -> None:
        """From now on these are not to be added; what was sent before may still be applied."""
        self.banned |= identifiers_of(digests)

    def veto(self, row: Row) -> list[int]:
        assert row.action is Action.ADD or row.urgent
        if row.action is Action.DELETE:
            return []
        return [one.slot for one in identifiers_of(row.digests) & self.banned]

    def take_in(self, offset: int) -> None:
        change = self.log[offset]
        span = self.checkpoint.track(PARTITION, offset + 1, self.now, -1)
        left = identifiers_of(change.digests)
        row = row_of(list(change.digests), change.action, span, offset, -1, None)
        row.urgent = change.urgent
        unhindered = not self.is_hindered(change.action, left)
        self.supersede(left)
        self.pending.append(Pending(row, set(left), unhindered))
        self.lane.add(row)
        self.check_superseded()

    def is_hindered(self, action: Action, identifiers: set[Identifier]) -> bool:
        """Whether a call or an echo stands in the way; an echo counts until a cut has looked at the time."""
        return any(identifiers & call.identifiers for call in self.calls) or any(
            identifiers & echo.identifiers for echo in self.echoes if echo.action is not action
        )

    def supersede(self, taken: set[Identifier]) -> None:
        """The model's own rule: who has nothing left is superseded."""
        for one in self.pending:
            one.left -= taken
        self.gone = [one for one in self.pending if not one.left]
        self.pending = [one for one in self.pending if one.left]

    def check_superseded(self) -> None:
        assert {id(row) for row in self.superseded} == {id(one.row) for one in self.gone}
        assert len(self.superseded) == len(self.gone)
        for row in self.superseded:
            self.end(row)
        self.superseded.clear()
        self.gone = []

    def end(self, row: Row) -> None:
        """A row ends exactly once."""
        assert row.span.open == 1
        row.span.resolve()

    # Calls.

    @rule(draining=st.booleans())
    def cut(self, *, draining: bool) -> None:
        batch = self.lane.cut(self.now, draining=draining)
        if self.echoes:
            self.echoes = [echo for echo in self.echoes if echo.until > self.now]
            self.release()
        struck = self.strike(batch)
        if batch is None:
            assert struck or not any(one.unhindered for one in self.pending)
            return
        self.start(batch)

    def strike(self, batch: Batch | None) -> bool:
        """What was banned is left out of what is sent; whether a row lost everything by that."""
        gone = list(self.superseded)
        self.superseded.clear()
        for row in gone:
            [one] = [one for one in self.pending if one.row is row]
            assert one.left <= self.banned
            self.pending.remove(one)
            self.end(row)
        for row in () if batch is None or batch.action is Action.DELETE else batch.rows:
            [one] = [one for one in self.pending if one.row is row]
            one.left -= self.banned
        return bool(gone)

    @rule()
    def cut_when_due(self) -> None:
        due = self.lane.due_at()
        if due < math.inf:
            self.pass_until(max(self.now, due))
            self.cut(draining=False)

    def start(self, batch: Batch, *, apart: bool = False) -> None:
        chosen = []
        for row in batch.rows:
            [one] = [one for one in self.pending if one.row is row]
            assert one.apart is apart
            chosen.append(one)
            self.pending.remove(one)
            assert identifiers_of(row.digests) == one.left
            assert row.left == len(one.left) > 0
            assert row.action is batch.action
        sent = [
            Identifier(slot, digest) for slot, column in batch.columns.items() for digest in column
        ]
        if batch.action is Action.ADD:
            assert not self.banned & set(sent)
        if not apart and any(one.unhindered and one.row.urgent for one in self.pending):
            assert batch.rows[0].urgent, "what is urgent goes first"
        assert len({row.urgent for row in batch.rows}) == 1 or apart
        assert list(batch.columns) == sorted(batch.columns)
        assert all(batch.columns.values())
        assert sorted(sent) == sorted(each for one in chosen for each in one.left)
        assert len(sent) == len(set(sent)), "an identifier stands in a call once"
        for call in self.calls:
            assert not call.identifiers & set(sent), "and in one call at a time"
        for echo in self.echoes:
            if echo.action is not batch.action:
                assert not echo.identifiers & set(sent), "what may still be applied is waited for"
        if not apart:  # a group of an inquiry is a part of a batch that fitted
            assert len(batch.rows) <= self.limits.max_rows
        if len(batch.rows) > 1 and not apart:
            assert most_bytes(len(batch.rows), len(sent)) <= self.limits.max_bytes
        if batch.trigger in ("size", "bytes"):
            self.left_behind_at = self.now
        self.calls.append(Call(batch, chosen, set(sent), self.checkpoint.epoch))

    def take_call(self, which: int) -> Call:
        return self.calls.pop(which % len(self.calls))

    def apply(self, action: Action, identifiers: set[Identifier] | frozenset[Identifier]) -> None:
        if action is Action.ADD:
            self.audience |= identifiers
        else:
            self.audience -= identifiers

    @precondition(lambda self: self.calls)
    @rule(which=st.integers(0, 9))
    def succeed(self, which: int) -> None:
        call = self.take_call(which)
        self.apply(call.batch.action, call.identifiers)
        self.lane.finish(call.batch)
        self.release()
        if call.epoch == self.checkpoint.epoch:
            for one in call.rows:
                self.end(one.row)

    @precondition(lambda self: self.calls)
    @rule(which=st.integers(0, 9))
    def fail(self, which: int) -> None:
        call = self.take_call(which)
        self.lane.finish(call.batch)
        self.release()
        self.give_back(call)

    @precondition(lambda self: self.calls)
    @rule(which=st.integers(0, 9), groups=st.integers(0, 3), bad=st.integers(0, 1))
    def reject(self, which: int, groups: int, bad: int) -> None:
        """An inquiry has the rows tried in groups, takes some out, and lets the rest go."""
        call = self.take_call(which)
        self.lane.finish(call.batch)
        self.release()
        if call.epoch != self.checkpoint.epoch:
            return
        inquiry = Inquiry(len(call.rows))
        self.come_back(call, apart=True)
        self.lane.park(call.batch, inquiry)
        self.check_superseded()
        parked = [one for one in call.rows if one.left]
        taken, rest = parked[:bad], parked[bad:]
        self.lane.take_out([one.row for one in taken], inquiry)
        for one in taken:
            self.pending.remove(one)
            self.dead_lettered |= one.left
            self.end(one.row)
        tried, left = (rest, []) if groups else ([], rest)
        chunks = [tried[start::groups] for start in range(groups)]
        self.lane.suspects.try_apart(
            [[one.row for one in some] for some in chunks if some], inquiry
        )
        if left:
            self.lane.unpark(inquiry)
        for one in left:
            one.apart, one.unhindered = False, True

    @rule(most=st.integers(0, 3))
    def shed(self, most: int) -> None:
        """Its audience is blocked: the oldest changes are set aside, but for those under inquiry."""
        rows = self.lane.shed(most)
        may_go = [one for one in self.pending if not one.apart and not one.row.urgent]

        assert len(rows) == min(most, len(may_go))
        self.left_behind_at = self.now
        for row in rows:
            [one] = [one for one in may_go if one.row is row]
            self.pending.remove(one)
            self.dead_lettered |= one.left
            self.end(row)

    @precondition(lambda self: self.lane.suspects)
    @rule()
    def cut_apart(self) -> None:
        batch = self.lane.cut_suspects()
        self.strike(batch)
        if batch.rows:
            self.start(batch, apart=True)

    @precondition(lambda self: self.calls)
    @rule(which=st.integers(0, 9), applied=st.booleans(), window=st.sampled_from([0.5, 1.0, 3.0]))
    def time_out(self, which: int, *, applied: bool, window: float) -> None:
        call = self.take_call(which)
        echo = Echo(call.batch.action, frozenset(call.identifiers), self.now + window)
        if applied:
            self.apply(echo.action, echo.identifiers)
        self.lane.finish(call.batch, echo_until=echo.until)
        self.echoes.append(echo)
        self.release()
        self.give_back(call)

    def release(self) -> None:
        """A call or an echo has ended: what nothing hinders any more may go."""
        for one in self.pending:
            if not one.apart and not self.is_hindered(one.row.action, one.left):
                one.unhindered = True

    def give_back(self, call: Call) -> None:
        if call.epoch != self.checkpoint.epoch:
            return
        self.come_back(call, apart=call.batch.inquiry is not None)
        self.lane.give_back(call.batch)
        self.check_superseded()

    def come_back(self, call: Call, *, apart: bool) -> None:
        newer = {each for one in self.pending for each in one.left}
        self.gone = []
        for one in reversed(call.rows):
            one.left -= newer
            if one.left:
                one.unhindered, one.apart = not apart, apart
                self.pending.insert(0, one)
            else:
                self.gone.append(one)

    # Time, and TikTok's own.

    @rule(seconds=st.sampled_from([0.1, 0.5, 1.0, 3.0]))
    def time_passes(self, seconds: float) -> None:
        self.pass_until(self.now + seconds)

    def pass_until(self, now: float) -> None:
        self.now = now

    @precondition(lambda self: any(echo.until > self.now for echo in self.echoes))
    @rule(which=st.integers(0, 9))
    def tiktok_applies_late(self, which: int) -> None:
        possible = [echo for echo in self.echoes if echo.until > self.now]
        echo = possible[which % len(possible)]
        self.apply(echo.action, echo.identifiers)

    @rule()
    def rebalance(self) -> None:
        """Everything is forgotten, and read again from what may be committed."""
        committable = self.checkpoint.committable().get(PARTITION, self.read_from)
        forgotten = self.lane.forget()

        assert {id(row) for row in forgotten} == {id(one.row) for one in self.pending}
        assert len(forgotten) == len(self.pending)
        assert len(self.lane) == 0
        assert not self.lane.suspects
        assert not list(self.lane.suspects.queues())

        for row in forgotten:
            assert row.span.open == 1
        self.pending = []
        self.checkpoint.assign([PARTITION])
        self.read_from = committable
        for offset in range(committable, len(self.log)):
            self.take_in(offset)

    # What always holds.

    @invariant()
    def the_length_is_the_number_of_pending_rows(self) -> None:
        assert len(self.lane) == len(self.pending)
        assert self.lane.calls == len(self.calls)

    @invariant()
    def due_at_is_neither_early_nor_late(self) -> None:
        due = self.lane.due_at()
        ends = {echo.until for echo in self.echoes}
        free = [one.row for one in self.pending if one.unhindered]
        if not free:
            assert due > -math.inf
        if not self.pending:
            assert due == math.inf or due in ends
        for row in free:
            counted_from = max(row.span.arrived, self.left_behind_at)
            assert due <= counted_from + self.limits.linger_seconds
            assert self.lane.due_at(draining=True) <= self.now
            if row.urgent:
                assert due <= self.now
                assert self.lane.waiting.since() == -math.inf
            assert self.lane.waiting.since() <= counted_from
        for one in self.pending:
            assert self.lane.oldest_since() <= max(one.row.span.arrived, self.left_behind_at)
        if not self.pending:
            assert self.lane.oldest_since() == math.inf

    @invariant()
    def full_is_due_now(self) -> None:
        for action in Action:
            free = [one for one in self.pending if one.unhindered and one.row.action is action]
            cells = sum(len(one.left) for one in free)
            rows = len(free)
            if rows and (
                rows >= self.limits.max_rows or most_bytes(rows, cells) > self.limits.max_bytes
            ):
                assert self.lane.due_at() <= self.now

    @invariant()
    def memory_is_what_is_pending(self) -> None:
        lane = self.lane
        cells = sum(len(one.left) for one in self.pending)
        assert sum(len(newest) for newest in lane._newest.by_slot) == cells
        assert sum(len(fence) for fence in lane.fences.under_way) == sum(
            len(call.identifiers) for call in self.calls
        )
        for queue in lane.waiting.queues():
            assert len(queue.rows) <= 2 * queue.live + 65
            assert queue.cells == sum(row.left for row in queue.rows)
        assert len(lane.fences.echoes) <= len(self.echoes)

    def teardown(self) -> None:
        """Drain: every call succeeds, each echo is heard or not, and the audience is right."""
        if not hasattr(self, "lane"):
            return
        for call in list(self.calls):
            self.succeed(self.calls.index(call))
        for index, echo in enumerate(self.echoes):
            if index % 2 and echo.until > self.now:
                self.apply(echo.action, echo.identifiers)
        for _ in range(10 + 4 * len(self.log)):
            if not self.pending:
                break
            if self.lane.suspects:
                self.cut_apart()
                if self.calls:
                    self.succeed(0)
                continue
            due = self.lane.due_at(draining=True)

            assert due < math.inf, "nothing waits for ever"

            self.pass_until(max(self.now, due))
            self.cut(draining=True)
            if self.calls:
                self.succeed(0)

        assert not self.pending
        assert len(self.lane) == 0
        wanted = {each for each, action in self.wanted.items() if action is Action.ADD}
        unsure = self.dead_lettered | self.banned
        assert self.audience - unsure == wanted - unsure
        if self.log and self.checkpoint.position(PARTITION) is not None:
            assert self.checkpoint.committable() == {PARTITION: len(self.log)}


TestLaneModel = LaneModel.TestCase
TestLaneModel.settings = settings(deadline=None, max_examples=300, stateful_step_count=40)
