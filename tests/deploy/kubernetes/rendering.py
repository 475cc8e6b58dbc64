"""Manifests as the cluster would get them."""

import functools
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.deploy.kubernetes.go_modules import kustomize

MANIFESTS = Path(__file__).parents[3] / "deploy" / "kubernetes"

Object = dict[str, Any]


def render(folder: Path) -> list[Object]:
    """The objects that this kustomization makes, fresh at each call: a test may change them."""
    return [one for one in yaml.safe_load_all(_rendered(folder)) if one]


@functools.cache
def _rendered(folder: Path) -> str:
    done = subprocess.run(
        [kustomize(), "build", folder], check=False, text=True, capture_output=True
    )
    assert done.returncode == 0, f"kustomize build {folder.name} failed:\n{done.stderr}"
    # What is deprecated or guessed is said there.
    assert not done.stderr, f"kustomize build {folder.name} warns:\n{done.stderr}"
    return done.stdout


def only(objects: Iterable[Object], kind: str) -> Object:
    """The one object of this kind."""
    found = [one for one in objects if one["kind"] == kind]
    assert len(found) == 1, f"{len(found)} objects of kind {kind}"
    return found[0]


def get(value: Any, path: Sequence[str | int]) -> Any:
    """What stands at a path of keys and indices."""
    for step in path:
        value = value[step]
    return value
