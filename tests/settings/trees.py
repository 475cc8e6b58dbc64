"""A right configuration as a tree, ways to make it wrong, and loading it."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from connector.errors import SettingsError
from connector.settings.load import load
from connector.settings.model import Settings

TOKENS = {
    "CONNECTOR_ACCESS_TOKEN_EMEA": "token-of-emea",
    "CONNECTOR_ACCESS_TOKEN_APAC": "token-of-apac",
}


def right() -> dict[str, Any]:
    """A tree that loads: two destinations, two routes, every section there."""
    return {
        "kafka": {
            "bootstrap_servers": "localhost:9092",
            "topics": [{"name": "members"}, {"name": "more"}],
            "dead_letter_topic": "members.dead-letter",
            "security": {},
        },
        "tiktok": {"rate_limit": {}},
        "destinations": [
            {"name": "emea", "advertiser_id": "7000000000000000001"},
            {"name": "apac", "advertiser_id": "7000000000000000002"},
        ],
        "identities": [
            {"source": "email", "target": "EMAIL_SHA256"},
            {"source": "phone", "target": "PHONE_SHA256", "default_region": "US"},
        ],
        "routes": [
            {"segment": "gold", "destination": "emea", "audience_id": "7100000000000000001"},
            {"segment": "lost", "destination": "apac", "audience_id": "7100000000000000002"},
        ],
        "segments": [],
        "governance": {},
        "delivery": {},
        "admin": {},
        "log": {},
    }


def steps(path: str) -> list[str | int]:
    """`routes[0].segment` as the steps to it."""
    return [int(step) if step.isdigit() else step for step in re.findall(r"[^.\[\]]+", path)]


def put(tree: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """The tree with this value at the path; `...` takes the key away."""
    *way, last = steps(path)
    place: Any = tree
    for step in way:
        place = place[step]
    if value is ...:
        del place[last]
    elif isinstance(last, int) and last == len(place):
        place.append(value)
    else:
        place[last] = value
    return tree


def changed(changes: Mapping[str, Any]) -> dict[str, Any]:
    """The right tree with each of these values at its path."""
    tree = right()
    for path, value in changes.items():
        put(tree, path, value)
    return tree


def load_tree(folder: Path, tree: Any, environ: Mapping[str, str] = TOKENS) -> Settings:
    return load_text(folder, yaml.safe_dump(tree, allow_unicode=True), environ)


def load_text(folder: Path, text: str | bytes, environ: Mapping[str, str] = TOKENS) -> Settings:
    path = folder / "connector.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load(path, environ)


def problems_of(folder: Path, tree: Any, environ: Mapping[str, str] = TOKENS) -> list[str]:
    """The lines that refuse the tree."""
    with pytest.raises(SettingsError) as refused:
        load_tree(folder, tree, environ)
    problems = refused.value.problems
    assert str(refused.value) == "\n".join(problems)
    assert all(problem.isprintable() for problem in problems), "each problem is one line"
    return problems
