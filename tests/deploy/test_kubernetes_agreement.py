"""What the manifests say and what the code says: times, ports, paths and names agree.

A number that stands in both is taken from the code and from the rendered manifest, and compared.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from connector import app, status, watchdog
from connector.cli.main import main
from connector.kafka import bounded
from connector.kafka.source import SourceConfig
from connector.settings.load import load
from connector.settings.model import Settings
from connector.telemetry.catalogue import Catalogue
from tests.deploy.kubernetes import MANIFESTS, Object, get, only, render
from tests.deploy.test_kubernetes_manifests import CONTAINER, INSTALLATIONS, POD

pytestmark = pytest.mark.deploy

DOCUMENT = MANIFESTS.parents[1] / "docs" / "kubernetes.md"

SPARE_SECONDS = 5.0
"""For starting to stop: a signal that comes late, a machine that is busy."""


class Installed(NamedTuple):
    """Rendered objects, and the settings that their ConfigMap holds."""

    objects: list[Object]
    config: Path
    settings: Settings

    @property
    def pod(self) -> Any:
        return get(only(self.objects, "Deployment"), POD)

    @property
    def container(self) -> Any:
        return get(only(self.objects, "Deployment"), CONTAINER)


@pytest.fixture(params=INSTALLATIONS)
def installed(request: pytest.FixtureRequest, tmp_path: Path) -> Installed:
    """The files as a pod would find them, below a folder of the test's own."""
    objects = render(MANIFESTS / request.param)
    pod = get(only(objects, "Deployment"), POD)
    mounts = {one["name"]: one["mountPath"] for one in pod["containers"][0]["volumeMounts"]}
    (environ,) = pod["containers"][0]["env"]
    (name,) = [one["configMap"]["name"] for one in pod["volumes"] if "configMap" in one]
    (held,) = [
        one["data"]
        for one in objects
        if one["kind"] == "ConfigMap" and one["metadata"]["name"] == name
    ]
    folder, _, file = environ["value"].rpartition("/")
    assert environ["name"] == "CONNECTOR_CONFIG"
    assert folder == mounts["config"]
    config = tmp_path / file
    config.write_text(held[file].replace(mounts["secrets"], str(tmp_path)))
    for secret in secret_files(yaml.safe_load(held[file])):
        assert secret.parent == Path(mounts["secrets"]), f"nothing is mounted at {secret}"
        (tmp_path / secret.name).write_text("not-a-secret")
    return Installed(objects, config, load(config, {}))


def secret_files(node: Any) -> list[Path]:
    """The values of all keys that name a file with a secret."""
    if isinstance(node, list):
        return [found for one in node for found in secret_files(one)]
    if not isinstance(node, dict):
        return []
    own = [Path(value) for key, value in node.items() if key.endswith("_file")]
    return own + [found for value in node.values() for found in secret_files(value)]


def window(probe: Mapping[str, Any]) -> float:
    """Seconds from the first failure that counts to the last that is allowed."""
    return float((probe["failureThreshold"] - 1) * probe["periodSeconds"])


