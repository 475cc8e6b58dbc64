"""Watching that things move. What stands still while Kafka answers will not mend itself: it is said, and ends the process.

Owns the signs of life and how long each may stand still. Changes nothing but by ending. Two watchers, for a task
cannot notice that its own event loop is stuck: a task for what should progress, and a thread for the loop.
"""

import asyncio
import os
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from connector.committer import Committer
from connector.core.checkpoint import Checkpoint
from connector.delivery.backlog import Backlog
from connector.delivery.dead_letters import DeadLetterQueue
from connector.errors import ConnectorError
from connector.intake import Intake
from connector.telemetry.events import LifeEvents

_LOOK_SECONDS = 5.0

_POLL_SECONDS = 70.0
_COMMIT_SECONDS = 120.0
_RESOLVE_SECONDS = 60.0
LOOP_SECONDS = 60

_SAY_SECONDS = 5.0
"""The log may be what holds the loop: a pipe that nobody reads."""

_FRAMES = 5


class Answers(Protocol):
    """Who can tell an outage of Kafka from trouble of our own."""

    async def answers(self) -> bool:
        """Whether Kafka answers at present, on a connection of its own."""


@dataclass(frozen=True, slots=True)
class Sign:
    """Something that changes for as long as all is well.

    Attributes:
        stillness: what it means when it does not, for the sentence that ends the process.
        seconds: how long it may stand still while Kafka answers.
        value: its present value; None while nothing is expected of it.
    """

    stillness: str
    seconds: float
    value: Callable[[], object]


def signs_of_life(
    intake: Intake,
    checkpoint: Checkpoint,
    committer: Committer,
    backlog: Backlog,
    dead_letters: DeadLetterQueue,
    drain_seconds: float,
) -> list[Sign]:
    """What should progress in a running service.

    Args:
        drain_seconds: how long a rebalance may hold up polls and commits.
    """
    unfinished = ("nothing is left to be done",)

    def is_all_ended() -> bool:
        return not backlog.pending and not len(dead_letters) and not checkpoint.is_settled()

    return [
        Sign("Kafka is not polled", _POLL_SECONDS + drain_seconds, lambda: intake.polled_at),
        Sign(
            "no commit succeeds",
            _COMMIT_SECONDS + drain_seconds,
            lambda: committer.commits if checkpoint.committable() else None,
        ),
        Sign(
            "all changes have ended, and yet their offsets cannot be committed",
            _RESOLVE_SECONDS,
            lambda: unfinished if is_all_ended() else None,
        ),
    ]


class Watchdog:
    """Looks at the signs for ever: `run`.

    Args:
        clock: monotonic seconds.
    """

    def __init__(
        self,
        signs: Sequence[Sign],
        kafka: Answers,
        telemetry: LifeEvents,
        clock: Callable[[], float],
    ) -> None:
        self._signs = signs
        self._kafka = kafka
        self._telemetry = telemetry
        self._clock = clock
        self._seen: dict[str, tuple[object, float]] = {}

    async def run(self) -> None:
        """Raise ConnectorError when something stands still for too long though Kafka answers."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            still = self._look()
            if still is None or not await self._kafka.answers():
                continue
            # A process that was frozen sees everything late: only what still stands after the question counts.
            if self._look() == still:
                self._telemetry.stands_still(still.stillness, still.seconds)
                raise ConnectorError(
                    f"{still.stillness} for more than {still.seconds:.0f} seconds though Kafka answers; "
                    "nothing uncommitted is lost: start it again"
                )

    def _look(self) -> Sign | None:
        """Note what has changed; the first sign that has not for too long."""
        now = self._clock()
        overdue = None
        for sign in self._signs:
            value = sign.value()
            seen, since = self._seen.get(sign.stillness, (None, now))
            if value is None or value != seen:
                since = now
            self._seen[sign.stillness] = (value, since)
            if overdue is None and now - since > sign.seconds:
                overdue = sign
        return overdue


class LoopGuard:
    """A thread that ends the process when the event loop does not turn: `start`, `beat`, `stop`.

    It counts its own seconds, so that a process which was frozen is not taken for one that is stuck.

    Args:
        seconds: how long the loop may stand still.
    """

    def __init__(self, seconds: int, telemetry: LifeEvents) -> None:
        self._seconds = seconds
        self._telemetry = telemetry
        self._silent = 0
        self._ended = threading.Event()
        self._loop_thread = threading.get_ident()

    def start(self) -> None:
        """Watch the loop of the calling thread from now on."""
        self._loop_thread = threading.get_ident()
        threading.Thread(target=self._watch, name="loop-guard", daemon=True).start()

    def beat(self) -> None:
        """The loop turns."""
        self._silent = 0

    def stop(self) -> None:
        """Watch no more."""
        self._ended.set()

    def _watch(self) -> None:
        while not self._ended.wait(1.0):
            self._silent += 1
            if self._silent > self._seconds:
                saying = threading.Thread(target=self._say, daemon=True)
                saying.start()
                saying.join(_SAY_SECONDS)
                os._exit(1)

    def _say(self) -> None:
        """Tell where the loop stands: places in the code, never a value."""
        frame = sys._current_frames().get(self._loop_thread)  # noqa: SLF001  the one way to see it
        stack = traceback.extract_stack(frame)[-_FRAMES:]
        self._telemetry.loop_stuck(
            self._seconds,
            " < ".join(f"{one.name} ({one.filename}:{one.lineno})" for one in reversed(stack)),
        )
        sys.stderr.write(
            f"connector: the event loop has been stuck for {self._seconds} seconds: see the log; "
            "nothing uncommitted is lost: start it again\n"
        )
        sys.stderr.flush()
