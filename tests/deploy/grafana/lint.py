"""What every dashboard of ours holds to: a rule is a function from the dashboard's JSON to complaints.

The rules are those of Grafana's own linter for mixins, as far as they are about such a dashboard, and some that need
the catalogue: no metric and no label that there is not. One differs: a job's "All" is the list, not `.+`, for other
programs have an `up` and processes, too.
"""

import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from prometheus_client import ProcessCollector

from connector.telemetry.catalogue import Catalogue
from connector.telemetry.families import PREFIX, Family, Histogram
from tests.deploy.grafana.reading import GROUPING, SELECTOR, panels, targets

Rule = Callable[[dict[str, Any]], Iterable[str]]

_SOURCE = "${datasource}"
_MATCHERS = ('job=~"$job"', 'instance=~"$instance"')
_COLUMNS = 24
_EVERYWHERE = frozenset({"job", "instance"})
_AGGREGATES = frozenset({"sum", "min", "max", "topk"})
_FUNCTIONS = frozenset({"time", "rate", "increase", "last_over_time", "histogram_quantile"})
_WORDS = _AGGREGATES | _FUNCTIONS | {"or", "and", "unless", "offset"}


def is_not_for_editing(tree: dict[str, Any]) -> Iterator[str]:
    if tree.get("editable") is not False:
        yield "what is edited in Grafana is overwritten: make it uneditable"


def picks_its_source(tree: dict[str, Any]) -> Iterator[str]:
    variable = _variables(tree).get("datasource", {})
    if (variable.get("type"), variable.get("query")) != ("datasource", "prometheus"):
        yield "there is no variable `datasource` for a Prometheus"
    for panel in panels(tree):
        for one in (panel, *panel.get("targets", ())):
            if one.get("datasource", {}).get("uid") != _SOURCE:
                yield f"{panel.get('title')}: its data source is not {_SOURCE}"


def picks_jobs_and_instances(tree: dict[str, Any]) -> Iterator[str]:
    for name in ("job", "instance"):
        wanted = {
            "type": "query",
            "label": name.capitalize(),
            "multi": True,
            "includeAll": True,
            "refresh": 2,
        }
        variable = _variables(tree).get(name, {})
        for key, value in wanted.items():
            if variable.get(key) != value:
                yield f"variable {name}: {key} is {variable.get(key)}, not {value}"
        if variable.get("datasource", {}).get("uid") != _SOURCE:
            yield f"variable {name}: its data source is not {_SOURCE}"


def matches_jobs_and_instances(tree: dict[str, Any]) -> Iterator[str]:
    for one in targets(tree):
        for name, matchers in SELECTOR.findall(one.expression):
            for wanted in _MATCHERS:
                if wanted not in matchers:
                    yield f"{one.panel}: {name} without {wanted}"
        for name in _bare_words(one.expression):
            yield f"{one.panel}: {name} without matchers, or a function that the rules do not know"


def says_what_it_shows(tree: dict[str, Any]) -> Iterator[str]:
    for panel in panels(tree):
        for key in ("title", "description"):
            if not panel.get(key):
                yield f"panel {panel.get('id')}: no {key}"
    for name, times in Counter(_places(tree)).items():
        if times > 1:
            yield f"{name}: {times} panels of this title in one row"


def has_units(tree: dict[str, Any]) -> Iterator[str]:
    for panel in panels(tree):
        if not panel["fieldConfig"]["defaults"].get("unit"):
            yield f"{panel['title']}: no unit"


def rates_over_grafanas_interval(tree: dict[str, Any]) -> Iterator[str]:
    for one in targets(tree):
        expression = SELECTOR.sub(r"\1", one.expression)
        for window in re.findall(r"\bi?rate\(\w+\[([^\]]*)\]", expression):
            if window != "$__rate_interval":
                yield f"{one.panel}: a rate over {window}, not $__rate_interval"