def test_the_check_finds_nothing_wrong(
    installed: Installed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONNECTOR_CONFIG", str(installed.config))

    assert main(["check", "--offline"]) == 0


def test_the_check_would_find_something_wrong(
    installed: Installed, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed.config.write_text(installed.config.read_text().replace("routes:", "route:"))
    monkeypatch.setenv("CONNECTOR_CONFIG", str(installed.config))

    assert main(["check", "--offline"]) == 2


def test_every_secret_is_in_the_document(installed: Installed) -> None:
    text = DOCUMENT.read_text("utf-8")
    for secret in secret_files(yaml.safe_load(installed.config.read_text())):
        assert f"--from-file={secret.name}=" in text, (
            f"docs/kubernetes.md: how is {secret.name} made?"
        )


# Ports


def test_there_is_one_port_and_all_mean_it(installed: Installed) -> None:
    (port,) = installed.container["ports"]
    (served,) = only(installed.objects, "Service")["spec"]["ports"]
    (scraped,) = only(installed.objects, "PodMonitor")["spec"]["podMetricsEndpoints"]

    assert port["containerPort"] == installed.settings.admin.port
    assert served["targetPort"] == scraped["port"] == port["name"]
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert installed.container[probe]["httpGet"]["port"] == port["name"]


def test_only_the_admin_port_is_let_in(installed: Installed) -> None:
    policy = only(installed.objects, "NetworkPolicy")["spec"]

    assert set(policy["policyTypes"]) == {"Ingress", "Egress"}
    assert [one["ports"] for one in policy["ingress"]] == [
        [{"port": installed.settings.admin.port, "protocol": "TCP"}]
    ]
    assert all(one["from"] for one in policy["ingress"])


def test_brokers_dns_and_tiktok_are_let_out_to_and_nothing_else(installed: Installed) -> None:
    brokers = {int(one.rpartition(":")[2]) for one in installed.settings.kafka.bootstrap_servers}
    rules = only(installed.objects, "NetworkPolicy")["spec"]["egress"]

    assert all(rule["to"] for rule in rules)
    assert {port["port"] for rule in rules for port in rule["ports"]} == brokers | {53, 443}


def test_the_pod_is_what_the_image_is(installed: Installed) -> None:
    image = (MANIFESTS.parent / "Dockerfile").read_text("utf-8")
    user = installed.pod["securityContext"]
    (environ,) = installed.container["env"]

    assert f"\nUSER {user['runAsUser']}:{user['runAsGroup']}\n" in image
    assert f"{environ['name']}={environ['value']}\n" in image
    assert 'ENTRYPOINT ["connector"]' in image
    assert installed.container["args"] == ["run"]
    assert "command" not in installed.container


# Times


def test_a_stop_fits_into_the_grace_period(installed: Installed) -> None:
    # ARCHITECTURE.md, Stop and rebalance: the drain, the last commit, the clients' end on a broker that is dead.
    commit = SourceConfig((), "", ()).commit_seconds
    close = app._CLOSE_SECONDS + 2 * bounded._CANCEL_SECONDS + bounded._CLOSE_SECONDS
    stop = installed.settings.delivery.drain_seconds + commit + close

    assert installed.pod["terminationGracePeriodSeconds"] >= stop + SPARE_SECONDS


def test_a_call_fits_into_a_drain(installed: Installed) -> None:
    settings = installed.settings

    assert settings.tiktok.request_timeout_seconds < settings.delivery.drain_seconds


def test_a_start_may_take_as_long_as_it_waits_for_kafka(installed: Installed) -> None:
    assert window(installed.container["startupProbe"]) > (
        installed.settings.kafka.startup_timeout_seconds
    )


def test_liveness_is_slower_than_the_process_itself(installed: Installed) -> None:
    probe = installed.container["livenessProbe"]
    silence = installed.settings.delivery.drain_seconds + status._POLL_GRACE_SECONDS

    # A stuck loop ends the process with its place in the log, before this kills it without a word.
    assert window(probe) > watchdog.LOOP_SECONDS + watchdog._SAY_SECONDS
    assert window(probe) > silence
    assert probe["timeoutSeconds"] < probe["periodSeconds"]


def test_probes_ask_what_they_are_for(installed: Installed) -> None:
    paths = {
        name: probe["httpGet"]["path"]
        for name, probe in installed.container.items()
        if name.endswith("Probe")
    }

    assert paths == {
        "startupProbe": "/healthz",
        "livenessProbe": "/healthz",
        "readinessProbe": "/readyz",
    }


def test_a_rollout_is_not_given_up_while_a_start_may_still_succeed(installed: Installed) -> None:
    deployment = only(installed.objects, "Deployment")["spec"]
    start = installed.settings.kafka.startup_timeout_seconds
    join = installed.settings.delivery.drain_seconds + 30.0  # as connector.kafka.source allows

    assert deployment["progressDeadlineSeconds"] > start + join + deployment["minReadySeconds"]


@pytest.mark.parametrize("installed", ["overlays/example"], indirect=True)
def test_autoscaling_is_slower_than_a_rebalance(installed: Installed) -> None:
    rebalance = installed.settings.delivery.drain_seconds + 10.0  # the group waits so long
    scaled = only(installed.objects, "ScaledObject")["spec"]
    behaviour = scaled["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]

    assert scaled["cooldownPeriod"] > rebalance
    for direction in ("scaleUp", "scaleDown"):
        assert behaviour[direction]["stabilizationWindowSeconds"] > 5 * rebalance
        for policy in behaviour[direction]["policies"]:
            assert policy["periodSeconds"] > 5 * rebalance


# What Prometheus will see


def test_the_operators_labels_leave_ours_alone(installed: Installed) -> None:
    (scraped,) = only(installed.objects, "PodMonitor")["spec"]["podMetricsEndpoints"]
    dropped = {one["regex"] for one in scraped["relabelings"] if one["action"] == "labeldrop"}
    attached = {"job", "instance", "namespace", "pod", "container", "endpoint"} - dropped
    ours = {label for family in Catalogue() for label in family.labels}

    assert not attached & ours


def test_the_job_is_the_one_that_the_rules_look_for(installed: Installed) -> None:
    monitor = only(installed.objects, "PodMonitor")["spec"]
    labels = only(installed.objects, "Deployment")["spec"]["template"]["metadata"]["labels"]
    rules = str(only(installed.objects, "PrometheusRule"))

    assert f'job="{labels[monitor["jobLabel"]]}"' in rules
