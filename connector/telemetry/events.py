"""Every event that is counted or logged, one function each: the only place that says a log line of the flow.

Owns what an event does to the metrics and what it says in the log. Batches and states are logged, records never.
No function takes a value of a record or a secret; TikTok's own messages are not logged, for they may quote one.
What a line means, and which keys it has, stands in connector.telemetry.lines; a key that does not is not written.
The HTTP side's events stand apart, in connector.telemetry.access.
"""

from collections.abc import Callable, Collection, Sequence
from enum import StrEnum

import structlog

from connector import __version__
from connector.core.batch import Batch
from connector.core.identity import Target
from connector.core.model import Partition
from connector.core.outcome import Delivered, Rejected, Response, Retryable
from connector.core.rate_limit import RateLimit
from connector.core.routing import AudienceKey
from connector.telemetry import logs
from connector.telemetry.catalogue import Catalogue

MAPPING = "segment/mapping"
PROBE = "user/info"
AUDIENCES = ("dmp/custom_audience/get", "dmp/custom_audience/list")


class RecordEnd(StrEnum):
    """What a consumed record was."""

    ACCEPTED = "accepted"
    FILTERED = "filtered"
    INVALID = "invalid"


class ChangeEnd(StrEnum):
    """How an accepted change ended."""

    DELIVERED = "delivered"
    SUPERSEDED = "superseded"
    DEAD_LETTERED = "dead_lettered"
    HANDED_OVER = "handed_over"


class Events:
    """What all events have: the metrics, the log, and clocks.

    Args:
        clock: monotonic seconds.
        wall: seconds since the epoch.
    """

    def __init__(
        self, metrics: Catalogue, clock: Callable[[], float], wall: Callable[[], float]
    ) -> None:
        self.metrics = metrics
        self._clock = clock
        self._wall = wall
        self._log = structlog.get_logger("connector").bind()  # bound once: a proxy costs each call

    def secret_renewed(self, name: str) -> None:
        self._log.info("secret renewed", of=name)


class LifeEvents(Events):
    """Of the process: starting, waiting, running, stopping."""

    def starting(self, topics: Collection[str], destinations: Collection[str]) -> None:
        self._log.info(
            "starting", version=__version__, topics=[*topics], destinations=[*destinations]
        )

    def waiting_for_kafka(self, why: str) -> None:
        self._log.warning("waiting for kafka", why=why)

    def running(self, admin_port: int) -> None:
        self._log.info("running", admin_port=admin_port)

    def stopping(self, why: str) -> None:
        self._log.info("stopping", why=why)

    def stopped(self, pending: int) -> None:
        self._log.info("stopped", undelivered_changes=pending)

    def stands_still(self, what: str, seconds: float) -> None:
        self._log.critical("standing still: the process ends", what=what, seconds=round(seconds))

    def loop_stuck(self, seconds: float, where: str) -> None:
        self._log.critical(
            "the event loop is stuck: the process ends", seconds=round(seconds), where=where
        )

    def loop_lag(self, seconds: float) -> None:
        self.metrics.event_loop_lag_seconds.observe(seconds)

    def lines_left_out(self) -> None:
        """Say how many warnings of the minutes that are over were not written."""
        logs.sum_up()


