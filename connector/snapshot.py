"""The whole status as one document: what /status answers, and what the page for people shows.

Owns its keys and their order. Reads other parts' state and changes none of it. No identifier, profile or token is in
anything here.
"""

import heapq
import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from connector import __version__
from connector.advice import ADVICE
from connector.core.model import Partition
from connector.core.retry import State
from connector.core.routing import AudienceKey
from connector.delivery.accounts import Account, Audience
from connector.delivery.matched_users import explanation
from connector.headline import headline
from connector.history import INTERVAL_SECONDS, History
from connector.operations import Operations
from connector.reload import Reading
from connector.status import Lag, Parts, Status

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class View:
    """How much is asked for.

    Attributes:
        lanes: the most lanes, those in trouble first; None for all, as they stand in the configuration.
        find: only lanes in whose destination, audience or segment this text stands, capitals or not.
        has_configuration: whether the configuration is wanted too.
    """

    lanes: int | None = None
    find: str = ""
    has_configuration: bool = True


WHOLE = View()


class Configuration(Protocol):
    """The configuration that runs."""

    @property
    def last(self) -> Reading:
        """How it was last read."""

    def shown(self) -> Mapping[str, Any]:
        """All of it, without secrets."""


class Snapshot:
    """Takes the status: `take`.

    Args:
        configuration: the present one.
        clock: monotonic seconds.
        wall: seconds since the epoch.
    """

    def __init__(
        self,
        status: Status,
        parts: Parts,
        lags: Lag,
        history: History,
        operations: Operations,
        configuration: Configuration,
        clock: Callable[[], float],
        wall: Callable[[], float],
    ) -> None:
        self._status = status
        self._parts = parts
        self._lags = lags
        self._history = history
        self._operations = operations
        self._configuration = configuration
        self._clock = clock
        self._wall = wall

    def take(self, view: View = WHOLE) -> Document:
        """The status as it is now."""
        now = self._clock()
        parts = self._parts
        audiences = [one for one in parts.backlog if _is_found(one, view.find.casefold())]
        counts = Counter(one.troubled_gate.state_at(now) for one in parts.backlog)
        shown: Document = {
            "version": __version__,
            "at": self._time(now, now),
            "state": self._status.state,
            "reasons": self._status.not_ready(),
            "intake": self._intake(now),
            "partitions": [self._partition(one) for one in sorted(parts.checkpoint.partitions())],
            "destinations": [self._destination(one, now) for one in parts.backlog.accounts],
            "lanes": [self._lane(one, now) for one in _first(audiences, view.lanes)],
            "lanes_found": len(audiences),
            "lane_counts": {state.value: counts[state] for state in State},
            "people": None if parts.people is None else parts.people.snapshot(),
            "limits": self._limits(now),
            "dead_letters": [
                {**one._asdict(), "at": self._time(one.at, now)} for one in self._history.letters()
            ],
            "history": self._paces(now),
            "reload": self._reload(now),
        }
        if view.has_configuration:
            shown["configuration"] = self._configuration.shown()
        return {**shown, "headline": headline(shown), "advice": _advice(shown)}

    def _intake(self, now: float) -> Document:
        reasons = self._parts.pauses.reasons()
        holding = self._parts.pauses.holding
        paused = self._operations.paused
        return {
            "joined": self._parts.intake.joined,
            "paused": bool(reasons),
            "reasons": reasons,
            "by": paused.by if paused else None,
            "since": self._time(paused.since, now) if paused else None,
            "held_by": dict(zip(("destination", "audience"), holding.key, strict=True))
            if holding
            else None,
        }

    def _partition(self, partition: Partition) -> Document:
        checkpoint = self._parts.checkpoint
        return {
            "topic": partition.topic,
            "partition": partition.partition,
            "position": checkpoint.position(partition),
            "committed": checkpoint.committed_position(partition),
            "lag": self._lags.lag(partition),
            "uncommitted": checkpoint.ahead(partition),
            "paused": partition in self._parts.pauses.paused,
        }

    def _destination(self, account: Account, now: float) -> Document:
        # Who cannot be reached is not held back by a gate: since when that is so, the probes know.
        gate = account.probe if account.gate.state is State.OPEN else account.gate
        is_since = account.trouble and gate.state is not State.OPEN
        return {
            "name": account.name,
            "state": account.gate.state_at(now),
            "reason": account.trouble,
            "since": self._time(gate.since, now) if is_since else None,
            "until": self._time(account.next_try, now) if account.trouble else None,
        }

    def _lane(self, audience: Audience, now: float) -> Document:
        gate = audience.troubled_gate
        state = gate.state_at(now)
        is_open = state is State.OPEN
        matched = self._parts.matched_users.of(audience.key)
        return {
            "destination": audience.key.destination,
            "audience": audience.key.audience_id,
            "segment": audience.segment,
            "state": state,
            "reason": None if is_open else gate.reason,
            "since": None if is_open else self._time(gate.since, now),
            "until": None if is_open else self._time(audience.next_try, now),
            "pending": len(audience.lane),
            "in_flight": audience.lane.calls,
            "retired": audience.is_retired,
            "holds_intake": audience is self._parts.pauses.holding,
            "last_error": audience.last_error,
            "matched_users": matched,
            "matched_users_note": explanation(matched),
        }

    def _limits(self, now: float) -> Document:
        parts = self._parts
        share, used = parts.rate.share, self._history.calls_per_second()
        return {
            "share_calls_per_second": share,
            "calls_per_second": parts.rate.rate,
            "used_calls_per_second": used,
            "paused_for_seconds": max(0.0, parts.rate.paused_until - now),
            "pending_rows": parts.backlog.pending,
            "pending_letters": len(parts.dead_letters),
            "in_flight_requests": parts.dispatcher.calls,
            "intake_paused": bool(parts.pauses.reasons()),
        }

    def _reload(self, now: float) -> Document:
        reading = self._configuration.last
        return {
            "outcome": reading.end,
            "at": self._time(reading.at, now),
            "in_force_at": self._time(reading.in_force_at, now),
            "problems": [*reading.problems],
        }

    def _paces(self, now: float) -> Document:
        """Columns, oldest first. Each number is the mean of the interval that ends at its time."""
        paces = list(self._history.paces())
        return {
            "interval_seconds": INTERVAL_SECONDS,
            "at": [self._time(one.at, now) for one in paces],
            "records_per_second": [round(one.records, 2) for one in paces],
            "rows_per_second": [round(one.rows, 2) for one in paces],
            "calls_per_second": [round(one.calls, 2) for one in paces],
            "lag_records": [one.lag for one in paces],
        }

    def _time(self, at: float, now: float) -> str | None:
        """A time of our clock as people write it; None for one that is not known."""
        if math.isinf(at):
            return None
        moment = datetime.fromtimestamp(self._wall() + at - now, UTC)
        return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def _is_found(audience: Audience, text: str) -> bool:
    return not text or any(text in one.casefold() for one in (*audience.key, audience.segment))


def _first(audiences: list[Audience], most: int | None) -> list[Audience]:
    return audiences if most is None else heapq.nsmallest(most, audiences, key=_urgency)


def _urgency(audience: Audience) -> tuple[bool, bool, int, AudienceKey]:
    """Halted ones first, then those that wait, and of each the fullest."""
    state = audience.troubled_gate.state
    return state is not State.HALTED, state is State.OPEN, -len(audience.lane), audience.key


def _advice(shown: Document) -> dict[str, dict[str, str]]:
    """What the reasons that are shown mean, and what to do."""
    reasons = {one["reason"] for one in (*shown["lanes"], *shown["destinations"])}
    return {reason: ADVICE[reason]._asdict() for reason in sorted(reasons & ADVICE.keys())}
