"""The committed dashboard as the tests read it: its panels, their queries, and these without variables.

Knows Grafana's classic JSON, and nothing of the code that made it.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from deploy.grafana.dashboard import PATH
from tests.deploy.prometheus import JOB

SELECTOR = re.compile(r'([a-zA-Z_:][\w:]*)\{((?:[^}"]|"[^"]*")*)\}')
"""A metric's name, and its matchers."""

GROUPING = re.compile(r"\b(?:by|without|on|ignoring) \(([^)]*)\)")


class Target(NamedTuple):
    """One query of a panel, with Grafana's variables in it."""

    panel: str
    expression: str
    legend: str

    @property
    def metrics(self) -> set[str]:
        return {name for name, _ in SELECTOR.findall(self.expression)}


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(PATH.read_text("utf-8"))
    return found


def panels(tree: dict[str, Any]) -> list[dict[str, Any]]:
    """All that show something: rows are headings."""
    return [one for one in tree["panels"] if one["type"] != "row"]


def targets(tree: dict[str, Any]) -> Iterator[Target]:
    for panel in panels(tree):
        for one in panel.get("targets", ()):
            yield Target(panel.get("title", ""), one["expr"], one.get("legendFormat", ""))


def filled(expression: str, interval: int, shown: int) -> str:
    """The query as Grafana sends it, with everything picked.

    Args:
        interval: seconds of the window of rates.
        shown: seconds of the time that the dashboard shows.
    """
    for variable, value in (
        ("$__rate_interval", f"{interval}s"),
        ("$__range", f"{shown}s"),
        ("$job", JOB),
        ("$instance", ".+"),
    ):
        expression = expression.replace(variable, value)
    assert "$" not in expression, f"a variable is left in {expression}"
    return expression
