"""The series of a process: those there from its start, so that a rate sees the first step, and how many there can be."""

import asyncio
from functools import cached_property
from itertools import product
from typing import Any

import pytest

from connector.assembly import Parts
from connector.core.identity import DROP_REASONS, OTHER_SOURCE, UNMAPPED
from connector.core.kinds import Kind
from connector.core.letter import UNREADABLE_RECORD
from connector.core.model import Action, Partition
from connector.core.outcome import Retryable
from connector.formats.membership import MALFORMED_TIMESTAMP
from connector.replay.letters import REASONS
from connector.secret import Secret
from connector.settings.credentials import Secrets
from connector.settings.model import Settings
from connector.status import Status
from connector.telemetry.catalogue import Catalogue
from connector.telemetry.events import AUDIENCES, MAPPING, PROBE, ChangeEnd, RecordEnd
from connector.telemetry.families import Family, Histogram
from connector.tiktok.protocol import CODE_LABELS
from tests.test_repository import counted_reasons, outcomes

TOPICS, PARTITIONS, DESTINATIONS, AUDIENCES_EACH, SOURCES = 5, 60, 10, 200, 8
TARGETS = ("EMAIL_SHA256", "PHONE_SHA256", "IDFA_SHA256", "AAID_SHA256", "IDFA_MD5", "AAID_MD5")
SUPPRESSION = "suppression"

MOST_SERIES = 1000


def settings() -> Settings:
    """The largest configuration there is a reason for."""
    names = [f"account-{number}" for number in range(DESTINATIONS)]
    return Settings.model_validate(
        {
            "kafka": {
                "bootstrap_servers": "localhost:9092",
                "topics": [{"name": f"topic-{number}"} for number in range(TOPICS)],
                "dead_letter_topic": "letters",
            },
            "destinations": [
                {"name": name, "advertiser_id": str(7_000_000_000_000_000_001 + number)}
                for number, name in enumerate(names)
            ],
            "identities": [
                {"source": f"source-{number}", "target": TARGETS[number % len(TARGETS)]}
                for number in range(SOURCES)
            ],
            "routes": [
                {
                    "segment": f"segment-{account}-{number}",
                    "destination": name,
                    "audience_id": str(7_100_000_000_000_000_001 + account * 1000 + number),
                    "identities": ["EMAIL_SHA256"],
                }
                for (account, name), number in product(enumerate(names), range(AUDIENCES_EACH))
            ],
            "governance": {"require_consent": ["ads"], "suppression_topic": SUPPRESSION},
        }
    )


class Source:
    """Every partition is behind."""

    def lag(self, _: Partition) -> int:
        return 7


class LargestParts(Parts):
    """The service's own parts, but for the client of Kafka."""

    @cached_property
    def source(self) -> Any:
        return Source()


def parts() -> LargestParts:
    configured = settings()
    tokens = {one.name: Secret.constant("a-token") for one in configured.destinations}
    return LargestParts(configured, Secrets(tokens, None, {}), lambda: 1000.0, until_end=False)


@pytest.fixture(scope="module")
def fresh() -> Catalogue:
    """The metrics of a process that has just been put together."""

    async def make() -> Catalogue:
        return parts().metrics

    return asyncio.run(make())


def series(family: Family | Histogram) -> set[tuple[str, ...]]:
    """The label values of a family."""
    if isinstance(family, Histogram):
        return set(family._counts)
    return set(family.values)


def test_everything_about_each_topic_is_there_from_the_start(fresh: Catalogue) -> None:
    topics = {SUPPRESSION, *(f"topic-{number}" for number in range(TOPICS))}
    of_records = {reason for reason, stage in REASONS.items() if stage != "delivery"}
    assert UNREADABLE_RECORD in of_records

    assert series(fresh.records_consumed) == {(topic,) for topic in topics}
    assert series(fresh.delivery_latency_seconds) == {(topic,) for topic in topics}
    assert series(fresh.records) == {*product(topics, RecordEnd)}
    assert series(fresh.changes) == {*product(topics, ChangeEnd)}
    assert series(fresh.additions_blocked) == {*product(topics, ("no_consent", "suppressed"))}
    assert series(fresh.dead_letters) == {*product(topics, REASONS)}
    problems = {*of_records, MALFORMED_TIMESTAMP, *counted_reasons()}
    assert series(fresh.record_errors) == {*product(topics, problems)}


