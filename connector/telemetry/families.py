"""Metric families as plain numbers, published at scrape.

Owns counting: an addition costs a dictionary access, not a labelled child's lock. Knows no metric by name;
the catalogue does.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

PREFIX = "tiktok_connector_"

Labels = tuple[str, ...]


class Family:
    """A counter or a gauge: numbers by label values."""

    def __init__(self, name: str, kind: str, labels: Sequence[str], text: str) -> None:
        self.name = name
        self.kind = kind
        self.labels = tuple(labels)
        self.text = text
        self.values: dict[Labels, float] = {}

    def add(self, amount: float, *labels: str) -> None:
        self.values[labels] = self.values.get(labels, 0) + amount

    def set(self, value: float, *labels: str) -> None:
        self.values[labels] = value

    def ensure(self, *labels: str) -> None:
        """Let the series exist before anything happened, so that a rate sees its first step."""
        self.values.setdefault(labels, 0)

    def clear(self) -> None:
        """Forget all series: for gauges of what may go away."""
        self.values.clear()

    def collect(self) -> Metric:
        maker = CounterMetricFamily if self.kind == "counter" else GaugeMetricFamily
        name = self.name.removesuffix("_total") if self.kind == "counter" else self.name
        metric = maker(PREFIX + name, self.text, labels=self.labels)
        for labels, value in self.values.items():
            metric.add_metric(labels, value)
        return metric


class Histogram:
    """Observations by label values in fixed buckets."""

    kind = "histogram"

    def __init__(
        self, name: str, labels: Sequence[str], buckets: Sequence[float], text: str
    ) -> None:
        self.name = name
        self.labels = tuple(labels)
        self.text = text
        self.buckets = tuple(buckets)
        self._counts: dict[Labels, list[int]] = {}
        self._sums: dict[Labels, float] = {}

    def ensure(self, *labels: str) -> None:
        self._counts.setdefault(labels, [0] * (len(self.buckets) + 1))
        self._sums.setdefault(labels, 0.0)

    def observe(self, value: float, *labels: str) -> None:
        self.ensure(*labels)
        self._counts[labels][bisect_left(self.buckets, value)] += 1
        self._sums[labels] += value

    def observe_all(self, values: list[float], *labels: str) -> None:
        """Observe many at once: sorting them costs less than placing each."""
        self.ensure(*labels)
        values.sort()
        counts = self._counts[labels]
        ends = [bisect_right(values, bound) for bound in self.buckets]
        for index, (start, end) in enumerate(pairwise((0, *ends, len(values)))):
            counts[index] += end - start
        self._sums[labels] += sum(values)

    def count(self, *labels: str) -> int:
        return sum(self._counts.get(labels, ()))

    def collect(self) -> Metric:
        metric = HistogramMetricFamily(PREFIX + self.name, self.text, labels=self.labels)
        for labels, counts in self._counts.items():
            metric.add_metric(labels, list(self._cumulative(counts)), self._sums[labels])
        return metric

    def _cumulative(self, counts: list[int]) -> Iterator[tuple[str, float]]:
        total = 0
        for bound, count in zip((*self.buckets, float("inf")), counts, strict=True):
            total += count
            # The library's own writing of a bound: 1e+06, not 1000000.0.
            yield floatToGoString(bound), total  # type: ignore[no-untyped-call]


class FamilyCollector(Collector):
    """Publishes families to prometheus-client at scrape."""

    def __init__(self, families: Iterable[Family | Histogram]) -> None:
        self._families = tuple(families)

    def collect(self) -> Iterator[Metric]:
        for family in self._families:
            yield family.collect()
