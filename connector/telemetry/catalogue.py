"""Every metric of the connector: name, kind, labels, meaning. The one place where a metric is named.

Labels never hold a profile, an identifier, an offset or free text: each is of a closed set, or configured. A process
has less than 1,000 series in the largest configuration there is a reason for: a bucket costs one for each child.
"""

from collections.abc import Iterator

from connector.telemetry.families import Family, Histogram

_LATENCY = (0.5, 1.0, 1.5, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0)
_CALL = (0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_ROWS = (1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0, 2500.0, 5000.0, 10000.0)
_LAG = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)


def _counter(name: str, labels: str, text: str) -> Family:
    return Family(name, "counter", labels.split(), text)


def _gauge(name: str, labels: str, text: str) -> Family:
    return Family(name, "gauge", labels.split(), text)


class Catalogue:
    """All families, as attributes by name without the suffix _total."""

    def __init__(self) -> None:
        self._intake()
        self._people()
        self._progress()
        self._calls()
        self._state()

    def __iter__(self) -> Iterator[Family | Histogram]:
        return (one for one in vars(self).values() if isinstance(one, Family | Histogram))

    def _intake(self) -> None:
        self.build_info = _gauge("build_info", "version python_version", "Always 1.")
        self.records_consumed = _counter(
            "records_consumed_total", "topic", "Kafka records consumed."
        )
        self.records = _counter(
            "records_total",
            "topic outcome",
            "Consumed records by what they were: accepted, filtered or invalid.",
        )
        self.changes = _counter(
            "changes_total",
            "topic outcome",
            "Accepted changes (one user row, one audience) by how they ended.",
        )
        self.record_errors = _counter(
            "record_errors_total", "topic reason", "What was wrong with records."
        )
        self.identifiers_usable = _counter(
            "identifiers_usable_total",
            "source kind",
            "Identifiers that became or were a digest, by source namespace and by what they were.",
        )
        self.identifiers_dropped = _counter(
            "identifiers_dropped_total",
            "source reason",
            "Identifiers that could not be used, by source namespace.",
        )
        self.dead_letters = _counter(
            "dead_letters_total", "topic reason", "Dead letters the broker acknowledged."
        )

    def _people(self) -> None:
        self.additions_blocked = _counter(
            "additions_blocked_total",
            "topic reason",
            "Additions that were not made because the person is suppressed or did not consent.",
        )
        self.suppression_entries = _gauge(
            "suppression_entries", "status", "Profiles on the suppression list."
        )
        self.suppression_entries_without_identities = _gauge(
            "suppression_entries_without_identities",
            "",
            "Profiles on the suppression list that name no identifier: their additions alone are blocked.",
        )
        self.suppression_loaded = _gauge(
            "suppression_loaded", "", "1 once the suppression topic was read to its end."
        )
        self.erasure_pending_entries = _gauge(
            "erasure_pending_entries",
            "",
            "Profiles on the suppression list whose deletes have not all ended, the second round included.",
        )
        self.erasure_oldest_pending_timestamp_seconds = _gauge(
            "erasure_oldest_pending_timestamp_seconds",
            "",
            "When the oldest entry was written that is not wholly deleted at TikTok yet; absent when all are.",
        )

    def _progress(self) -> None:
        self.consumer_lag_records = _gauge(
            "consumer_lag_records", "topic partition", "Records behind the end of the partition."
        )
        self.consumer_assigned_partitions = _gauge(
            "consumer_assigned_partitions", "topic", "Partitions assigned to this replica."
        )
        self.consumer_paused_partitions = _gauge(
            "consumer_paused_partitions", "topic", "Assigned partitions that are paused."
        )
        self.intake_paused = _gauge(
            "intake_paused", "reason", "1 while nothing is read for this reason."
        )
        self.consumer_rebalances = _counter(
            "consumer_rebalances_total", "event", "Rebalances, by whether they gave or took."
        )
        self.offset_commits = _counter(
            "offset_commits_total", "outcome", "Offset commits, by whether the broker acknowledged."
        )
        self.last_commit_timestamp_seconds = _gauge(
            "last_commit_timestamp_seconds", "", "When an offset commit last succeeded."
        )
        self.oldest_pending_change_timestamp_seconds = _gauge(
            "oldest_pending_change_timestamp_seconds",
            "",
            "When the longest waiting change arrived; absent when none waits.",
        )
        self.oldest_uncommitted_timestamp_seconds = _gauge(
            "oldest_uncommitted_timestamp_seconds",
            "topic",
            "The timestamp of the oldest record that is not resolved; absent when all are.",
        )

    def _calls(self) -> None:
        self.delivery_latency_seconds = Histogram(
            "delivery_latency_seconds",
            ["topic"],
            _LATENCY,
            "From a record's Kafka timestamp to its acceptance by TikTok.",
        )
        self.pending_rows = _gauge(
            "pending_rows", "", "Accepted changes that have not ended, calls under way included."
        )
        self.in_flight_requests = _gauge("in_flight_requests", "", "Calls under way.")
        self.batches = _counter(
            "batches_total", "endpoint trigger", "Batches cut, by what made them due."
        )
        self.batch_rows = Histogram("batch_rows", ["endpoint"], _ROWS, "Rows in a call.")
        self.api_requests = _counter(
            "api_requests_total", "endpoint code", "Calls by TikTok's code in the body."
        )
        self.api_request_duration_seconds = Histogram(
            "api_request_duration_seconds", ["endpoint"], _CALL, "How long calls took."
        )
        self.api_retries = _counter(
            "api_retries_total", "endpoint reason", "Batches that will be sent again."
        )
        self.rate_limit_wait_seconds = _counter(
            "rate_limit_wait_seconds_total",
            "endpoint",
            "Time a due batch waited for the allowance.",
        )
        self.rate_limited = _counter(
            "rate_limited_total", "endpoint", "Answers that there were too many calls."
        )
        self.identifiers_sent = _counter(
            "identifiers_sent_total", "type action", "Identifiers that TikTok accepted."
        )

    def _state(self) -> None:
        self.destination_halted = _gauge(
            "destination_halted", "destination", "1 while TikTok refuses this destination's calls."
        )
        self.audience_halted = _gauge(
            "audience_halted",
            "destination audience",
            "1 while TikTok refuses this audience's calls.",
        )
        self.audience_matched_users = _gauge(
            "audience_matched_users",
            "destination audience",
            "Users that TikTok matched in the audience, as it last said; absent while unknown.",
        )
        self.rate_limit_share_calls_per_second = _gauge(
            "rate_limit_share_calls_per_second", "", "This replica's share of the app's allowance."
        )
        self.rate_limit_calls_per_second = _gauge(
            "rate_limit_calls_per_second", "", "The rate of calls it allows itself now."
        )
        self.config_reloads = _counter(
            "config_reloads_total", "outcome", "Readings of the configuration while it runs."
        )
        self.config_last_reload_successful = _gauge(
            "config_last_reload_successful", "", "0 while the configuration on disk is refused."
        )
        self.config_last_reload_success_timestamp_seconds = _gauge(
            "config_last_reload_success_timestamp_seconds",
            "",
            "When the configuration on disk was last read and is what runs.",
        )
        self.admin_requests_refused = _counter(
            "admin_requests_refused_total", "reason", "Requests to the HTTP side that were refused."
        )
        self.event_loop_lag_seconds = Histogram(
            "event_loop_lag_seconds", [], _LAG, "How late a timer of the event loop fires."
        )
