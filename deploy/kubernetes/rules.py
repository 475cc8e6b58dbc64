"""Writes base/prometheus-rule.yaml: the rules of deploy/prometheus as the Prometheus Operator wants them.

    python -m deploy.kubernetes.rules

Owns the wrapping, and no rule: a test compares the file with what this makes of the rules that are there.
kustomize cannot do it: it reads no file outside of its folder, and nests none in another.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

RULES = Path(__file__).parents[1] / "prometheus" / "rules"
WRAPPED = Path(__file__).parent / "base" / "prometheus-rule.yaml"

_HEAD = """\
# Made from deploy/prometheus/rules by python -m deploy.kubernetes.rules: change them there.
"""

_NAME = "tiktok-connector"


class _Dumper(yaml.SafeDumper):
    """Writes a text of several lines as one reads it."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: FBT001, FBT002, ARG002
        """Indent a list below its key, as the other manifests do."""
        super().increase_indent(flow, indentless=False)


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style)


_Dumper.add_representer(str, _text)


def wrapped(files: Iterable[Path]) -> str:
    """One PrometheusRule with the groups of all files, in the order of their names."""
    groups: list[Any] = []
    for file in sorted(files):
        groups += yaml.safe_load(file.read_text("utf-8"))["groups"]
    rule = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": _NAME, "labels": {"app.kubernetes.io/name": _NAME}},
        "spec": {"groups": groups},
    }
    return _HEAD + yaml.dump(rule, Dumper=_Dumper, sort_keys=False, width=1000, allow_unicode=True)


if __name__ == "__main__":
    WRAPPED.write_text(wrapped(RULES.glob("*.yaml")), "utf-8")
