"""The alerts for real: connector, Prometheus and Alertmanager as they are, with the files of deploy/, up to a receiver.

What the copies of these files change: who is where, and how long one waits. Intervals are a second, `for` and
`keep_firing_for` some, so that a test does not take minutes. Expressions, labels, routes and inhibitions are the
files' own.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from tests.deploy.alerts.alertmanager import SECRET, Alertmanager, Notice, Receiver, copied_config
from tests.deploy.alerts.rules import PROMETHEUS, RULES, rules
from tests.deploy.loaded import MISSING_AUDIENCE, SERIES_PATIENCE, Loaded, loaded_connector
from tests.deploy.prometheus import Prometheus
from tests.end_to_end.deployment import free_port, until
from tests.kafka_broker import Cluster

pytestmark = pytest.mark.deploy

PATIENCE = 30.0  # seconds, for what takes about five


class Watched(NamedTuple):
    """A connector in trouble, and everything that watches it."""

    loaded: Loaded
    prometheus: Prometheus
    alertmanager: Alertmanager
    receiver: Receiver

    def notice(self, alert: str, status: str = "firing", **labels: str) -> Notice:
        """What the receiver is told of this alert, sooner or later."""
        what = f"{alert} to be {status}"
        until(lambda: self.receiver.find(alert, status, **labels) is not None, PATIENCE, what)
        found = self.receiver.find(alert, status, **labels)
        assert found is not None
        return found


def _prometheus_files(folder: Path, target: str, alertmanager: str) -> Path:
    """A copy of deploy/prometheus for this machine, in seconds in place of minutes."""
    config = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text("utf-8"))
    config["global"] = dict.fromkeys(config["global"], "1s")
    config["scrape_configs"][0]["static_configs"][0]["targets"] = [target]
    config["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"] = [alertmanager]
    (folder / "rules").mkdir(parents=True)
    for file in RULES:
        tree = yaml.safe_load(file.read_text("utf-8"))
        for rule in (rule for group in tree["groups"] for rule in group["rules"]):
            if "alert" in rule:
                rule.update({"for": "1s", "keep_firing_for": "5s"})
        (folder / "rules" / file.name).write_text(yaml.safe_dump(tree))
    path = folder / "prometheus.yml"
    path.write_text(yaml.safe_dump(config))
    return path


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory, broker: Cluster) -> Iterator[Watched]:
    folder = tmp_path_factory.mktemp("watched")
    port = free_port()
    with contextlib.ExitStack() as stack:
        loaded = stack.enter_context(
            loaded_connector(tmp_path_factory.mktemp("in-trouble"), broker)
        )
        receiver = stack.enter_context(contextlib.closing(Receiver()))
        rules_of = _prometheus_files(
            folder / "prom", f"127.0.0.1:{loaded.admin_port}", f"127.0.0.1:{port}"
        )
        # Whatever is firing is sent again each second, so that Alertmanager learns of it whenever it comes.
        prometheus = Prometheus(folder, rules_of, "--rules.alert.resend-delay=1s")
        stack.callback(prometheus.end)
        until(lambda: _knows_its_target(prometheus), PATIENCE, "Prometheus to find the connector")
        alertmanager = Alertmanager(folder, copied_config(folder / "am", receiver.root), port)
        stack.callback(alertmanager.end)
        yield Watched(loaded, prometheus, alertmanager, receiver)


def _knows_its_target(prometheus: Prometheus) -> bool:
    """Before that it finds the connector down: it looks for targets seconds after it began with the rules."""
    firing = {one["labels"]["alertname"] for one in prometheus.api("alerts")["alerts"]}
    return "ConnectorDown" not in firing and bool(prometheus.query("up == 1"))


def test_a_revoked_token_calls_somebody(watched: Watched) -> None:
    halted = watched.notice("ConnectorDestinationHalted", destination="apac")
    rejected = watched.notice("ConnectorTokenRejected", code="40105")

    assert halted.receiver == rejected.receiver == "on-call"
    assert halted.authorization == f"Bearer {SECRET}"
    assert halted.labels["job"] == "tiktok-connector"
    assert halted.annotations["summary"] == "TikTok refuses the calls of destination apac"
    assert halted.annotations["runbook_url"].endswith("/ConnectorDestinationHalted.md")
    assert watched.receiver.find("ConnectorDestinationHalted", destination="emea") is None


def test_a_deleted_audience_is_written_to_the_team(watched: Watched) -> None:
    notice = watched.notice("ConnectorAudienceHalted", audience=MISSING_AUDIENCE)

    assert notice.receiver == "team"
    assert notice.labels["destination"] == "emea"


def test_dead_letters_are_told_by_reason(watched: Watched) -> None:
    notices = [
        watched.notice("ConnectorDeadLetters", reason=reason)
        for reason in ("rejected", "malformed_json")
    ]

    assert {one.receiver for one in notices} == {"team"}
    assert {one.labels["topic"] for one in notices} == {watched.loaded.deployment.topic}


def test_a_killed_connector_is_all_that_is_told(watched: Watched) -> None:
    watched.notice("ConnectorDeadLetters", reason="rejected")
    watched.loaded.connector.process.kill()
    watched.loaded.connector.process.wait()
    down = watched.notice("ConnectorDown")
    states = {
        one["labels"]["alertname"]: one["status"]["state"] for one in watched.alertmanager.alerts()
    }

    assert down.receiver == "on-call"
    assert down.labels["severity"] == "critical"
    assert states.pop("ConnectorDown") == "active"
    assert "ConnectorDeadLetters" in states
    assert set(states.values()) == {"suppressed"}


def test_a_connector_that_is_back_is_told_too(watched: Watched) -> None:
    watched.loaded.deployment.run()
    notice = watched.notice("ConnectorDown", "resolved")

    assert notice.receiver == "on-call"


def _selectors() -> list[str]:
    """Every selector of the rules, as written."""
    found = {
        f"{one.name}{one.matchers}"
        for rule in rules()
        for one in rule.selectors
        if not one.name.startswith("job:")
    }
    return sorted(found)


@pytest.mark.parametrize("selector", _selectors())
def test_each_selector_finds_a_series_of_a_loaded_connector(
    prometheus: Prometheus, selector: str
) -> None:
    # How many users were matched is asked for a minute after the start, when a call is to spare.
    until(lambda: bool(prometheus.query(selector)), SERIES_PATIENCE, f"a series of {selector}")
