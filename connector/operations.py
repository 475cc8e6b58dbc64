"""What an operator may ask of the running service: to pause, to resume, to flush.

Owns who paused it, and since when. Changes the parts by their own verbs and decides nothing else; who is allowed to
ask is the HTTP side's. What was asked for ends with the process.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple

from connector.delivery.dispatcher import Dispatcher
from connector.pauses import Pauses


class Operation(StrEnum):
    """What may be asked for."""

    PAUSE = "pause"
    RESUME = "resume"
    FLUSH = "flush"


class Outcome(StrEnum):
    """What came of it: each may be asked for again and again."""

    DONE = "done"
    UNCHANGED = "unchanged"


class Paused(NamedTuple):
    """Who paused the intake, and since when, on our clock."""

    by: str
    since: float


class Operations:
    """Does what is asked for: `perform`.

    Args:
        clock: monotonic seconds.

    Attributes:
        paused: who keeps the intake paused; None when nobody does.
    """

    def __init__(self, pauses: Pauses, dispatcher: Dispatcher, clock: Callable[[], float]) -> None:
        self.paused: Paused | None = None
        self._pauses = pauses
        self._dispatcher = dispatcher
        self._clock = clock

    def perform(self, operation: Operation, who: str) -> Outcome:
        """Do it now; `who` is a name for people. Asked again for what is so already, it changes nothing."""
        match operation:
            case Operation.PAUSE:
                return self._pause(who)
            case Operation.RESUME:
                return self._resume()
            case Operation.FLUSH:
                self._dispatcher.flush()
                return Outcome.DONE

    def _pause(self, who: str) -> Outcome:
        """Read nothing more. What was read is delivered and committed, and the membership lives on."""
        if self.paused is not None:
            return Outcome.UNCHANGED
        self.paused = Paused(who, self._clock())
        self._pauses.stop_reading()
        return Outcome.DONE

    def _resume(self) -> Outcome:
        if self.paused is None:
            return Outcome.UNCHANGED
        self.paused = None
        self._pauses.go_on_reading()
        return Outcome.DONE
