"""Bulkheads: what becomes of the waiting changes of a blocked audience.

Blocked is who is halted, or has waited for so long without an accepted call that it is no hiccup. Owns the bound of
such an audience, and what follows at it: its oldest changes are set aside where its route says so; otherwise they
hold the intake, which is connector.pauses' to do. Of a halted audience whose route is gone, all changes are set aside:
nobody would mend it. An audience that is not blocked has no bound of its own: what is
pending in all has one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from connector.core.letter import BLOCKED
from connector.delivery.accounts import Audience
from connector.delivery.backlog import Backlog
from connector.delivery.row_letters import RowLetters
from connector.telemetry.events import DeliveryEvents


@dataclass(frozen=True, slots=True)
class Pressure:
    """What weighs on the intake.

    Attributes:
        pending: all changes that have not ended.
        blocked: those among them that wait for blocked audiences.
        holding: the audience that holds the intake because its changes have reached their bound; None without.
    """

    pending: int
    blocked: int
    holding: Audience | None


@dataclass(frozen=True, slots=True)
class BlockedRules:
    """When an audience is blocked, and how much may wait for it.

    Attributes:
        most_rows: the changes that may wait for one blocked audience.
        patience_seconds: an audience that waits is blocked after so long without an accepted call; a halted one at
            once.
    """

    most_rows: int
    patience_seconds: float


class Bulkheads:
    """Keeps blocked audiences within their bound: `relieve`.

    Args:
        clock: monotonic seconds.
    """

    def __init__(
        self,
        backlog: Backlog,
        letters: RowLetters,
        rules: BlockedRules,
        telemetry: DeliveryEvents,
        clock: Callable[[], float],
    ) -> None:
        self._backlog = backlog
        self._letters = letters
        self._rules = rules
        self._telemetry = telemetry
        self._clock = clock
        self._holding: Audience | None = None

    def set_rules(self, rules: BlockedRules) -> None:
        """Judge by these rules from now on."""
        self._rules = rules

    def relieve(self, keep: int | None = None) -> Pressure:
        """Set aside what passes an audience's bound, as far as its route allows; what weighs on the intake then.

        Args:
            keep: how many blocked changes may stay in all, because something else has reached its bound through
                them; None when nothing has.
        """
        blocked = self._blocked()
        surplus = 0 if keep is None else _rows(blocked) - keep
        for audience in blocked:
            if audience.is_given_up:
                surplus -= self._set_aside(audience, len(audience.lane))
            elif audience.sets_aside:
                over = len(audience.lane) - self._rules.most_rows
                surplus -= self._set_aside(audience, max(over, surplus))
        self._holding = self._find_holding(blocked)
        return Pressure(self._backlog.pending, _rows(blocked), self._holding)

    def _blocked(self) -> list[Audience]:
        """The blocked audiences, the one with the most changes first."""
        if not self._backlog.in_trouble:
            return []
        now, patience = self._clock(), self._rules.patience_seconds
        blocked = (one for one in self._backlog.in_trouble if one.is_blocked(now, patience))
        return sorted(blocked, key=lambda one: len(one.lane), reverse=True)

    def _find_holding(self, blocked: Sequence[Audience]) -> Audience | None:
        """Who reached the bound holds the intake until half of it is gone, or it is mended."""
        most = self._rules.most_rows
        for audience in blocked:
            is_holding = audience is self._holding
            if is_holding and audience.lane.calls:
                return audience  # a try is under way, with rows that are not in the lane meanwhile
            if not audience.sets_aside and len(audience.lane) > (most // 2 if is_holding else most):
                return audience
        return None

    def _set_aside(self, audience: Audience, rows: int) -> int:
        """Write letters for the oldest changes, as many as the dead letters have room for; how many that were."""
        taken = audience.lane.shed(min(rows, self._letters.room))
        detail = f"the audience is blocked: {audience.troubled_gate.state} ({audience.trouble})"
        for row in taken:
            self._letters.write(audience, row, BLOCKED, detail, None)
        if taken:
            self._telemetry.changes_set_aside(audience.key, audience.trouble, len(taken))
        return len(taken)


def _rows(audiences: Sequence[Audience]) -> int:
    return sum(len(audience.lane) for audience in audiences)
