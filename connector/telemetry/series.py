"""Series that exist from the start, so that a rate sees its first step.

Owns which label values are closed sets. Counts nothing.
"""

import platform
from collections.abc import Iterable

from connector import __version__
from connector.core.identity import DROP_REASONS, OTHER_SOURCE, UNMAPPED, Target
from connector.core.kinds import Kind
from connector.core.model import Action
from connector.core.permission import BLOCKED_REASONS
from connector.telemetry.access import Refusal
from connector.telemetry.catalogue import Catalogue
from connector.telemetry.events import MAPPING, PROBE, ChangeEnd, RecordEnd
from connector.telemetry.reloads import ReloadEnd


def prepare(
    metrics: Catalogue,
    topics: Iterable[str],
    sources: Iterable[str],
    targets: Iterable[Target],
    codes: Iterable[str],
) -> None:
    """Make every series whose labels are a closed set, with the value 0."""
    metrics.build_info.set(1, __version__, platform.python_version())
    for topic in topics:
        metrics.records_consumed.ensure(topic)
        metrics.delivery_latency_seconds.ensure(topic)
        for record_end in RecordEnd:
            metrics.records.ensure(topic, record_end)
        for change_end in ChangeEnd:
            metrics.changes.ensure(topic, change_end)
        for blocked in BLOCKED_REASONS:
            metrics.additions_blocked.ensure(topic, blocked)
    for source in sources:
        for kind in Kind:
            metrics.identifiers_usable.ensure(source, kind)
        for reason in DROP_REASONS:
            if reason != UNMAPPED:
                metrics.identifiers_dropped.ensure(source, reason)
    metrics.identifiers_dropped.ensure(OTHER_SOURCE, UNMAPPED)
    for target in targets:
        for action in Action:
            metrics.identifiers_sent.ensure(target, action)
    for code in codes:
        metrics.api_requests.ensure(MAPPING, code)
    _prepare_unlabelled(metrics)


def _prepare_unlabelled(metrics: Catalogue) -> None:
    for event in ("assigned", "revoked"):
        metrics.consumer_rebalances.ensure(event)
    for outcome in ("committed", "failed"):
        metrics.offset_commits.ensure(outcome)
    for trigger in ("size", "bytes", "age", "drain"):
        metrics.batches.ensure(MAPPING, trigger)
    for endpoint in (MAPPING, PROBE):
        metrics.api_request_duration_seconds.ensure(endpoint)
    for outcome in ReloadEnd:
        metrics.config_reloads.ensure(outcome)
    for refusal in Refusal:
        metrics.admin_requests_refused.ensure(refusal)
    metrics.rate_limited.ensure(MAPPING)
    metrics.rate_limit_wait_seconds.ensure(MAPPING)
    metrics.batch_rows.ensure(MAPPING)
    metrics.event_loop_lag_seconds.ensure()
