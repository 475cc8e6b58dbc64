"""What follows from an outcome: resolve, give back, wait, halt.

Owns the reactions, one small function for each outcome; which rows of a rejected batch are bad is
connector.delivery.rejections. Decides at once and does no IO: when the next call starts is the dispatcher's.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import assert_never

from connector.core.batch import Batch
from connector.core.identity import Target
from connector.core.outcome import (
    NO_ANSWER,
    NO_PERMISSION,
    TOO_MANY_IDS,
    Delivered,
    Halted,
    Outcome,
    Rejected,
    Response,
    Retryable,
    Scope,
)
from connector.core.rate_limit import RateLimit
from connector.core.retry import Gate, State, full_jitter
from connector.delivery.accounts import Account, Audience
from connector.delivery.backlog import Backlog
from connector.delivery.rejections import Rejections, describe
from connector.telemetry.events import ChangeEnd, DeliveryEvents

_PROBE_INITIAL = 1.0
_PROBE_MOST = 30.0

_SECONDS_A_DAY = 86_400.0

REJECTS_ALL = "rejects_everything"
"""Why an audience is halted of which single rows, spread over a rejected batch, were all rejected."""


@dataclass(frozen=True, slots=True)
class RetryRules:
    """How long failed batches wait, and how long a call in doubt may still be applied."""

    initial_seconds: float
    most_seconds: float
    doubt_seconds: float


@dataclass(frozen=True, slots=True)
class Clocks:
    """Where time and chance come from.

    Attributes:
        now: monotonic seconds.
        wall: seconds since the epoch.
        chance: a number in 0..1.
    """

    now: Callable[[], float]
    wall: Callable[[], float]
    chance: Callable[[], float]

    def to_epoch(self, at: float) -> float:
        """A moment of `now`'s in seconds since the epoch, as the wall clock is set at present."""
        return at + self.wall() - self.now()


