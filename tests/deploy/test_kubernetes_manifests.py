"""The manifests themselves: they render, each field is one that Kubernetes knows, and what belongs together fits."""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from connector import __version__
from tests.deploy.kubernetes import MANIFESTS, Object, complaints, get, only, render
from tests.deploy.kubernetes.go_modules import KEDA, files_of

pytestmark = pytest.mark.deploy

INSTALLATIONS = ("base", "overlays/example")
POD = ("spec", "template", "spec")
CONTAINER = (*POD, "containers", 0)

# What kubectl notes of an object when it applies it, the object itself, must be smaller than this.
MOST_BYTES_OF_AN_OBJECT = 262_144


@pytest.fixture(params=INSTALLATIONS)
def objects(request: pytest.FixtureRequest) -> list[Object]:
    return render(MANIFESTS / request.param)


@pytest.fixture
def example() -> list[Object]:
    return render(MANIFESTS / "overlays/example")


def test_every_field_is_one_that_kubernetes_knows(objects: list[Object]) -> None:
    assert complaints(objects) == ""


class Typo(NamedTuple):
    """A value at a path of an object where it must not be."""

    kind: str
    path: Sequence[str | int]
    value: Any


SCALER = ("spec", "advanced", "horizontalPodAutoscalerConfig", "behavior", "scaleUp")
ENDPOINT = ("spec", "podMetricsEndpoints", 0)
RULE = ("spec", "groups", 0, "rules", 0)
TYPOS = (
    Typo("Deployment", (*CONTAINER, "readynessProbe"), {}),
    Typo("Deployment", (*CONTAINER, "livenessProbe", "periodSecond"), 10),
    Typo("Deployment", (*POD, "terminationGracePeriodSeconds"), "60s"),
    Typo("Deployment", ("spec", "strategy", "rollingUpdate", "maxSurges"), 1),
    Typo("Service", ("spec", "ports", 0, "port"), "admin"),
    Typo("NetworkPolicy", ("spec", "egress", 0, "port"), 53),
    Typo("PodDisruptionBudget", ("spec", "maxUnavailabel"), 1),
    Typo("ConfigMap", ("data", "connector.yaml"), {"kafka": {}}),
    Typo("ScaledObject", ("spec", "triggers", 0, "metaData"), {}),
    Typo("ScaledObject", ("spec", "triggers", 0, "metadata", "threshold"), 1),
    Typo("ScaledObject", ("spec", "maxReplicaCount"), "12"),
    Typo("ScaledObject", (*SCALER, "stabilizationWindow"), 300),
    Typo("ScaledObject", ("metadata", "label"), {}),
    Typo("PodMonitor", (*ENDPOINT, "intervall"), "15s"),
    Typo("PodMonitor", (*ENDPOINT, "interval"), "15 s"),
    Typo("PodMonitor", ("spec", "selector", "matchLabel"), {}),
    Typo("PrometheusRule", (*RULE, "express"), "up"),
    Typo("PrometheusRule", (*RULE, "for"), "5 minutes"),
)


@pytest.mark.parametrize("typo", TYPOS, ids=lambda typo: ".".join(map(str, typo[:1] + typo[1])))
def test_a_typing_mistake_is_caught(example: list[Object], typo: Typo) -> None:
    victim = next(one for one in example if one["kind"] == typo.kind)
    get(victim, typo.path[:-1])[typo.path[-1]] = typo.value

    assert str(typo.path[-1]) in complaints([victim])


def test_a_kind_that_nobody_knows_is_caught() -> None:
    unknown = {"apiVersion": "apps/v1", "kind": "Deploiment", "metadata": {"name": "x"}}

    assert "deploiment" in complaints([unknown]).lower()


def test_the_triggers_say_only_what_keda_reads(example: list[Object]) -> None:
    # KEDA's definition takes any text here, and KEDA ignores what it does not know.
    source = (files_of(KEDA) / "pkg/scalers/prometheus_scaler.go").read_text("utf-8")
    known = set(re.findall(r'keda:"name=(\w+),', source))
    triggers = only(example, "ScaledObject")["spec"]["triggers"]

    assert {"serverAddress", "query", "threshold"} <= known
    assert [one["type"] for one in triggers] == ["prometheus"]
    assert all(one["metadata"].keys() <= known for one in triggers)


def test_the_example_is_all_of_it(example: list[Object]) -> None:
    assert sorted(one["kind"] for one in example) == [
        *("ConfigMap", "ConfigMap", "Deployment", "Namespace", "NetworkPolicy"),
        *("PodDisruptionBudget", "PodMonitor", "PrometheusRule", "ScaledObject", "Service"),
        "ServiceAccount",
    ]
    assert {one["metadata"].get("namespace") for one in example if one["kind"] != "Namespace"} == {
        only(example, "Namespace")["metadata"]["name"]
    }


