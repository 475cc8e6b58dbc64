"""Sending what the lanes hold, with looks at the source before, between and after the calls.

Owns when it is over: nothing is pending, no call is under way, and a look that began after the last call's end has
brought nothing. Knows neither Kafka's client nor TikTok.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from connector.delivery.accounts import Audience
from connector.delivery.backlog import Backlog
from connector.delivery.dead_letters import DeadLetterQueue
from connector.delivery.dispatcher import Dispatcher
from connector.delivery.probes import Probes
from connector.errors import ConnectorError, KafkaUnavailable
from connector.replay.ledger import Ledger
from connector.replay.pace import Pace
from connector.replay.scan import Scan
from connector.telemetry.events import LifeEvents

_TICK_SECONDS = 0.05
_LOOK_SECONDS = 1.0
"""How often the source is looked at when no call asks for it."""

_KAFKA_SECONDS = 60.0
"""When the source could not be read for so long it is over: nothing is sent without a look."""

_LAST_SECONDS = 5.0
"""After a signal, beyond the time that a call under way may take."""


class Keeper(Protocol):
    """Who keeps the suppression list true while calls are made: see connector.governance.keeper."""

    async def run(self, backlog: Backlog, touch: Callable[[Iterable[Audience]], None]) -> None:
        """Follow the topic, for ever. Raises connector.errors.KafkaUnavailable."""


class Parts(Protocol):
    """What sending works with."""

    @property
    def keeper(self) -> Keeper | None:
        """None where no suppression topic is configured."""

    @property
    def backlog(self) -> Ledger: ...
    @property
    def rate(self) -> Pace: ...
    @property
    def dispatcher(self) -> Dispatcher: ...
    @property
    def probes(self) -> Probes: ...
    @property
    def dead_letters(self) -> DeadLetterQueue: ...
    @property
    def life(self) -> LifeEvents: ...


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait.

    Attributes:
        stuck_seconds: with nothing but halted work left for so long, it gives up.
        call_seconds: what a call may take.
    """

    stuck_seconds: float
    call_seconds: float


class Sending:
    """Sends once: `run`.

    Args:
        stop: set when it is to leave what waits and finish.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        parts: Parts,
        scan: Scan,
        patience: Patience,
        is_stop_wanted: Callable[[], bool],
        clock: Callable[[], float],
    ) -> None:
        self._parts = parts
        self._scan = scan
        self._patience = patience
        self._is_stop_wanted = is_stop_wanted
        self._clock = clock

    async def run(self) -> bool:
        """Send until it is over; whether only halted work was left. Raises ConnectorError when Kafka stays away."""
        parts, keeper = self._parts, self._parts.keeper
        touch = parts.dispatcher.touch
        busy = [
            one for one in parts.backlog.accounts if any(len(each.lane) for each in one.audiences)
        ]
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(task)
                    for task in (
                        parts.dead_letters.run(),
                        parts.dispatcher.run(),
                        self._keep_looking(),
                        *([] if keeper is None else [keeper.run(parts.backlog, touch)]),
                        *(parts.probes.watch(account) for account in busy),
                    )
                ]
                touch(parts.backlog)
                is_stuck = await self._until_over()
                for task in tasks:
                    task.cancel()
        except BaseExceptionGroup as errors:
            known, unknown = errors.split(ConnectorError)
            if known is None or unknown is not None:
                raise
            raise _first(known) from None
        return is_stuck

    async def _keep_looking(self) -> None:
        """Look at the source now and then, when a call asks for it, and again and again at the end."""
        parts, pace = self._parts, self._parts.rate
        failing_since: float | None = None
        while True:
            pace.asked.clear()
            try:
                touched = await self._scan.look()
                pace.looked_at = self._clock()
                parts.dispatcher.added(touched)
                failing_since = None
            except KafkaUnavailable as error:
                failing_since = failing_since or self._clock()
                if self._clock() - failing_since >= _KAFKA_SECONDS:
                    raise
                parts.life.waiting_for_kafka(str(error))
                await asyncio.sleep(_LOOK_SECONDS)
            is_last = not parts.backlog.pending
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_TICK_SECONDS if is_last else _LOOK_SECONDS):
                    await pace.asked.wait()

    async def _until_over(self) -> bool:
        """Wait until all is done, or a signal came; whether only halted work was left for too long."""
        stuck_since: float | None = None
        while not self._is_done():
            if self._is_stop_wanted():
                await self._finish()
                return False
            if not self._parts.backlog.is_stuck():
                stuck_since = None
            elif stuck_since is None:
                stuck_since = self._clock()
            elif self._clock() - stuck_since >= self._patience.stuck_seconds:
                return True
            await asyncio.sleep(_TICK_SECONDS)
        return False

    async def _finish(self) -> None:
        """Leave what waits; let calls under way end, and mend what they may have overwritten."""
        parts = self._parts
        parts.life.stopping("signal")
        deadline = self._clock() + self._patience.call_seconds + _LAST_SECONDS
        while True:
            self._scan.give_up()  # again, for what a call gave back meanwhile
            if self._is_done() or self._clock() >= deadline:
                return
            parts.dispatcher.touch(parts.backlog)
            await asyncio.sleep(_TICK_SECONDS)

    def _is_done(self) -> bool:
        """Whether nothing is pending, no letter waits, and no call can have overwritten a newer change unseen."""
        parts = self._parts
        backlog = parts.backlog
        is_sent = not backlog.pending and not parts.dispatcher.calls
        return is_sent and not len(parts.dead_letters) and backlog.watch.is_clear()


def _first(group: BaseExceptionGroup[ConnectorError]) -> ConnectorError:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error if isinstance(error, ConnectorError) else ConnectorError(str(error))
