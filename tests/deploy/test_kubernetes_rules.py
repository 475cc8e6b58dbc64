"""The rules for the Prometheus Operator are those of deploy/prometheus, and no others."""

from pathlib import Path

import yaml

from deploy.kubernetes.rules import RULES, WRAPPED, wrapped


def test_the_wrapped_rules_are_made_from_the_rules_that_are_there() -> None:
    files = list(RULES.glob("*.yaml"))

    assert files
    assert WRAPPED.read_text("utf-8") == wrapped(files), (
        "deploy/kubernetes/base/prometheus-rule.yaml is old: python -m deploy.kubernetes.rules"
    )


def test_wrapping_changes_no_rule_and_leaves_none_out(tmp_path: Path) -> None:
    groups = [
        {"name": f"group-{number}", "rules": [{"record": "a:b", "expr": "up\n> 0\n"}]}
        for number in range(3)
    ]
    for name, some in (("b.yaml", groups[1:]), ("a.yaml", groups[:1])):
        (tmp_path / name).write_text(yaml.safe_dump({"groups": some}))

    rule = yaml.safe_load(wrapped(tmp_path.glob("*.yaml")))

    assert rule["kind"] == "PrometheusRule"
    assert rule["spec"] == {"groups": groups}