def test_no_object_is_too_large_to_be_applied(example: list[Object]) -> None:
    assert max(len(str(one).encode()) for one in example) < MOST_BYTES_OF_AN_OBJECT


def test_no_secret_and_no_value_of_one_is_in_it(objects: list[Object]) -> None:
    assert [one for one in objects if one["kind"] == "Secret"] == []
    container = get(only(objects, "Deployment"), CONTAINER)
    assert [one["name"] for one in container["env"]] == ["CONNECTOR_CONFIG"]


def test_without_the_prometheus_operator_none_of_its_kinds_is_left(tmp_path: Path) -> None:
    from_here = os.path.relpath(MANIFESTS, tmp_path)
    (tmp_path / "kustomization.yaml").write_text(
        f"resources: [{from_here}/base]\n"
        f"components: [{from_here}/components/without-prometheus-operator]\n"
    )
    gone = {one["kind"] for one in render(MANIFESTS / "base")} - {
        one["kind"] for one in render(tmp_path)
    }

    assert gone == {"PodMonitor", "PrometheusRule"}


# The image and the pod


def test_the_image_is_this_version(objects: list[Object]) -> None:
    name, _, tag = get(only(objects, "Deployment"), CONTAINER)["image"].rpartition(":")

    assert tag == __version__
    assert name.endswith("tiktok-audience-connector")


def test_the_pod_meets_the_restricted_security_standard(objects: list[Object]) -> None:
    pod = get(only(objects, "Deployment"), POD)

    assert pod["securityContext"] == {
        "runAsNonRoot": True,
        **dict.fromkeys(("runAsUser", "runAsGroup", "fsGroup"), 10001),
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    for container in pod["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
    assert {kind for volume in pod["volumes"] for kind in volume if kind != "name"} == {
        "configMap",
        "emptyDir",
        "secret",
    }


def test_the_pod_has_no_token_of_kubernetes(objects: list[Object]) -> None:
    account = only(objects, "ServiceAccount")
    pod = get(only(objects, "Deployment"), POD)

    assert account["automountServiceAccountToken"] is False
    assert pod["automountServiceAccountToken"] is False
    assert pod["serviceAccountName"] == account["metadata"]["name"]


def test_files_arrive_as_directories_so_that_changes_arrive_too(objects: list[Object]) -> None:
    pod = get(only(objects, "Deployment"), POD)
    mounts = {one["name"]: one for one in pod["containers"][0]["volumeMounts"]}

    assert mounts.keys() == {one["name"] for one in pod["volumes"]}
    assert all("subPath" not in one for one in mounts.values())
    assert {name for name, one in mounts.items() if not one.get("readOnly")} == {"tmp"}
    (config,) = [one["configMap"]["name"] for one in pod["volumes"] if "configMap" in one]
    assert config in {one["metadata"]["name"] for one in objects if one["kind"] == "ConfigMap"}


def test_secrets_are_readable_by_the_process_alone(objects: list[Object]) -> None:
    (secret,) = [
        one["secret"] for one in get(only(objects, "Deployment"), POD)["volumes"] if "secret" in one
    ]

    assert secret["defaultMode"] == 0o440


# What selects what


def test_everything_that_selects_pods_selects_these(objects: list[Object]) -> None:
    labels = only(objects, "Deployment")["spec"]["template"]["metadata"]["labels"]
    selectors = {
        "Deployment": ("spec", "selector", "matchLabels"),
        "Service": ("spec", "selector"),
        "PodDisruptionBudget": ("spec", "selector", "matchLabels"),
        "NetworkPolicy": ("spec", "podSelector", "matchLabels"),
        "PodMonitor": ("spec", "selector", "matchLabels"),
    }
    for kind, path in selectors.items():
        assert get(only(objects, kind), path) == labels, f"{kind} selects other pods"
    spread = get(only(objects, "Deployment"), POD)["topologySpreadConstraints"]
    assert [one["labelSelector"]["matchLabels"] for one in spread] == [labels]


def test_the_autoscaler_owns_the_number_of_replicas(example: list[Object]) -> None:
    deployment = only(example, "Deployment")
    scaled = only(example, "ScaledObject")["spec"]

    assert scaled["scaleTargetRef"]["name"] == deployment["metadata"]["name"]
    assert "replicas" not in deployment["spec"]
    assert 1 <= scaled["minReplicaCount"] <= scaled["maxReplicaCount"]


def test_a_broken_version_replaces_nothing(objects: list[Object]) -> None:
    deployment = only(objects, "Deployment")["spec"]

    assert deployment["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    assert deployment["minReadySeconds"] > 0
    assert only(objects, "PodDisruptionBudget")["spec"]["maxUnavailable"] == 1
