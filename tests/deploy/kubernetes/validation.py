"""What is wrong with an object: by Kubernetes' own schemas, and by the definitions of the custom resources.

Strict: a field that the schema does not know is wrong. An API server would drop it, and the typing mistake with it.
The validators are imported late: only `make test-deploy` installs them.
"""

import functools
from collections.abc import Iterable, Iterator
from importlib import import_module
from typing import Any

import yaml

from tests.deploy.kubernetes.go_modules import KEDA, PROMETHEUS_OPERATOR, files_of
from tests.deploy.kubernetes.rendering import Object

KUBERNETES_VERSIONS = ("1.30", "1.37")
"""The oldest that the manifests are written for, and the newest whose schemas are there."""

_DEFINITIONS = {
    "ScaledObject": (KEDA, "config/crd/bases/keda.sh_scaledobjects.yaml"),
    "PodMonitor": (
        PROMETHEUS_OPERATOR,
        "example/prometheus-operator-crd/monitoring.coreos.com_podmonitors.yaml",
    ),
    "PrometheusRule": (
        PROMETHEUS_OPERATOR,
        "example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml",
    ),
}
"""Custom resources: the Go module that defines each, and where in it."""

_METADATA = {
    "type": "object",
    "required": ["name"],
    "additionalProperties": False,
    "properties": {
        "name": {"type": "string"},
        "namespace": {"type": "string"},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "annotations": {"type": "object", "additionalProperties": {"type": "string"}},
    },
}
"""Of the metadata a definition says nothing; the API server knows its fields."""


def complaints(objects: Iterable[Object]) -> str:
    """What is wrong with these objects, a line for each fault that a validator names; "" when nothing."""
    found: list[str] = []
    for one in objects:
        look = _by_definition if one["kind"] in _DEFINITIONS else _by_kubernetes
        found += [f"{one['kind']}: {fault}" for fault in look(one)]
    return "\n".join(found)


def _by_kubernetes(one: Object) -> Iterator[str]:
    validator = import_module("kubernetes_validate")
    for version in KUBERNETES_VERSIONS:
        try:
            validator.validate(one, version, strict=True)
        except validator.ValidationError as error:
            yield f"{version}: {_where(error)}: {error.message}"
        except validator.SchemaNotFoundError as error:
            yield error.message


def _by_definition(one: Object) -> Iterator[str]:
    validator = import_module("jsonschema").Draft202012Validator
    for error in validator(_schema_of(one["kind"], one["apiVersion"])).iter_errors(one):
        yield f"{_where(error)}: {error.message}"


def _where(error: Any) -> str:
    return ".".join(str(step) for step in error.absolute_path)


@functools.cache
def _schema_of(kind: str, api_version: str) -> Any:
    module, path = _DEFINITIONS[kind]
    definition = yaml.safe_load((files_of(module) / path).read_text("utf-8"))
    group, _, wanted = api_version.rpartition("/")
    assert definition["spec"]["group"] == group, f"{kind} is not of {group}"
    served = [one for one in definition["spec"]["versions"] if one["name"] == wanted]
    assert served, f"{kind} has no version {wanted}"
    schema = served[0]["schema"]["openAPIV3Schema"]
    schema["properties"]["metadata"] = _METADATA
    return _closed(schema)


def _closed(node: Any) -> Any:
    """The same schema, in which no object may have a property that it does not name."""
    if isinstance(node, list):
        return [_closed(one) for one in node]
    if not isinstance(node, dict):
        return node
    closed = {key: _closed(value) for key, value in node.items()}
    if isinstance(pattern := node.get("pattern"), str) and "(?i)" in pattern:
        # Go takes it anywhere, Python in the first place alone.
        closed["pattern"] = "(?i)" + pattern.replace("(?i)", "")
    is_object = isinstance(node.get("properties"), dict) and node.get("type") == "object"
    if is_object and not node.get("x-kubernetes-preserve-unknown-fields"):
        closed.setdefault("additionalProperties", False)
    return closed