class Settlement:
    """Applies outcomes: `settle` for a batch, `settle_probe` for a probe."""

    def __init__(
        self,
        backlog: Backlog,
        rate: RateLimit,
        rejections: Rejections,
        targets: Sequence[Target],
        rules: RetryRules,
        clocks: Clocks,
        telemetry: DeliveryEvents,
    ) -> None:
        self._backlog = backlog
        self._rate = rate
        self._rejections = rejections
        self._targets = targets
        self._rules = rules
        self._clocks = clocks
        self._telemetry = telemetry

    def set_rules(self, rules: RetryRules) -> None:
        """Wait by these rules from now on. Waits that have begun go on."""
        self._rules = rules

    def settle(self, audience: Audience, batch: Batch, outcome: Outcome, epoch: int) -> None:
        """Apply the outcome of a call that has ended.

        Args:
            epoch: the backlog's when the call began. Changes of an earlier one do not come back.
        """
        now = self._clocks.now()
        outcome = _as_final(outcome, batch)
        in_doubt = isinstance(outcome, Retryable) and outcome.in_doubt
        audience.lane.finish(
            batch, echo_until=now + self._rules.doubt_seconds if in_doubt else None
        )
        self._learn(audience.account, outcome)
        match outcome:
            case Delivered():
                self._delivered(audience, batch, outcome, now)
                if epoch == self._backlog.epoch:
                    self._rejections.accepted(audience, batch)
                return
            case Rejected():
                self._rejected(audience, batch, outcome, epoch, now)
            case Retryable():
                self._give_back(audience, batch, epoch)
                self._retry(audience, batch, outcome, now)
            case Halted():
                self._give_back(audience, batch, epoch)
                self._halt(audience, outcome, now)
            case _:
                assert_never(outcome)
        audience.last_error = describe(outcome)

    def settle_probe(self, account: Account, outcome: Outcome) -> None:
        """Apply what a probe of the account found."""
        now = self._clocks.now()
        self._learn(account, outcome)
        if isinstance(outcome, Delivered):
            if not account.is_halted:
                account.probe.open()
            self._reopen(account, now)
            return
        if isinstance(outcome, Halted):
            self._halt_account(account, outcome.reason, outcome.response, now)
        account.probe.wait(outcome.reason, now + self._probe_delay(account.probe, now), now)

    def _learn(self, account: Account, outcome: Outcome) -> None:
        """What any answer says beyond its own batch: about reaching TikTok, and about the rate."""
        no_answer = isinstance(outcome, Retryable) and outcome.reason in NO_ANSWER
        account.unreachable = (
            outcome.reason if isinstance(outcome, Retryable) and no_answer else None
        )
        if isinstance(outcome, Retryable) and outcome.scope is Scope.APP:
            to_midnight = _SECONDS_A_DAY - self._clocks.wall() % _SECONDS_A_DAY
            self._rate.refused(self._clocks.now(), to_midnight)
            self._telemetry.rate_limited(self._rate)
        elif not no_answer:
            self._rate.accepted()

    def _delivered(self, audience: Audience, batch: Batch, outcome: Delivered, now: float) -> None:
        if audience.is_halted:
            self._telemetry.audience_resumed(audience.key)
        audience.gate.open()
        held = audience.account.gate
        if held.state is State.WAITING and held.opens_at <= now:
            held.open()  # this call may have begun before the wait: it does not shorten it
        audience.account.probe.open()
        audience.last_error = None
        self._telemetry.batch_delivered(audience.key, batch, self._targets)
        if outcome.warning:
            self._telemetry.delivered_with_warning(audience.key, outcome)
        self._backlog.end(batch, ChangeEnd.DELIVERED)

    def _rejected(
        self, audience: Audience, batch: Batch, outcome: Rejected, epoch: int, now: float
    ) -> None:
        self._telemetry.batch_rejected(audience.key, batch, outcome)
        if epoch != self._backlog.epoch:
            self._backlog.give_up(batch.rows)
            return
        is_audiences_fault = self._rejections.rejected(audience, batch, outcome)
        if is_audiences_fault:
            self._halt_audience(audience, REJECTS_ALL, outcome.response, now)
        else:
            audience.gate.allow()

    def vanished(self, audience: Audience, batch: Batch) -> None:
        """Newer changes took over all rows of a batch before it was tried."""
        if self._rejections.vanished(audience, batch):
            self._halt_audience(audience, REJECTS_ALL, Response(""), self._clocks.now())

    def _retry(self, audience: Audience, batch: Batch, outcome: Retryable, now: float) -> None:
        wait = 0.0
        if outcome.reason == TOO_MANY_IDS:
            self._backlog.lower_max_rows(len(batch.rows) // 2)
        elif outcome.scope is not Scope.APP:  # the rate limit itself holds back the app
            gate = audience.account.gate if outcome.scope is Scope.DESTINATION else audience.gate
            wait = self._backoff(gate, now)
            gate.wait(outcome.reason, now + wait, now)
        self._telemetry.batch_retried(audience.key, batch, outcome, wait)

    def _halt(self, audience: Audience, outcome: Halted, now: float) -> None:
        # Denied permission may be the token's fault or the audience's: the account's next probe tells.
        is_denied = outcome.reason == NO_PERMISSION
        if outcome.scope is Scope.AUDIENCE or (is_denied and audience.is_halted):
            self._halt_audience(audience, outcome.reason, outcome.response, now)
            return
        self._halt_account(audience.account, outcome.reason, outcome.response, now)
        if is_denied:
            audience.account.denied.append(audience)
            audience.account.probe.allow()

    def _halt_audience(
        self, audience: Audience, reason: str, response: Response, now: float
    ) -> None:
        if not audience.is_halted:
            self._telemetry.audience_halted(audience.key, reason, response)
        audience.gate.halt(reason, now + self._probe_delay(audience.gate, now), now)

    def _halt_account(self, account: Account, reason: str, response: Response, now: float) -> None:
        if not account.is_halted or account.gate.reason != reason:
            self._telemetry.destination_halted(account.name, reason, response)
        if not account.is_halted:
            account.probe.wait(reason, now + self._probe_delay(account.probe, now), now)
        account.gate.halt(reason, float("inf"), now)

    def _reopen(self, account: Account, now: float) -> None:
        """The token is accepted. What was denied permission all the same is the audience's fault."""
        for audience in account.denied:
            self._halt_audience(audience, NO_PERMISSION, Response("40001", code=40001), now)
        account.denied.clear()
        if account.is_halted:
            account.gate.open()
            self._telemetry.destination_resumed(account.name)

    def _give_back(self, audience: Audience, batch: Batch, epoch: int) -> None:
        if epoch == self._backlog.epoch:
            audience.lane.give_back(batch)
        else:
            self._backlog.give_up(batch.rows)

    def _backoff(self, gate: Gate, now: float) -> float:
        rules = self._rules
        failures = gate.fail(now)
        return full_jitter(
            failures, rules.initial_seconds, rules.most_seconds, self._clocks.chance()
        )

    def _probe_delay(self, gate: Gate, now: float) -> float:
        """Half fixed, half jitter: a probe is neither a flood nor in step with those of other replicas."""
        chance = 0.5 + 0.5 * self._clocks.chance()
        return full_jitter(gate.fail(now), _PROBE_INITIAL, _PROBE_MOST, chance)


def _as_final(outcome: Outcome, batch: Batch) -> Outcome:
    """Too many ids in a single row cannot be helped, and a group of an inquiry is divided anyway."""
    is_last = len(batch.rows) == 1 or batch.inquiry is not None
    if is_last and isinstance(outcome, Retryable) and outcome.reason == TOO_MANY_IDS:
        return Rejected(outcome.reason, outcome.response)
    return outcome
