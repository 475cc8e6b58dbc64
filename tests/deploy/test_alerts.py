"""The alerts, held to promtool, to the code's metrics, and to their pages. All without a running Prometheus."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest
import yaml

from connector.core.outcome import Halted, Retryable
from connector.telemetry.catalogue import Catalogue
from connector.telemetry.events import ChangeEnd
from connector.telemetry.families import PREFIX, Histogram
from connector.tiktok.protocol import CODE_LABELS, classify
from tests import promtool
from tests.deploy.alerts.rules import (
    PROMETHEUS,
    ROOT,
    RULES,
    RUNBOOKS,
    UNIT_TESTS,
    Rule,
    alerts,
    listed_labels,
    recordings,
    rules,
    selectors,
    trials,
)

HEADINGS = ["What it means", "First look", "Fix"]
SEVERITIES = {"critical", "warning", "info"}
TARGETS = {"job", "instance"}
"""Labels that Prometheus adds."""

OTHERS = dict.fromkeys(("up", "process_start_time_seconds", "process_cpu_seconds_total"), TARGETS)
"""Metrics that are not the connector's own."""

by_rule = pytest.mark.parametrize("rule", rules(), ids=lambda one: f"{one.name}-{one.group}")
by_alert = pytest.mark.parametrize("alert", alerts(), ids=lambda one: f"{one.name}-{one.severity}")
by_name = pytest.mark.parametrize("name", sorted({one.name for one in alerts()}))


def _ids(files: list[Path]) -> list[str]:
    return [file.stem for file in files]


# promtool


def test_promtool_finds_the_configuration_right() -> None:
    done = promtool.run("check", "config", PROMETHEUS / "prometheus.yml")

    assert done.returncode == 0, done.stdout.decode()
    assert "2 rule files found" in done.stdout.decode()


def test_promtool_finds_the_rules_right_and_free_of_doubles() -> None:
    done = promtool.run("check", "rules", "--lint=all", "--lint-fatal", *RULES)

    assert done.returncode == 0, done.stdout.decode()


@pytest.mark.parametrize("file", UNIT_TESTS, ids=_ids(UNIT_TESTS))
def test_the_rules_pass_their_unit_tests(file: Path) -> None:
    done = promtool.run("test", "rules", file)

    assert done.returncode == 0, done.stdout.decode()


@by_alert
def test_each_alert_is_seen_firing_and_silent(alert: Rule) -> None:
    expected = [one.severities for one in trials() if one.alert == alert.name]

    assert any(alert.severity in some for some in expected), "no unit test sees it fire"
    assert any(alert.severity not in some for some in expected), "no unit test sees it silent"


def test_an_alert_that_always_fires_fails_its_unit_tests(tmp_path: Path) -> None:
    """Or it would be silent there only because its time has not come."""
    (tmp_path / "rules").mkdir()
    for file in RULES:
        tree = yaml.safe_load(file.read_text("utf-8"))
        for group in tree["groups"]:
            group["rules"] = [
                {key: rule[key] for key in ("alert", "for", "labels")} | {"expr": "vector(1)"}
                for rule in group["rules"]
                if "alert" in rule
            ]
        (tmp_path / "rules" / file.name).write_text(yaml.safe_dump(tree))
    (tmp_path / "tests").mkdir()
    for file in UNIT_TESTS:
        text = file.read_text("utf-8")
        quicker = text.replace("evaluation_interval: 1m", "evaluation_interval: 5m")
        (tmp_path / "tests" / file.name).write_text(quicker)
    done = promtool.run("test", "rules", *sorted((tmp_path / "tests").iterdir()))
    fired_unexpectedly = re.findall(
        r"alertname: (\w+), time: \w+,\s+exp:\[\s*\]", done.stdout.decode()
    )

    assert done.returncode != 0
    assert set(fired_unexpectedly) == {one.name for one in alerts()}


# What an alert carries


@by_alert
def test_each_alert_says_how_urgent_it_is_and_does_not_flap(alert: Rule) -> None:
    assert alert.content["labels"].keys() == {"severity"}
    assert alert.severity in SEVERITIES
    assert alert.content["for"]
    assert alert.content["keep_firing_for"]
    assert alert.name.startswith("Connector")


@by_alert
def test_each_alert_leads_to_its_page_and_to_the_dashboard(alert: Rule) -> None:
    annotations = alert.content["annotations"]

    assert annotations.keys() == {"summary", "description", "runbook_url", "dashboard_url"}
    assert annotations["runbook_url"].endswith(f"/docs/runbooks/{alert.name}.md")
    assert "/d/tiktok-audience-connector?" in annotations["dashboard_url"]


@by_name
def test_each_page_has_its_three_parts(name: str) -> None:
    text = (RUNBOOKS / f"{name}.md").read_text("utf-8")

    assert text.startswith(f"# {name}\n")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == HEADINGS
    for part in re.split(r"^## .+$", text, flags=re.MULTILINE):
        assert part.strip(), "a part is empty"


def test_each_page_is_of_an_alert() -> None:
    assert {file.stem for file in RUNBOOKS.glob("*.md")} == {one.name for one in alerts()}


