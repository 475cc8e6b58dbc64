"""The dashboard's JSON: made from its code, clean by the rules, and about what there is."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from connector.core.outcome import Halted
from connector.telemetry.catalogue import Catalogue
from connector.telemetry.families import PREFIX, Histogram
from connector.tiktok.protocol import CODE_LABELS, classify
from deploy.grafana.dashboard import PATH, ROWS, dashboard_json
from deploy.grafana.rows.calls import REFUSED_TOKENS
from tests import promtool
from tests.deploy.grafana import lint
from tests.deploy.grafana.lint import RULES, Rule
from tests.deploy.grafana.reading import dashboard, filled, panels, targets

ROOT = Path(__file__).parents[3]
PROVISIONING = ROOT / "deploy" / "grafana" / "provisioning"


def test_the_committed_json_is_the_codes() -> None:
    assert PATH.read_text("utf-8") == dashboard_json(), (
        "run python -m deploy.grafana, and commit what it writes"
    )


def test_grafanas_own_types_know_every_field() -> None:
    register_default_plugins()
    encoder = JSONEncoder(sort_keys=True, indent=2)

    assert json.loads(encoder.encode(Dashboard.from_json(dashboard()))) == dashboard()


@pytest.mark.parametrize("rule", RULES)
def test_the_dashboard_keeps_the_rule(rule: Rule) -> None:
    complaints = list(rule(dashboard()))

    assert not complaints, "\n" + "\n".join(complaints)


def _with_panel(**changes: Any) -> Callable[[dict[str, Any]], object]:
    return lambda tree: panels(tree)[0].update(changes)


def _with_query(expression: str, legend: str = "") -> Callable[[dict[str, Any]], object]:
    change = {"expr": expression, "legendFormat": legend}
    return lambda tree: panels(tree)[0]["targets"][0].update(change)


PICKED = 'job=~"$job", instance=~"$instance"'

BREAKS: tuple[tuple[Rule, Callable[[dict[str, Any]], object]], ...] = (
    (lint.is_not_for_editing, lambda tree: tree.update(editable=True)),
    (lint.picks_its_source, _with_panel(datasource={"type": "prometheus", "uid": "mine"})),
    (lint.picks_its_source, lambda tree: tree["templating"]["list"].pop(0)),
    (lint.picks_jobs_and_instances, lambda tree: tree["templating"]["list"].pop()),
    (lint.matches_jobs_and_instances, _with_query('sum(up{job=~"$job"})')),
    (lint.matches_jobs_and_instances, _with_query("sum(up)")),
    (lint.says_what_it_shows, _with_panel(title="")),
    (lint.says_what_it_shows, _with_panel(description="")),
    (lint.says_what_it_shows, _with_panel(title="Replicas down")),
    (lint.has_units, _with_panel(fieldConfig={"defaults": {}})),
    (lint.rates_over_grafanas_interval, _with_query(f"rate(up{{{PICKED}}}[5m])")),
    (lint.names_its_queries, _with_panel(targets=[{"expr": "up"}])),
    (lint.names_its_queries, _with_panel(targets=[])),
    (lint.names_its_queries, _with_panel(id=1)),
    (lint.fits_the_grid, _with_panel(gridPos={"x": 22, "y": 1, "w": 4, "h": 4})),
    (lint.fits_the_grid, _with_panel(gridPos={"x": 3, "y": 1, "w": 4, "h": 4})),
    (lint.shows_metrics_that_there_are, _with_query(f"{PREFIX}records{{{PICKED}}}")),
    (lint.uses_labels_that_there_are, _with_query(f"sum by (topics) (up{{{PICKED}}})")),
    (lint.uses_labels_that_there_are, _with_query(f"sum(up{{{PICKED}}})", "{{instance}}")),
    (lint.uses_labels_that_there_are, _with_query(f'up{{{PICKED}, topic="x"}}')),
)


@pytest.mark.parametrize(("rule", "spoil"), BREAKS)
def test_each_rule_can_fail(rule: Rule, spoil: Callable[[dict[str, Any]], object]) -> None:
    tree = dashboard()
    spoil(tree)

    assert list(rule(tree))


def test_each_rule_is_shown_to_fail() -> None:
    assert {rule for rule, _ in BREAKS} == set(RULES)


def test_every_query_is_promql(tmp_path: Path) -> None:
    rules = [
        {"record": "job:query:value", "expr": filled(one.expression, 60, 3600)}
        for one in targets(dashboard())
    ]
    file = tmp_path / "rules.yaml"
    groups = [{"name": f"query {n}", "rules": [one]} for n, one in enumerate(rules)]
    file.write_text(yaml.safe_dump({"groups": groups}))
    done = promtool.run("check", "rules", "--lint=none", file)

    assert done.returncode == 0, done.stdout.decode()


def test_every_metric_of_the_catalogue_is_shown() -> None:
    shown = set().union(*(one.metrics for one in targets(dashboard())))
    for family in Catalogue():
        name = PREFIX + family.name
        names = {f"{name}_bucket"} if isinstance(family, Histogram) else {name}
        assert names & shown, f"{name} is on no panel: give it one in deploy/grafana/rows"


def test_the_rows_are_in_the_order_of_the_flow() -> None:
    titles = [one["title"] for one in dashboard()["panels"] if one["type"] == "row"]

    assert titles == [row.title for row in ROWS]
    assert titles[:2] == ["Is it healthy?", "Kafka in"]


def test_every_alert_that_a_panel_names_has_a_runbook() -> None:
    named = {alert for row in ROWS for panel in row.panels for alert in panel.alerts}
    there = {path.stem for path in (ROOT / "docs" / "runbooks").glob("Connector*.md")}

    assert named
    assert not named - there, "the dashboard sends people to runbooks that there are not"
    assert not there - named, "name these on the panels that show what they watch"


def test_every_code_that_refuses_a_token_is_on_its_panel() -> None:
    refused = {"token_refused", "no_permission", "not_allow_listed"}
    wanted, unwanted = (re.findall('"(.*)"', one)[0] for one in REFUSED_TOKENS)
    for code in (one for one in CODE_LABELS if one.isdecimal()):
        outcome = classify(200, b'{"code":%d}' % int(code))
        is_shown = bool(re.fullmatch(wanted, code)) and not re.fullmatch(unwanted, code)
        assert is_shown == (isinstance(outcome, Halted) and outcome.reason in refused), code


def test_the_provisioned_source_is_the_one_of_compose() -> None:
    tree = yaml.safe_load((PROVISIONING / "datasources" / "prometheus.yaml").read_text())
    (source,) = tree["datasources"]

    assert (source["uid"], source["type"], source["isDefault"]) == (
        "prometheus",
        "prometheus",
        True,
    )
    assert source["url"] == "http://prometheus:9090"


def test_the_source_knows_how_often_prometheus_scrapes() -> None:
    source = yaml.safe_load((PROVISIONING / "datasources" / "prometheus.yaml").read_text())
    scraping = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text())

    interval = source["datasources"][0]["jsonData"]["timeInterval"]
    assert interval == scraping["global"]["scrape_interval"]


def test_the_alerts_lead_to_this_dashboard() -> None:
    alerts = (ROOT / "deploy" / "prometheus" / "rules" / "alerts.yaml").read_text()

    assert set(re.findall(r"/d/([\w-]+)", alerts)) == {dashboard()["uid"]}


def test_the_provisioned_folder_is_where_the_json_is_mounted() -> None:
    tree = yaml.safe_load((PROVISIONING / "dashboards" / "files.yaml").read_text())
    (provider,) = tree["providers"]

    assert provider["type"] == "file"
    assert provider["options"]["path"] == "/var/lib/grafana/dashboards"
    assert provider["allowUiUpdates"] is False
