"""The rules, their unit tests and their pages, read as data: for tests that hold them together.

Knows the files of deploy/prometheus and docs/runbooks, and as much of PromQL as names and labels are.
"""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml

ROOT = Path(__file__).parents[3]
PROMETHEUS = ROOT / "deploy" / "prometheus"
ALERTMANAGER = ROOT / "deploy" / "alertmanager"
RUNBOOKS = ROOT / "docs" / "runbooks"
RULES = sorted((PROMETHEUS / "rules").glob("*.yaml"))
UNIT_TESTS = sorted((PROMETHEUS / "tests").glob("*.yaml"))

_SELECTOR = re.compile(
    r"\b(?P<name>tiktok_connector_\w+|job:\w+(?::\w+)?|up|process_\w+)\b"
    r"(?P<matchers>\{[^}]*\})?"
)
_MATCHER = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)")
_LISTED = re.compile(r"\b(?:by|on) \(([^)]*)\)")


class Selector(NamedTuple):
    """A metric's name in an expression, with its matchers as written; "" without."""

    name: str
    matchers: str

    @property
    def labels(self) -> set[str]:
        return set(_MATCHER.findall(re.sub(r'"[^"]*"', "", self.matchers)))


class Rule(NamedTuple):
    """One rule, as its file has it."""

    group: str
    content: dict[str, Any]

    @property
    def name(self) -> str:
        return str(self.content.get("alert") or self.content["record"])

    @property
    def expression(self) -> str:
        return str(self.content["expr"])

    @property
    def severity(self) -> str:
        return str(self.content["labels"]["severity"])

    @property
    def selectors(self) -> list[Selector]:
        return selectors(self.expression)


def selectors(expression: str) -> list[Selector]:
    """Every selector in an expression."""
    return [Selector(one["name"], one["matchers"] or "") for one in _SELECTOR.finditer(expression)]


def listed_labels(expression: str) -> set[str]:
    """The labels that an expression groups or joins by."""
    found = _LISTED.findall(expression)
    return {label.strip() for some in found for label in some.split(",")}


@cache
def rules() -> list[Rule]:
    """All rules of all files."""
    groups = [
        group for file in RULES for group in yaml.safe_load(file.read_text("utf-8"))["groups"]
    ]
    return [Rule(group["name"], rule) for group in groups for rule in group["rules"]]


def alerts() -> list[Rule]:
    return [one for one in rules() if "alert" in one.content]


def recordings() -> list[Rule]:
    return [one for one in rules() if "record" in one.content]


class Trial(NamedTuple):
    """What a unit test expects of an alert at a time: the severities that fire; none, and it is silent."""

    alert: str
    severities: frozenset[str]


def trials() -> Iterator[Trial]:
    """All that the unit tests expect of alerts."""
    for file in UNIT_TESTS:
        for test in yaml.safe_load(file.read_text("utf-8"))["tests"]:
            for one in test.get("alert_rule_test", ()):
                fired = one.get("exp_alerts", ())
                severities = frozenset(alert["exp_labels"]["severity"] for alert in fired)
                yield Trial(one["alertname"], severities)
