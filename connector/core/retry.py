"""How long to wait before the next try, and the state of a gate that calls must pass.

Owns the backoff rule and the three states open, waiting, halted. Pure: time and chance are arguments.
"""

import math
from enum import StrEnum


class State(StrEnum):
    """What a destination or an audience does with calls."""

    OPEN = "open"
    WAITING = "waiting"
    HALTED = "halted"


def full_jitter(failures: int, initial: float, most: float, chance: float) -> float:
    """Seconds to wait after so many failures in a row.

    Full jitter: evenly spread from nothing to the exponential bound, so that replicas do not retry in step.

    Args:
        failures: 1 after the first failure.
        initial: the bound after the first failure, in seconds.
        most: the bound that is never passed, in seconds.
        chance: a number in 0..1, drawn by the caller.
    """
    exponent = min(failures - 1, 64)  # 2 ** 64 seconds is past any bound; a float must not overflow
    return chance * min(most, initial * 2.0**exponent)


class Gate:
    """Whether calls may pass, why not, since when and until when. All times are the caller's clock."""

    __slots__ = ("failures", "opens_at", "reason", "since", "state")

    def __init__(self) -> None:
        self.state = State.OPEN
        self.reason: str | None = None
        self.since = 0.0
        self.opens_at = -math.inf
        self.failures = 0

    def open(self) -> None:
        """A call was accepted: all is well again."""
        self.state = State.OPEN
        self.reason = None
        self.opens_at = -math.inf
        self.failures = 0

    def wait(self, reason: str, until: float, now: float) -> None:
        """Hold calls until then; a halt that is in force stays one."""
        if self.state is State.HALTED:
            return
        self._enter(State.WAITING, reason, now)
        self.opens_at = max(self.opens_at, until)

    def halt(self, reason: str, probe_at: float, now: float) -> None:
        """Hold calls until mended; `probe_at` is when one try may be made."""
        self._enter(State.HALTED, reason, now)
        self.opens_at = probe_at

    def allow(self) -> None:
        """Let the next try be made at once, whatever the state."""
        self.opens_at = -math.inf

    def fail(self, now: float) -> int:
        """Count one more failure in a row; returns how many there are.

        Calls that failed together, before the wait that the first of them earned was over, count once.
        """
        if now >= self.opens_at or self.failures == 0:
            self.failures += 1
        return self.failures

    def state_at(self, now: float) -> State:
        """The state to show: a wait that is over is open, though its failures are not forgotten."""
        if self.state is State.WAITING and self.opens_at <= now:
            return State.OPEN
        return self.state

    def _enter(self, state: State, reason: str, now: float) -> None:
        if self.state is not state:
            self.since = now
        self.state = state
        self.reason = reason
