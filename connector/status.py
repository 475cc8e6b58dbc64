"""What the process says of itself: healthy, ready, and the gauges that are read at scrape.

Owns the reading of other parts' state, and changes none of it. No identifier, profile or token is in anything here.
The whole of it, as a document for people, is connector.snapshot's.
"""

import math
from collections.abc import Callable, Sequence
from typing import Protocol

from connector.core.checkpoint import Checkpoint
from connector.core.identity import IdentityMap
from connector.core.model import Partition
from connector.core.rate_limit import RateLimit
from connector.delivery.backlog import Backlog
from connector.delivery.dead_letters import DeadLetterQueue
from connector.delivery.dispatcher import Dispatcher
from connector.delivery.matched_users import MatchedUsers
from connector.governance.people import People
from connector.intake import Intake
from connector.pauses import PauseReason, Pauses
from connector.telemetry.catalogue import Catalogue

_POLL_GRACE_SECONDS = 40.0
"""A poll comes back within a second, but for a rebalance: that may take the drain and some more."""

_GAUGED_AUDIENCES = 100
"""So many audiences have gauges of their own, the halted ones first; the status has all. A process is to have less than
1,000 series in all."""


class Lag(Protocol):
    """Who knows how far a partition is behind."""

    def lag(self, partition: Partition) -> int | None:
        """Records between the position and the end; None while unknown."""


class Parts(Protocol):
    """The running parts that are read."""

    @property
    def intake(self) -> Intake: ...
    @property
    def pauses(self) -> Pauses: ...
    @property
    def checkpoint(self) -> Checkpoint: ...
    @property
    def backlog(self) -> Backlog: ...
    @property
    def dispatcher(self) -> Dispatcher: ...
    @property
    def rate(self) -> RateLimit: ...
    @property
    def dead_letters(self) -> DeadLetterQueue: ...
    @property
    def identities(self) -> IdentityMap: ...
    @property
    def matched_users(self) -> MatchedUsers: ...
    @property
    def people(self) -> People | None:
        """None where no suppression topic is configured."""


class Status:
    """Reads the running parts.

    Args:
        topics: the subscribed ones.
        lags: tells how far partitions are behind.
        drain_seconds: how long a rebalance may hold up polling.
        clock: monotonic seconds.
        wall: seconds since the epoch.

    Attributes:
        state: starting, running or stopping.
    """

    def __init__(
        self,
        parts: Parts,
        topics: Sequence[str],
        lags: Lag,
        drain_seconds: float,
        clock: Callable[[], float],
        wall: Callable[[], float],
    ) -> None:
        self.state = "starting"
        self._parts = parts
        self._topics = topics
        self._lags = lags
        self._drain_seconds = drain_seconds
        self._clock = clock
        self._wall = wall

    def unhealthy(self) -> str | None:
        """Why the process should be restarted; None while it works."""
        silent = self._clock() - self._parts.intake.polled_at
        if self.state == "running" and silent > self._drain_seconds + _POLL_GRACE_SECONDS:
            return f"Kafka has not been polled for {silent:.0f} seconds"
        return None

    def not_ready(self) -> list[str]:
        """Why no changes flow; empty when they do."""
        people = self._parts.people
        if people is not None and (why := people.not_ready()) is not None:
            return [why]
        if self.state != "running":
            return [f"the connector is {self.state}"]
        reasons = []
        if not self._parts.intake.joined:
            reasons.append("the consumer group has not assigned partitions yet")
        accounts = self._parts.backlog.accounts
        if all(account.trouble for account in accounts):
            reasons += [f"destination {one.name}: {one.trouble}" for one in accounts]
        return reasons

    def publish(self, metrics: Catalogue) -> None:
        """Set the gauges to what is true now."""
        parts = self._parts
        metrics.pending_rows.set(parts.backlog.pending)
        metrics.in_flight_requests.set(parts.dispatcher.calls)
        metrics.rate_limit_share_calls_per_second.set(parts.rate.share)
        metrics.rate_limit_calls_per_second.set(parts.rate.rate)
        reasons = parts.pauses.reasons()
        for reason in PauseReason:
            metrics.intake_paused.set(float(reason in reasons), reason)
        self._publish_partitions(metrics)
        self._publish_ages(metrics)
        self._publish_halts(metrics)
        self._publish_identifiers(metrics)
        parts.matched_users.publish(metrics)
        if parts.people is not None:
            parts.people.publish(metrics)

    def _publish_identifiers(self, metrics: Catalogue) -> None:
        identities = self._parts.identities
        for (source, kind), count in identities.kinds.totals().items():
            metrics.identifiers_usable.set(count, source, kind)
        for (source, reason), count in identities.dropped.items():
            metrics.identifiers_dropped.set(count, source, reason)

    def _publish_partitions(self, metrics: Catalogue) -> None:
        partitions = self._parts.checkpoint.partitions()
        metrics.consumer_lag_records.clear()
        for partition in partitions:
            lag = self._lags.lag(partition)
            if lag is not None:
                metrics.consumer_lag_records.set(lag, partition.topic, str(partition.partition))
        for topic in self._topics:
            assigned = sum(one.topic == topic for one in partitions)
            paused = sum(one.topic == topic for one in self._parts.pauses.paused)
            metrics.consumer_assigned_partitions.set(assigned, topic)
            metrics.consumer_paused_partitions.set(paused, topic)

    def _publish_ages(self, metrics: Catalogue) -> None:
        metrics.oldest_pending_change_timestamp_seconds.clear()
        since = self._parts.backlog.oldest_since()
        if since != math.inf:
            arrived = self._wall() - (self._clock() - since)
            metrics.oldest_pending_change_timestamp_seconds.set(arrived)
        metrics.oldest_uncommitted_timestamp_seconds.clear()
        for topic, oldest_ms in self._parts.checkpoint.oldest_uncommitted_ms().items():
            metrics.oldest_uncommitted_timestamp_seconds.set(oldest_ms / 1000.0, topic)

    def _publish_halts(self, metrics: Catalogue) -> None:
        backlog = self._parts.backlog
        for account in backlog.accounts:
            metrics.destination_halted.set(float(account.is_halted), account.name)
        metrics.audience_halted.clear()
        shown = sorted(backlog, key=lambda one: not one.is_halted)[:_GAUGED_AUDIENCES]
        for audience in shown:
            metrics.audience_halted.set(float(audience.is_halted), *audience.key)