class IntakeEvents(Events):
    """Of records, partitions and commits."""

    def records_ended(self, topic: str, accepted: int, filtered: int, invalid: int) -> None:
        metrics = self.metrics
        metrics.records_consumed.add(accepted + filtered + invalid, topic)
        metrics.records.add(accepted, topic, RecordEnd.ACCEPTED)
        metrics.records.add(filtered, topic, RecordEnd.FILTERED)
        metrics.records.add(invalid, topic, RecordEnd.INVALID)

    def record_error(self, topic: str, reason: str) -> None:
        self.metrics.record_errors.add(1, topic, reason)

    def records_invalid(self, partition: Partition, first_offset: int, count: int) -> None:
        self._log.warning(
            "invalid records set aside",
            topic=partition.topic,
            partition=partition.partition,
            first_offset=first_offset,
            records=count,
        )

    def additions_blocked(self, topic: str, reason: str, additions: int) -> None:
        self.metrics.additions_blocked.add(additions, topic, reason)

    def suppression_loaded(self, profiles: int, seconds: float) -> None:
        self._log.info("suppression list loaded", profiles=profiles, seconds=round(seconds, 1))

    def suppression_reread(self) -> None:
        self._log.warning(
            "the suppression topic is not what it was: it is read again from its beginning"
        )

    def erasures_began(self, partition: Partition, entries: int) -> None:
        self._log.info(
            "people were suppressed: their identifiers are deleted from every audience",
            partition=partition.partition,
            entries=entries,
        )

    def paused(self, pending: int, blocked: int, letters: int) -> None:
        self._log.info(
            "intake paused", pending_rows=pending, blocked_rows=blocked, pending_letters=letters
        )

    def resumed(self, pending: int) -> None:
        self._log.info("intake resumed", pending_rows=pending)

    def held(self, audience: AudienceKey, reason: str, pending: int) -> None:
        self._log.warning(
            "a blocked audience holds the intake: mend it, or let its route say when_blocked: dead_letter",
            reason=reason,
            pending_rows=pending,
            **_audience(audience),
        )

    def paused_far_ahead(self, partition: Partition, ahead: int) -> None:
        self._log.warning(
            "partition paused: too many records are read beyond what may be committed",
            topic=partition.topic,
            partition=partition.partition,
            uncommitted_records=ahead,
        )

    def resumed_far_ahead(self, partition: Partition) -> None:
        self._log.info("partition resumed", topic=partition.topic, partition=partition.partition)

    def assigned(self, partitions: Collection[Partition], share: float) -> None:
        self.metrics.consumer_rebalances.add(1, "assigned")
        self._log.info("partitions assigned", partitions=_names(partitions), share=round(share, 4))

    def revoked(self, partitions: Collection[Partition]) -> None:
        self.metrics.consumer_rebalances.add(1, "revoked")
        self._log.info("partitions revoked", partitions=_names(partitions))

    def out_of_range(self, partition: Partition) -> None:
        self.metrics.record_errors.add(1, partition.topic, "offset_out_of_range")
        self._log.error(
            "the committed offset is out of range: records may have been deleted unread;"
            " going on from the earliest",
            topic=partition.topic,
            partition=partition.partition,
        )

    def committed(self, partitions: int) -> None:
        self.metrics.offset_commits.add(1, "committed")
        self.metrics.last_commit_timestamp_seconds.set(self._wall())
        self._log.debug("offsets committed", partition_count=partitions)

    def commit_failed(self, why: str) -> None:
        self.metrics.offset_commits.add(1, "failed")
        self._log.warning("offset commit failed", why=why)