def names_its_queries(tree: dict[str, Any]) -> Iterator[str]:
    for panel in panels(tree):
        names = [one.get("refId") for one in panel.get("targets", ())]
        if not names:
            yield f"{panel['title']}: no query"
        if not all(names) or len(set(names)) < len(names):
            yield f"{panel['title']}: queries without a refId of their own"
    ids = Counter(one.get("id") for one in tree["panels"])
    for number, times in ids.items():
        if number is None or times > 1:
            yield f"panel id {number}: {times} times"


def fits_the_grid(tree: dict[str, Any]) -> Iterator[str]:
    for one in tree["panels"]:
        if one["gridPos"]["x"] + one["gridPos"]["w"] > _COLUMNS:
            yield f"{one['title']}: wider than the dashboard"
    for one, other in itertools.combinations(tree["panels"], 2):
        if _overlap(one["gridPos"], other["gridPos"]):
            yield f"{one['title']} and {other['title']} overlap"


def shows_metrics_that_there_are(tree: dict[str, Any]) -> Iterator[str]:
    known = known_series()
    for one in targets(tree):
        for name in one.metrics - known.keys():
            yield f"{one.panel}: there is no metric {name}"


def uses_labels_that_there_are(tree: dict[str, Any]) -> Iterator[str]:
    known = known_series()
    for one in targets(tree):
        grouped = {
            label
            for some in GROUPING.findall(one.expression)
            for label in some.split(", ")
            if label
        }
        there = _EVERYWHERE.union(*(known.get(name, ()) for name in one.metrics))
        for label in grouped - there:
            yield f"{one.panel}: no metric of the query has the label {label}"
        for label in set(re.findall(r"\{\{(\w+)\}\}", one.legend)) - grouped:
            yield f"{one.panel}: the legend names {label}, which the query does not keep"
        for name, matchers in SELECTOR.findall(one.expression):
            for label in re.findall(r"(\w+)(?:=~|!~|!=|=)", matchers):
                if label not in {*known.get(name, ()), *_EVERYWHERE}:
                    yield f"{one.panel}: {name} has no label {label}"


RULES: tuple[Rule, ...] = (
    is_not_for_editing,
    picks_its_source,
    picks_jobs_and_instances,
    matches_jobs_and_instances,
    says_what_it_shows,
    has_units,
    rates_over_grafanas_interval,
    names_its_queries,
    fits_the_grid,
    shows_metrics_that_there_are,
    uses_labels_that_there_are,
)


def known_series() -> Mapping[str, frozenset[str]]:
    """Every series that a connector may have, with its labels."""
    found = {"up": frozenset[str]()}
    for metric in ProcessCollector(registry=None).collect():
        found |= {sample.name: frozenset(sample.labels) for sample in metric.samples}
    for family in Catalogue():
        found |= {f"{PREFIX}{name}": labels for name, labels in _series_of(family)}
    return found


def _series_of(family: Family | Histogram) -> Iterator[tuple[str, frozenset[str]]]:
    labels = frozenset(family.labels)
    if isinstance(family, Histogram):
        yield f"{family.name}_bucket", labels | {"le"}
        yield f"{family.name}_sum", labels
        yield f"{family.name}_count", labels
    else:
        yield family.name, labels


def _variables(tree: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in tree["templating"]["list"]}


def _bare_words(expression: str) -> Iterator[str]:
    """What is left of a query without selectors, windows, groupings and known words."""
    for pattern in (SELECTOR, GROUPING, re.compile(r"\[[^\]]*\]|\$\w+")):
        expression = pattern.sub(" ", expression)
    return (word for word in re.findall(r"[a-zA-Z_:][\w:]*", expression) if word not in _WORDS)


def _places(tree: dict[str, Any]) -> Iterator[str]:
    row = ""
    for one in tree["panels"]:
        if one["type"] == "row":
            row = one["title"]
        else:
            yield f"{row} / {one.get('title')}"


def _overlap(one: dict[str, int], other: dict[str, int]) -> bool:
    return (
        one["x"] < other["x"] + other["w"]
        and other["x"] < one["x"] + one["w"]
        and one["y"] < other["y"] + other["h"]
        and other["y"] < one["y"] + one["h"]
    )
