"""What differs between two configurations, and what of it can change while the connector runs."""

import re
from pathlib import Path
from typing import Any

import pytest

from connector.settings.changes import _RELOADABLE, Changes, changes
from connector.settings.draft import item_model_of, keys_of
from connector.settings.model import Settings
from connector.settings.policy import denials
from tests.settings.test_policy import policy, under
from tests.settings.trees import changed, load_tree, put, right

ANOTHER = {"segment": "new", "destination": "emea", "audience_id": "7100000000000000009"}
TABLE = Path(__file__).parents[2] / "docs" / "reload.md"


def between(folder: Path, some: dict[str, Any], before: dict[str, Any] | None = None) -> Changes:
    """What these values at their paths change."""
    return changes(load_tree(folder, changed(before or {})), load_tree(folder, changed(some)))


def test_nothing_differs_from_itself(tmp_path: Path) -> None:
    assert between(tmp_path, {}) == Changes()


def test_routes_that_are_new_and_gone_are_named_where_they_stand(tmp_path: Path) -> None:
    found = between(tmp_path, {"routes[0]": ANOTHER})
    assert found == Changes(added=("routes[0]",), removed=("routes[0]",))
    assert between(tmp_path, {"routes[2]": ANOTHER}) == Changes(added=("routes[2]",))


def test_a_route_to_the_same_audience_has_changed(tmp_path: Path) -> None:
    found = between(
        tmp_path, {"routes[0].identities": ["EMAIL_SHA256"], "routes[1].when_blocked": "hold"}
    )
    assert found == Changes(changed=("routes[0]",))


def test_routes_in_another_order_are_the_same(tmp_path: Path) -> None:
    tree = right()
    tree["routes"].reverse()
    assert changes(load_tree(tmp_path, right()), load_tree(tmp_path, tree)) == Changes()


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("delivery.linger_seconds", 5.0),
        ("delivery.retry_max_seconds", 61.0),
        ("log.level", "debug"),
        ("identities[0].strip_plus", True),
        ("identities[1].default_region", "DE"),
        ("destinations[1].marketing_actions", ["retargeting"]),
        ("destinations[0].description", "another"),
        ("segments", [{"match": "gold", "labels": ["health"]}]),
    ],
)
def test_a_key_that_can_change(tmp_path: Path, path: str, value: object) -> None:
    assert between(tmp_path, {path: value}) == Changes(keys=(path,))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("kafka.group_id", "another"),
        ("kafka.topics[1].format", "segment"),
        ("kafka.dead_letter_topic", "another"),
        ("tiktok.request_timeout_seconds", 5),
        ("tiktok.rate_limit.share", 0.5),
        ("destinations[0].advertiser_id", "7000000000000000009"),
        ("identities[0].source", "mail"),
        ("identities[1].target", "IDFA_SHA256"),
        ("delivery.drain_seconds", 30.0),
        ("governance.suppression_topic", "suppressed"),
        ("governance.require_consent", ["advertising"]),
        ("admin.port", 9090),
        ("log.format", "console"),
    ],
)
def test_a_key_that_a_start_alone_reads(tmp_path: Path, path: str, value: object) -> None:
    before = {"identities[1].default_region": ...}
    assert between(tmp_path, {**before, path: value}, before).frozen == (path,)


def test_a_list_of_another_length_is_named_itself(tmp_path: Path) -> None:
    another = {"source": "mail", "target": "EMAIL_SHA256"}
    assert between(tmp_path, {"identities[2]": another}).frozen == ("identities",)
    topics = [{"name": "members"}]
    assert between(tmp_path, {"kafka.topics": topics}).frozen == ("kafka.topics",)


def test_with_a_suppression_topic_the_identities_options_stay(tmp_path: Path) -> None:
    topic = {"governance.suppression_topic": "suppressed"}
    found = between(tmp_path, {**topic, "identities[0].strip_dots": True}, topic)
    assert found == Changes(frozen=("identities[0].strip_dots",))


def test_every_key_that_can_change_is_a_key_and_is_documented() -> None:
    keys = {*keys_of(Settings)}
    for name, field in Settings.model_fields.items():
        if below := item_model_of(field):
            keys |= {f"{name}[].{key}" for key in keys_of(below)}
    assert keys >= _RELOADABLE
    section = TABLE.read_text().partition("## What may change")[2].partition("\n## ")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    told = set(re.findall(r"`([a-z_.\[\]]+)`", "".join(rows)))
    assert told == _RELOADABLE - {"segments[].match", "segments[].labels"} | {"routes"}


# --- the policy, held against what runs


def test_what_the_policy_denies_of_a_running_configuration(tmp_path: Path) -> None:
    running = load_tree(tmp_path, under(tmp_path, policy()))
    assert denials(running) == []

    stricter = put(policy(), "segments[0].match", "lost")
    under(tmp_path, stricter)
    (problem,) = denials(running)
    assert problem.startswith("routes[1]: the policy's rule no-health denies that segment lost")

    under(tmp_path, "rules: [")
    assert denials(running) == []
    (tmp_path / "policy.yaml").unlink()
    assert denials(running) == []


def test_without_a_policy_nothing_is_denied(tmp_path: Path) -> None:
    assert denials(load_tree(tmp_path, right())) == []