def test_each_query_in_a_page_is_right(tmp_path: Path) -> None:
    """Each line of a block is a query: promtool can read it, and its metrics are there."""
    queries = [
        line
        for page in sorted(RUNBOOKS.glob("*.md"))
        for block in re.findall(
            r"^```promql\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL
        )
        for line in block.splitlines()
    ]
    named = [{"record": f"job:query_{n}:x", "expr": one} for n, one in enumerate(queries)]
    file = tmp_path / "queries.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "pages", "rules": named}]}))
    done = promtool.run("check", "rules", file)

    assert len(queries) > 30
    assert done.returncode == 0, done.stdout.decode()
    for query in queries:
        _assert_known(query)


def test_the_overview_lists_each_alert_with_its_severity() -> None:
    text = (ROOT / "docs" / "alerts.md").read_text("utf-8")
    listed = set(re.findall(r"^\| \[(\w+)\]\(runbooks/\1\.md\) \| (\w+) \|", text, re.MULTILINE))

    assert listed == {(one.name, one.severity) for one in alerts()}


# Metrics


def _known() -> Mapping[str, set[str]]:
    """The labels of each series that there is, by its name in full."""
    found: dict[str, set[str]] = {name: set(labels) for name, labels in OTHERS.items()}
    for one in Catalogue():
        labels = {*one.labels, *TARGETS}
        if isinstance(one, Histogram):
            found[f"{PREFIX}{one.name}_bucket"] = {*labels, "le"}
            found[f"{PREFIX}{one.name}_count"] = found[f"{PREFIX}{one.name}_sum"] = labels
        else:
            found[f"{PREFIX}{one.name}"] = labels
    for recording in recordings():
        found[recording.name] = {"job"}
    return found


def _assert_known(expression: str) -> None:
    """Whether each metric of an expression is there, with the labels that it names."""
    known = _known()
    found = selectors(expression)
    assert found
    for one in found:
        assert one.name in known, f"there is no metric {one.name}"
        labels = one.labels | listed_labels(expression)
        assert labels <= known[one.name], f"{one.name} has no such label: {labels}"


@by_rule
def test_each_rule_asks_for_metrics_and_labels_that_there_are(rule: Rule) -> None:
    _assert_known(rule.expression)


@by_rule
def test_each_rule_keeps_the_job_apart(rule: Rule) -> None:
    assert "job" in listed_labels(rule.expression) or all(
        one.name.startswith("job:") or "job=" in one.matchers for one in rule.selectors
    )


def test_the_rules_look_for_the_job_that_is_scraped() -> None:
    tree = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text("utf-8"))
    jobs = {one["job_name"] for one in tree["scrape_configs"]}
    sought = {one for rule in rules() for one in re.findall(r'job="([^"]+)"', rule.expression)}

    assert sought == jobs


@pytest.mark.parametrize("rule", recordings(), ids=lambda one: one.name)
def test_each_recording_is_what_its_name_says(rule: Rule) -> None:
    window = re.search(r":\w*?rate(\w+)$", rule.name)
    used = {one.name for other in alerts() for one in other.selectors}
    unit_tests = (PROMETHEUS / "tests" / "recording.yaml").read_text("utf-8")

    assert set(re.findall(r"\[(\w+)\]", rule.expression)) == ({window[1]} if window else set())
    assert rule.name in used
    assert rule.name in unit_tests


def _matched(alert: str, label: str, values: Iterable[str]) -> set[str]:
    """Those of the values that the alert's matchers of this label let through."""
    (rule,) = (one for one in alerts() if one.name == alert)
    matchers = re.findall(rf'{label}(=~|!~)"([^"]+)"', rule.expression)
    assert matchers
    return {
        value
        for value in values
        if all(bool(re.fullmatch(text, value)) == (how == "=~") for how, text in matchers)
    }


def _codes(reasons: set[str]) -> set[str]:
    """The metric's values of `code` that mean one of these reasons."""
    outcomes = {
        label: classify(200, b'{"code":%d}' % int(label))
        for label in CODE_LABELS
        if label.isdigit()
    }
    return {
        label
        for label, one in outcomes.items()
        if isinstance(one, Halted | Retryable) and one.reason in reasons
    }


def test_a_rejected_token_is_every_code_that_means_one() -> None:
    assert _matched("ConnectorTokenRejected", "code", CODE_LABELS) == _codes({"token_refused"})


def test_too_many_calls_is_every_code_that_means_it() -> None:
    limits = {"rate_limited", "advertiser_rate_limited", "source_rate_limited"}

    assert _matched("ConnectorRateLimited", "code", CODE_LABELS) == _codes(limits)


def test_every_end_of_a_change_but_the_handing_over_counts_for_the_objective() -> None:
    rule = next(one for one in recordings() if "delivery_errors" in one.name)
    bad, ended = re.findall(r'outcome=~?"([^"]+)"', rule.expression)

    assert bad == ChangeEnd.DEAD_LETTERED
    assert set(ended.split("|")) == set(ChangeEnd) - {ChangeEnd.HANDED_OVER}


def test_the_bound_of_freshness_is_a_bucket() -> None:
    rule = next(one for one in recordings() if "late_deliveries" in one.name)
    (pattern,) = re.findall(r'le=~"([^"]+)"', rule.expression)
    bounds = [str(one) for one in Catalogue().delivery_latency_seconds.buckets]

    assert [one for one in bounds if re.fullmatch(pattern, one)] == ["60.0"]
