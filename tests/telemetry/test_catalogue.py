"""The metrics that users build dashboards on: each name, type and label set is a promise."""

import re
from collections import Counter

import pytest

from connector.telemetry.catalogue import Catalogue
from connector.telemetry.families import Family, Histogram

# name, kind, labels: what is promised to everybody who scrapes
METRICS = [
    line.split()
    for line in """\
build_info                               gauge      version python_version
records_consumed_total                   counter    topic
records_total                            counter    topic outcome
changes_total                            counter    topic outcome
record_errors_total                      counter    topic reason
consumer_lag_records                     gauge      topic partition
consumer_assigned_partitions             gauge      topic
consumer_paused_partitions               gauge      topic
consumer_rebalances_total                counter    event
offset_commits_total                     counter    outcome
last_commit_timestamp_seconds            gauge
delivery_latency_seconds                 histogram  topic
pending_rows                             gauge
in_flight_requests                       gauge
batches_total                            counter    endpoint trigger
batch_rows                               histogram  endpoint
api_requests_total                       counter    endpoint code
api_request_duration_seconds             histogram  endpoint
api_retries_total                        counter    endpoint reason
rate_limit_wait_seconds_total            counter    endpoint
rate_limited_total                       counter    endpoint
identifiers_sent_total                   counter    type action
identifiers_usable_total                 counter    source kind
identifiers_dropped_total                counter    source reason
dead_letters_total                       counter    topic reason
destination_halted                       gauge      destination
audience_halted                          gauge      destination audience
oldest_pending_change_timestamp_seconds  gauge
oldest_uncommitted_timestamp_seconds     gauge      topic
rate_limit_share_calls_per_second        gauge
audience_matched_users                   gauge      destination audience
event_loop_lag_seconds                   histogram
additions_blocked_total                  counter    topic reason
suppression_entries                      gauge      status
suppression_entries_without_identities   gauge
suppression_loaded                       gauge
erasure_oldest_pending_timestamp_seconds gauge
""".splitlines()
]


def families() -> dict[str, Family | Histogram]:
    return {family.name: family for family in Catalogue()}


@pytest.mark.parametrize(("name", "kind", "labels"), [(one[0], one[1], one[2:]) for one in METRICS])
def test_a_promised_metric_is_there(name: str, kind: str, labels: list[str]) -> None:
    family = families()[name]

    assert family.kind == kind
    assert list(family.labels) == labels


def test_names_are_unique() -> None:
    names = Counter(family.name for family in Catalogue())

    assert names.most_common(1)[0][1] == 1


def test_a_catalogue_shares_no_numbers_with_another() -> None:
    one, other = Catalogue(), Catalogue()
    one.pending_rows.set(5)

    assert other.pending_rows.values == {}


def test_total_ends_counters_and_nothing_else() -> None:
    for family in Catalogue():
        assert family.name.endswith("_total") == (family.kind == "counter"), family.name


def test_names_and_labels_are_plain() -> None:
    for family in Catalogue():
        for word in (family.name, *family.labels):
            assert re.fullmatch(r"[a-z][a-z_]*[a-z]", word), word
        assert family.text.endswith("."), family.name


def test_no_label_could_hold_a_person_or_a_position() -> None:
    labels = {label for family in Catalogue() for label in family.labels}

    assert labels.isdisjoint({"profile", "profile_id", "email", "phone", "id", "offset", "key"})


def test_buckets_rise() -> None:
    for family in Catalogue():
        if isinstance(family, Histogram):
            assert list(family.buckets) == sorted(set(family.buckets)), family.name