class DeliveryEvents(Events):
    """Of changes, calls, halts and dead letters."""

    def changes_ended(self, topic: str, how: ChangeEnd, changes: int) -> None:
        self.metrics.changes.add(changes, topic, how)

    def batch_cut(self, batch: Batch) -> None:
        self.metrics.batches.add(1, MAPPING, batch.trigger)
        self.metrics.batch_rows.observe(len(batch.rows), MAPPING)

    def mapping_answered(self, code: str, seconds: float) -> None:
        self.metrics.api_requests.add(1, MAPPING, code)
        self.metrics.api_request_duration_seconds.observe(seconds, MAPPING)

    def probe_answered(self, code: str, seconds: float) -> None:
        self.metrics.api_requests.add(1, PROBE, code)
        self.metrics.api_request_duration_seconds.observe(seconds, PROBE)

    def audiences_answered(self, endpoint: str, code: str, seconds: float) -> None:
        self.metrics.api_requests.add(1, endpoint, code)
        self.metrics.api_request_duration_seconds.observe(seconds, endpoint)

    def matched_users_not_told(self, destination: str, reason: str, response: Response) -> None:
        self._log.info(
            "tiktok does not say how many users it matched",
            destination=destination,
            reason=reason,
            **_response(response),
        )

    def batch_delivered(
        self, audience: AudienceKey, batch: Batch, targets: Sequence[Target]
    ) -> None:
        for slot, digests in batch.columns.items():
            self.metrics.identifiers_sent.add(len(digests), targets[slot], batch.action)
        now_ms = self._wall() * 1000.0
        latencies: dict[str, list[float]] = {}
        span = None
        for row in batch.rows:
            if row.span is not span:  # hot: neighbours mostly share it
                span = row.span
                of_topic = latencies.setdefault(span.partition.topic, [])
            timestamp_ms = span.oldest_ms + row.later_ms
            if timestamp_ms >= 0:
                of_topic.append((now_ms - timestamp_ms) / 1000.0)
        for topic, seconds in latencies.items():
            self.metrics.delivery_latency_seconds.observe_all(seconds, topic)
        self._log.debug("batch delivered", **_batch(audience, batch))

    def delivered_with_warning(self, audience: AudienceKey, outcome: Delivered) -> None:
        self._log.warning(
            "delivered with a warning",
            reason=outcome.warning,
            **_audience(audience),
            **_response(outcome.response),
        )

    def batch_retried(
        self, audience: AudienceKey, batch: Batch, outcome: Retryable, wait: float
    ) -> None:
        self.metrics.api_retries.add(1, MAPPING, outcome.reason)
        self._log.warning(
            "batch will be sent again",
            reason=outcome.reason,
            wait_seconds=round(wait, 3),
            **_batch(audience, batch),
            **_response(outcome.response),
        )

    def batch_rejected(self, audience: AudienceKey, batch: Batch, outcome: Rejected) -> None:
        self._log.warning(
            "batch rejected",
            reason=outcome.reason,
            **_batch(audience, batch),
            **_response(outcome.response),
        )

    def rate_limited(self, rate: RateLimit) -> None:
        self.metrics.rate_limited.add(1, MAPPING)
        pause = max(0.0, rate.paused_until - self._clock())
        self._log.warning(
            "tiktok limits the rate of calls",
            calls_per_second=round(rate.rate, 3),
            pause_seconds=round(pause, 1),
        )

    def lease_lapsed(self) -> None:
        self._log.warning(
            "no call is started: kafka has not confirmed lately that our partitions are ours"
        )

    def suppression_stale(self) -> None:
        self._log.warning(
            "no call is started: kafka has not confirmed lately that the suppression list is whole"
        )

    def held_back(self, seconds: float) -> None:
        self.metrics.rate_limit_wait_seconds.add(seconds, MAPPING)

    def audience_halted(self, audience: AudienceKey, reason: str, response: Response) -> None:
        self._log.error(
            "audience halted: its changes wait until it is mended",
            reason=reason,
            **_audience(audience),
            **_response(response),
        )

    def audience_resumed(self, audience: AudienceKey) -> None:
        self._log.info("audience resumed", **_audience(audience))

    def destination_halted(self, name: str, reason: str, response: Response) -> None:
        self._log.error(
            "destination halted: its changes wait until it is mended",
            destination=name,
            reason=reason,
            **_response(response),
        )

    def destination_resumed(self, name: str) -> None:
        self._log.info("destination resumed", destination=name)

    def changes_set_aside(self, audience: AudienceKey, reason: str, changes: int) -> None:
        self._log.warning(
            "changes of a blocked audience set aside",
            reason=reason,
            changes=changes,
            **_audience(audience),
        )

    def max_rows_lowered(self, rows: int) -> None:
        self._log.warning("tiktok found a call too large: calls get smaller", max_rows=rows)

    def dead_letter_written(self, topic: str, reason: str) -> None:
        self.metrics.dead_letters.add(1, topic, reason)

    def dead_letters_refused(self, why: str, letters: int, wait: float) -> None:
        self._log.warning(
            "dead letters cannot be written: nothing is lost, and nothing more is committed",
            why=why,
            letters=letters,
            wait_seconds=round(wait, 1),
        )


def _audience(audience: AudienceKey) -> dict[str, object]:
    return {"destination": audience.destination, "audience": audience.audience_id}


def _batch(audience: AudienceKey, batch: Batch) -> dict[str, object]:
    return {**_audience(audience), "action": batch.action.value, "rows": len(batch.rows)}


def _response(response: Response) -> dict[str, object]:
    """What may be said of an answer: numbers and TikTok's id of the call, if it looks like one."""
    facts: dict[str, object] = {}
    if response.http_status is not None:
        facts["http_status"] = response.http_status
    if response.code is not None:
        facts["code"] = response.code
    if response.request_id and len(response.request_id) <= _ID_MOST:
        facts["request_id"] = "".join(one for one in response.request_id if one.isalnum())
    return facts


_ID_MOST = 40
"""TikTok's request ids have 32 to 35 characters; a SHA-256 digest has 64."""


def _names(partitions: Collection[Partition]) -> list[str]:
    return [f"{topic}:{number}" for topic, number in sorted(partitions)]
