"""Series that exist from the start, so that a rate sees its first step.

Owns which label values are closed sets. Counts nothing.
"""

import platform
from collections.abc import Collection
from dataclasses import dataclass

from connector import __version__
from connector.core.identity import DROP_REASONS, OTHER_SOURCE, UNMAPPED, Target
from connector.core.kinds import Kind
from connector.core.letter import BLOCKED, REJECTED
from connector.core.model import Action
from connector.core.outcome import NO_ANSWER
from connector.core.permission import BLOCKED_REASONS
from connector.telemetry.access import Refusal
from connector.telemetry.catalogue import Catalogue
from connector.telemetry.events import (
    AUDIENCES,
    MAPPING,
    PROBE,
    ChangeEnd,
    RecordEnd,
)
from connector.telemetry.reloads import ReloadEnd

_ANSWERS = ("0", *sorted(NO_ANSWER), "http_5xx", "other")
"""How a call that only asks may end. Which of TikTok's codes it can meet beyond these is not known."""


@dataclass(frozen=True, slots=True)
class Closed:
    """The values that labels may have.

    Attributes:
        codes: of an answer.
        record_reasons: why a record may be set aside.
        problems: what else may be wrong with a record.
        retry_reasons: why a call may have to be made again.
    """

    topics: Collection[str]
    sources: Collection[str]
    targets: Collection[Target]
    codes: Collection[str]
    record_reasons: Collection[str]
    problems: Collection[str]
    retry_reasons: Collection[str]


def prepare(metrics: Catalogue, labels: Closed) -> None:
    """Make every series whose labels are a closed set, with the value 0."""
    metrics.build_info.set(1, __version__, platform.python_version())
    for topic in labels.topics:
        _prepare_topic(metrics, topic, labels)
    for source in labels.sources:
        for kind in Kind:
            metrics.identifiers_usable.ensure(source, kind)
        for reason in DROP_REASONS:
            if reason != UNMAPPED:
                metrics.identifiers_dropped.ensure(source, reason)
    metrics.identifiers_dropped.ensure(OTHER_SOURCE, UNMAPPED)
    for target in labels.targets:
        for action in Action:
            metrics.identifiers_sent.ensure(target, action)
    _prepare_calls(metrics, labels)
    _prepare_process(metrics)


def _prepare_topic(metrics: Catalogue, topic: str, labels: Closed) -> None:
    metrics.records_consumed.ensure(topic)
    metrics.delivery_latency_seconds.ensure(topic)
    for record_end in RecordEnd:
        metrics.records.ensure(topic, record_end)
    for change_end in ChangeEnd:
        metrics.changes.ensure(topic, change_end)
    for blocked in BLOCKED_REASONS:
        metrics.additions_blocked.ensure(topic, blocked)
    for reason in (*labels.record_reasons, *labels.problems, "offset_out_of_range"):
        metrics.record_errors.ensure(topic, reason)
    for reason in (*labels.record_reasons, REJECTED, BLOCKED):
        metrics.dead_letters.ensure(topic, reason)


def _prepare_calls(metrics: Catalogue, labels: Closed) -> None:
    for endpoint in (MAPPING, PROBE, *AUDIENCES):
        metrics.api_request_duration_seconds.ensure(endpoint)
        for code in _ANSWERS if endpoint in AUDIENCES else labels.codes:
            metrics.api_requests.ensure(endpoint, code)
    for reason in labels.retry_reasons:
        metrics.api_retries.ensure(MAPPING, reason)
    for trigger in ("size", "bytes", "age", "drain"):
        metrics.batches.ensure(MAPPING, trigger)
    metrics.rate_limited.ensure(MAPPING)
    metrics.rate_limit_wait_seconds.ensure(MAPPING)
    metrics.batch_rows.ensure(MAPPING)


def _prepare_process(metrics: Catalogue) -> None:
    for event in ("assigned", "revoked"):
        metrics.consumer_rebalances.ensure(event)
    for outcome in ("committed", "failed"):
        metrics.offset_commits.ensure(outcome)
    for outcome in ReloadEnd:
        metrics.config_reloads.ensure(outcome)
    for refusal in Refusal:
        metrics.admin_requests_refused.ensure(refusal)
    metrics.event_loop_lag_seconds.ensure()
