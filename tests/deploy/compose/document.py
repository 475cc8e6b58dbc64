"""deploy/compose.yaml as a value: its services, with what they mount and run."""

import functools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

COMPOSE: Final = Path(__file__).parents[3] / "deploy" / "compose.yaml"
OURS: Final = ("emulator", "connector", "generator")


@functools.cache
def document() -> Mapping[str, Any]:
    """The whole file."""
    found: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())
    return found


def services() -> Mapping[str, Mapping[str, Any]]:
    """All services, by name."""
    found: dict[str, dict[str, Any]] = document()["services"]
    return found


def mounted(service: str) -> Iterator[tuple[str, Path]]:
    """What a service sees of this machine: the path inside, and the file or folder here."""
    for volume in services()[service].get("volumes", ()):
        outside, inside, _ = volume.split(":")
        yield inside, (COMPOSE.parent / outside).resolve()
    for secret in services()[service].get("secrets", ()):
        source, inside = (
            (secret, f"/run/secrets/{secret}")
            if isinstance(secret, str)
            else (secret["source"], secret["target"])
        )
        yield inside, (COMPOSE.parent / document()["secrets"][source]["file"]).resolve()


def arguments(service: str, replaced: Mapping[str, str]) -> list[str]:
    """A service's command as it is run here: some words replaced, and paths inside by those of this machine."""
    here = {inside: str(outside) for inside, outside in mounted(service)} | dict(replaced)
    return [here.get(word, word) for word in services()[service]["command"]]


def option(service: str, name: str) -> str:
    """The value of an option in a service's command."""
    words: list[str] = services()[service]["command"]
    return words[words.index(name) + 1]
