"""The dispatcher: when a slot and a token are free, cut a batch from the lane that has waited longest, and send it.

Owns the calls under way, and the drain. Whose batch is due is connector.delivery.agenda's, what an answer leads
to connector.delivery.settlement's. A batch is cut at the last moment: until a call may start its lane keeps
coalescing, so that batches grow when the allowance is scarce.
"""

import asyncio
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from connector.core.batch import Batch
from connector.core.lease import Lease
from connector.core.rate_limit import RateLimit
from connector.core.turns import NOTHING, Part
from connector.delivery.accounts import Audience
from connector.delivery.agenda import Agenda
from connector.delivery.backlog import Backlog
from connector.delivery.settlement import Settlement
from connector.telemetry.events import DeliveryEvents

_LEASE_LOOK_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many calls may be under way, and how long one may take."""

    max_in_flight: int
    max_in_flight_per_audience: int
    request_timeout_seconds: float


class Dispatcher:
    """Sends what the backlog holds: `run`, `touch`, `flush`, `drain`.

    Args:
        lease: no call starts while it is not held.
        fresh: likewise, where the list of who must not be added has to be known; None where there is none.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        backlog: Backlog,
        settlement: Settlement,
        rate: RateLimit,
        bounds: Bounds,
        lease: Lease,
        telemetry: DeliveryEvents,
        clock: Callable[[], float],
        fresh: Lease | None = None,
    ) -> None:
        self.calls = 0
        self._backlog = backlog
        self._settlement = settlement
        self._rate = rate
        self._bounds = bounds
        self._lease = lease
        self._fresh = fresh
        self._telemetry = telemetry
        self._clock = clock
        self._agenda = Agenda()
        self._draining = False
        self._flushed_at = -math.inf
        self._last_start = math.inf
        self._changed = asyncio.Event()
        self._ended = asyncio.Event()
        self._held_back_since: float | None = None

    async def run(self) -> None:
        """Start calls, for ever. Cancelled, it abandons those under way: nothing of them is resolved."""
        async with asyncio.TaskGroup() as calls:
            while True:
                delay = self._delay()
                if delay > 0.0:
                    self._changed.clear()
                    await _wait_for(self._changed, delay)
                else:
                    self._start_one(calls)

    def touch(self, audiences: Iterable[Audience]) -> None:
        """These audiences' lanes or gates have changed: look at when they are due."""
        for audience in audiences:
            self._reschedule(audience)
        self._changed.set()

    def added(self, audiences: Iterable[Audience]) -> None:
        """Changes were put into these audiences' lanes: look at when they are due, where that may differ now."""
        now = self._clock()
        for audience in audiences:
            if not self._agenda.is_true_of(audience, now):
                self._reschedule(audience)
                self._changed.set()
        if self._delay() <= 0.0:  # while records pour in, timers go off late
            self._changed.set()

    def set_bounds(self, bounds: Bounds) -> None:
        """Have so many calls under way from now on. Those that are go on."""
        self._bounds = bounds
        self.touch(self._backlog)

    def flush(self) -> None:
        """What is pending now is due now: it lingers no longer for company. What comes later lingers as ever."""
        self._flushed_at = self._clock()
        self.touch(self._backlog)

    async def drain(self, seconds: float) -> None:
        """Send what is pending without lingering; return when nothing is left to send, or time is over.

        A call whose fate is unknown is waited for until TikTok cannot apply it any more: the next owner does not
        know of it.

        No call starts so late that it could outlast the drain: when partitions change hands, a call of ours
        that TikTok applies after the next owner's would undo a newer change.
        """
        deadline = self._clock() + seconds
        self._draining = True
        self._last_start = deadline - self._bounds.request_timeout_seconds
        self.touch(self._backlog)
        while not self._is_drained() and (left := deadline - self._clock()) > 0.0:
            self._ended.clear()
            await _wait_for(self._ended, min(left, 0.1))

    def forget(self) -> None:
        """Give up everything pending, and our part of the allowance; calls under way end on their own."""
        self._backlog.forget()
        self._rate.set_part(NOTHING, self._clock())
        self.touch(self._backlog)

    def resume(self, part: Part) -> None:
        """Partitions are ours anew, as of now, with this part of the allowance: linger again."""
        now = self._clock()
        self._lease.renew(now)
        self._rate.set_part(part, now)
        self._draining = False
        self._last_start = math.inf
        self.touch(self._backlog)

    def confirmed(self, at: float) -> None:
        """Our partitions were ours still at that time."""
        self._lease.renew(at)

    def _delay(self) -> float:
        """Seconds until a call may start; infinity while that depends on something else than time."""
        now = self._clock()
        if self.calls >= self._bounds.max_in_flight or now > self._last_start:
            return math.inf
        due = self._agenda.next_due(now)
        if due <= now and not self._may_call(now):
            return _LEASE_LOOK_SECONDS
        allowed = self._rate.delay(now)
        self._count_wait(now, is_held_back=due <= now and allowed > 0.0)
        return max(due - now, allowed)

    def _may_call(self, now: float) -> bool:
        """Whether we know for sure what is ours, and who must not be added."""
        if not self._lease.is_held(now):
            self._telemetry.lease_lapsed()
            return False
        if self._fresh is not None and not self._fresh.is_held(now):
            self._telemetry.suppression_stale()
            return False
        return True

    def _count_wait(self, now: float, *, is_held_back: bool) -> None:
        """Account for the time in which a due batch waits for nothing but the allowance."""
        if self._held_back_since is not None:
            self._telemetry.held_back(now - self._held_back_since)
        self._held_back_since = now if is_held_back else None

    def _start_one(self, calls: asyncio.TaskGroup) -> None:
        now = self._clock()
        audience, inquires = self._agenda.pop(now)
        if audience is None:
            return
        lane, is_at_once = audience.lane, self._is_at_once(audience)
        batch = lane.cut_suspects() if inquires else lane.cut(now, draining=is_at_once)
        if batch is not None and batch.rows:
            self._rate.take(now)
            self.calls += 1
            self._agenda.called(inquires=inquires)
            self._telemetry.batch_cut(batch)
            calls.create_task(self._send(audience, batch))
        elif batch is not None:
            self._settlement.vanished(audience, batch)
        self._reschedule(audience)

    async def _send(self, audience: Audience, batch: Batch) -> None:
        epoch = self._backlog.epoch
        started = self._clock()
        outcome = await audience.account.destination.send(audience.key.audience_id, batch)
        self.calls -= 1
        self._telemetry.mapping_answered(outcome.response.label, self._clock() - started)
        gate = audience.account.gate
        before = (gate.state, gate.opens_at)
        self._settlement.settle(audience, batch, outcome, epoch)
        concerns_all = before != (gate.state, gate.opens_at)
        self.touch(audience.account.audiences if concerns_all else (audience,))
        self._ended.set()

    def _reschedule(self, audience: Audience) -> None:
        self._backlog.note(audience)
        opens_at = audience.opens_at(self._bounds.max_in_flight_per_audience)
        self._agenda.set(audience, opens_at, at_once=self._is_at_once(audience))

    def _is_at_once(self, audience: Audience) -> bool:
        """Whether the oldest row of the lane that may be sent need not linger."""
        return self._draining or audience.lane.waiting.since() <= self._flushed_at

    def _is_drained(self) -> bool:
        """Whether no call is under way, and none could start before the last moment."""
        now = self._clock()
        start = max(self._agenda.next_due(now), now + self._rate.delay(now))
        is_over = start > self._last_start or not self._may_call(now)
        return self.calls == 0 and is_over and not self._backlog.is_in_doubt(now)


async def _wait_for(event: asyncio.Event, seconds: float) -> None:
    """Wait for the event, or for so long."""
    try:
        async with asyncio.timeout(None if seconds == math.inf else seconds):
            await event.wait()
    except TimeoutError:
        return
