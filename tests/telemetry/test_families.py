"""Families publish what prometheus-client's own instruments would, whatever was counted."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge, disable_created_metrics
from prometheus_client import Histogram as TheirHistogram
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as openmetrics

from connector.telemetry.families import PREFIX, Family, FamilyCollector, Histogram

# Eighths add up exactly in any order, so that sums may be compared digit by digit.
NUMBERS = st.integers(-8_000_000, 8_000_000).map(lambda eighths: eighths / 8)
AMOUNTS = st.integers(0, 8_000_000).map(lambda eighths: eighths / 8)
LABELS = st.tuples(st.text(max_size=5), st.sampled_from(["add", "delete"]))
BUCKETS = st.sets(AMOUNTS, min_size=1, max_size=8).map(lambda bounds: tuple(sorted(bounds)))


def ours(family: Family | Histogram) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(FamilyCollector([family]))
    return registry


def assert_same(family: Family | Histogram, theirs: CollectorRegistry) -> None:
    mine = ours(family)
    assert generate_latest(mine) == generate_latest(theirs)
    assert openmetrics(mine) == openmetrics(theirs)  # type: ignore[no-untyped-call]


def setup_module() -> None:
    disable_created_metrics()  # type: ignore[no-untyped-call]


@given(st.lists(st.tuples(LABELS, AMOUNTS)))
def test_a_counter(additions: list[tuple[tuple[str, str], float]]) -> None:
    registry = CollectorRegistry()
    theirs = Counter(PREFIX + "rows_total", "Rows.", ["topic", "action"], registry=registry)
    mine = Family("rows_total", "counter", ["topic", "action"], "Rows.")
    for labels, amount in additions:
        theirs.labels(*labels).inc(amount)
        mine.add(amount, *labels)

    assert_same(mine, registry)


@given(st.lists(st.tuples(LABELS, NUMBERS)))
def test_a_gauge(values: list[tuple[tuple[str, str], float]]) -> None:
    registry = CollectorRegistry()
    theirs = Gauge(PREFIX + "lag_records", "Lag\nin \\ records.", ["a", "b"], registry=registry)
    mine = Family("lag_records", "gauge", ["a", "b"], "Lag\nin \\ records.")
    for labels, value in values:
        theirs.labels(*labels).set(value)
        mine.set(value, *labels)

    assert_same(mine, registry)


@given(BUCKETS, st.lists(st.tuples(LABELS, NUMBERS)))
def test_a_histogram(buckets: Sequence[float], values: list[tuple[tuple[str, str], float]]) -> None:
    registry = CollectorRegistry()
    theirs = TheirHistogram(
        PREFIX + "wait_seconds", "Wait.", ["a", "b"], registry=registry, buckets=buckets
    )
    mine = Histogram("wait_seconds", ["a", "b"], buckets, "Wait.")
    for labels, value in values:
        theirs.labels(*labels).observe(value)
        mine.observe(value, *labels)

    assert_same(mine, registry)
    for labels in {labels for labels, _ in values}:
        assert mine.count(*labels) == sum(labels == other for other, _ in values)


@given(BUCKETS, st.lists(NUMBERS))
def test_observing_all_is_observing_each(buckets: Sequence[float], values: list[float]) -> None:
    # Bounds themselves are the values that are easiest to count on the wrong side.
    values = [*values, *buckets]
    together = Histogram("wait_seconds", ["topic"], buckets, "Wait.")
    each = Histogram("wait_seconds", ["topic"], buckets, "Wait.")
    together.observe_all(list(values), "t")
    for value in values:
        each.observe(value, "t")

    assert generate_latest(ours(together)) == generate_latest(ours(each))


def test_a_family_without_labels() -> None:
    registry = CollectorRegistry()
    Gauge(PREFIX + "pending_rows", "Pending.", registry=registry).set(7)
    TheirHistogram(PREFIX + "lag_seconds", "Lag.", registry=registry, buckets=(0.5,)).observe(0.5)
    gauge = Family("pending_rows", "gauge", [], "Pending.")
    gauge.set(7)
    histogram = Histogram("lag_seconds", [], [0.5], "Lag.")
    histogram.observe(0.5)
    both = CollectorRegistry()
    both.register(FamilyCollector([gauge, histogram]))

    assert generate_latest(both) == generate_latest(registry)


def test_a_series_can_exist_before_anything_happened() -> None:
    counter = Family("rows_total", "counter", ["topic"], "Rows.")
    counter.add(3, "busy")
    counter.ensure("busy")
    counter.ensure("idle")
    histogram = Histogram("rows", ["topic"], [1.0], "Rows.")
    histogram.ensure("idle")

    assert counter.values == {("busy",): 3, ("idle",): 0}
    assert b'tiktok_connector_rows_count{topic="idle"} 0.0' in generate_latest(ours(histogram))


def test_a_cleared_gauge_has_no_series() -> None:
    gauge = Family("lag_records", "gauge", ["topic"], "Lag.")
    gauge.set(3, "t")
    gauge.clear()

    assert b"{" not in generate_latest(ours(gauge))