def test_everything_about_identifiers_is_there_from_the_start(fresh: Catalogue) -> None:
    sources = {f"source-{number}" for number in range(SOURCES)}
    reasons = {*DROP_REASONS} - {UNMAPPED}

    assert series(fresh.identifiers_usable) == {*product(sources, Kind)}
    assert series(fresh.identifiers_dropped) == {
        *product(sources, reasons),
        (OTHER_SOURCE, UNMAPPED),
    }
    assert series(fresh.identifiers_sent) == {*product(TARGETS, Action)}


def test_everything_about_calls_is_there_from_the_start(fresh: Catalogue) -> None:
    retries = {one.reason for one in outcomes() if isinstance(one, Retryable)}
    asking = ("0", "http_5xx", "timeout", "connection", "other")

    assert series(fresh.api_retries) == {*product([MAPPING], retries)}
    assert series(fresh.api_requests) == {
        *product([MAPPING, PROBE], CODE_LABELS),
        *product(AUDIENCES, asking),
    }
    assert series(fresh.api_request_duration_seconds) == {(MAPPING,), (PROBE,), *zip(AUDIENCES)}
    assert series(fresh.batches) == {*product([MAPPING], ("size", "bytes", "age", "drain"))}
    for family in (fresh.batch_rows, fresh.rate_limited, fresh.rate_limit_wait_seconds):
        assert series(family) == {(MAPPING,)}


def test_everything_about_the_process_is_there_from_the_start(fresh: Catalogue) -> None:
    assert list(fresh.build_info.values.values()) == [1]
    assert series(fresh.consumer_rebalances) == {("assigned",), ("revoked",)}
    assert series(fresh.offset_commits) == {("committed",), ("failed",)}
    assert series(fresh.event_loop_lag_seconds) == {()}


def test_nothing_is_counted_yet(fresh: Catalogue) -> None:
    counters = (one for one in fresh if isinstance(one, Family) and one.kind == "counter")

    assert not any(value for family in counters for value in family.values.values())


def test_the_largest_configuration_stays_below_a_thousand_series() -> None:
    """Everything has happened, and every gauge is there."""

    async def publish() -> Catalogue:
        running = parts()
        found = [
            Partition(f"topic-{number % TOPICS}", number // TOPICS) for number in range(PARTITIONS)
        ]
        assert len(list(running.backlog)) == DESTINATIONS * AUDIENCES_EACH
        running.checkpoint.assign(found)
        for partition in found:
            running.checkpoint.track(partition, 10, 0.0, 1)
        for audience in running.backlog:
            running.matched_users._told[audience.key] = (5, 1000.0)
        names = [one.name for one in settings().kafka.topics]
        metrics = running.metrics
        Status(
            running, [*names, SUPPRESSION], running.source, 20.0, lambda: 1000.0, lambda: 2e9
        ).publish(metrics)
        metrics.last_commit_timestamp_seconds.set(1.0)
        metrics.config_last_reload_successful.set(1.0)
        metrics.config_last_reload_success_timestamp_seconds.set(1.0)
        metrics.oldest_pending_change_timestamp_seconds.set(1.0)
        metrics.erasure_oldest_pending_timestamp_seconds.set(1.0)
        return metrics

    metrics = asyncio.run(publish())
    counts = {one.name: len(list(one.collect().samples)) for one in metrics}

    assert [name for name, count in counts.items() if not count] == []
    assert counts["consumer_lag_records"] == PARTITIONS
    assert counts["audience_halted"] == counts["audience_matched_users"] == 100
    assert sum(counts.values()) < MOST_SERIES, counts
