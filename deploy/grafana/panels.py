"""What a panel is, as plain values: a question, its queries, and what to do about the answer.

Knows nothing of Grafana's JSON: that is deploy.grafana.classic.
"""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import NamedTuple

from deploy.grafana.promql import Query

# Units by Grafana's names.
COUNT = "short"
SECONDS = "s"
SHARE = "percentunit"
PER_SECOND = "cps"
CALLS_PER_SECOND = "reqps"
BYTES = "bytes"


@dataclass(frozen=True)
class Panel:
    """What all kinds have.

    Attributes:
        text: what it shows, and what to do.
        alerts: those that watch the same: each has a runbook of its name.
        nothing: what stands there when no query finds anything.
    """

    title: str
    text: str
    unit: str
    queries: Sequence[Query]
    _: KW_ONLY
    alerts: Sequence[str] = ()
    nothing: str = "No data"

    @property
    def description(self) -> str:
        runbooks = ", ".join(f"docs/runbooks/{alert}.md" for alert in self.alerts)
        return f"{self.text}\n\nRunbook: {runbooks}" if runbooks else self.text


@dataclass(frozen=True)
class Stat(Panel):
    """The present value of each query, large.

    Attributes:
        doubtful_from: from this value on it is orange; None for never.
        bad_from: from this value on it is red; None for never.
        words: what stands in place of a value.
    """

    _: KW_ONLY
    doubtful_from: float | None = None
    bad_from: float | None = None
    words: Sequence[tuple[int, str]] = ()


@dataclass(frozen=True)
class Graph(Panel):
    """Lines over time.

    Attributes:
        stacked: the lines are parts of one sum.
        limit: a value to draw a red line at; None without.
    """

    _: KW_ONLY
    stacked: bool = False
    limit: float | None = None


@dataclass(frozen=True)
class States(Panel):
    """0 and 1 over time, a bar for each series: 1 is trouble."""

    _: KW_ONLY
    words: tuple[str, str]


@dataclass(frozen=True)
class Table(Panel):
    """The present series, a line each.

    Attributes:
        columns: labels, with the words that stand above them; the value's comes last, under `value`.
    """

    _: KW_ONLY
    columns: Sequence[tuple[str, str]]
    value: str


class Row(NamedTuple):
    """A question and the panels that answer it."""

    title: str
    panels: Sequence[Panel]
