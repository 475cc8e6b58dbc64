"""Where consent is read from: named where it is required, and nowhere else; and how a topic is read then."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from connector import configured
from connector.core.permission import NO_CONSENT
from connector.formats import native
from tests.formats.consenting import GIVEN, PURPOSES
from tests.formats.test_native import event
from tests.settings.trees import changed, load_tree, problems_of

REQUIRED = {"governance.require_consent": list(PURPOSES)}
MAPPING = {
    "profile_id": "user.id",
    "segment": "list",
    "status": {"path": "kind", "entered": ["in"], "exited": ["out"]},
    "identities": {"email": "user.email"},
}
SHAPES: dict[str, dict[str, Any]] = {
    **{name: {} for name in ("segment", "adobe_xdm", "mparticle", "rudderstack")},
    "debezium": {"columns": {"profile_id": "id", "segment": "list", "email": "mail"}},
    "custom": {"mapping": MAPPING},
}
MISSING = (
    "kafka.topics[1].consent: is required with governance.require_consent:"
    " say where an event tells what its person has consented to"
)
IN_VAIN = "kafka.topics[1].consent: means nothing without governance.require_consent"


def topic(format_: str, **more: Any) -> dict[str, Any]:
    return {"kafka.topics[1]": {"name": "more", "format": format_, **SHAPES[format_], **more}}


@pytest.mark.parametrize("format_", SHAPES)
def test_a_format_without_a_field_for_it_needs_its_path(format_: str, tmp_path: Path) -> None:
    assert problems_of(tmp_path, changed(REQUIRED | topic(format_))) == [MISSING]
    load_tree(tmp_path, changed(REQUIRED | topic(format_, consent="a.b")))


@pytest.mark.parametrize("format_", SHAPES)
def test_without_the_rule_no_format_needs_one(format_: str, tmp_path: Path) -> None:
    load_tree(tmp_path, changed(topic(format_)))


@pytest.mark.parametrize("format_", SHAPES)
def test_a_path_that_nothing_asks_for_is_refused(format_: str, tmp_path: Path) -> None:
    assert problems_of(tmp_path, changed(topic(format_, consent="a.b"))) == [IN_VAIN]


def test_the_native_format_may_have_a_path(tmp_path: Path) -> None:
    path = {"kafka.topics[1].consent": "privacy"}
    load_tree(tmp_path, changed(REQUIRED))
    load_tree(tmp_path, changed(REQUIRED | path))
    assert problems_of(tmp_path, changed(path)) == [IN_VAIN]


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("a.", "is not a JMESPath expression"),
        ("lower(a)", "calls lower(), a function that JMESPath does not have"),
        ("", "must not be empty"),
    ],
)
def test_a_path_that_cannot_be_used_is_refused(path: str, problem: str, tmp_path: Path) -> None:
    tree = changed(REQUIRED | topic("segment", consent=path))

    [found] = problems_of(tmp_path, tree)
    assert found.startswith(f"kafka.topics[1].consent: {problem}")


def test_what_is_wrong_elsewhere_makes_nothing_else_wrong(tmp_path: Path) -> None:
    wrong = {"governance.require_consent": "advertising"}

    assert len(problems_of(tmp_path, changed(wrong | topic("segment", consent="a")))) == 1
    assert len(problems_of(tmp_path, changed(wrong | topic("segment")))) == 1
    odd = {"kafka.topics[1]": {"name": "more", "format": "segmant"}}
    assert len(problems_of(tmp_path, changed(REQUIRED | odd))) == 1


def test_what_the_policy_demands_is_asked_for_too(tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("require_consent: [advertising]\n", "utf-8")
    demanded = {"governance.policy_file": str(policy)}

    assert problems_of(tmp_path, changed(demanded | topic("segment"))) == [MISSING]
    settings = load_tree(tmp_path, changed(demanded | topic("segment", consent="context.consent")))
    assert settings.governance.require_consent == ("advertising",)


def consent_read(tmp_path: Path, changes: dict[str, Any], **fields: Any) -> object:
    settings = load_tree(tmp_path, changed(changes))
    shape = configured.format_of(settings, settings.kafka.topics[0])
    [one] = shape.decode(orjson.dumps(event(**fields)))
    return one.consent


def test_a_topic_is_read_with_the_consent_that_is_asked_for(tmp_path: Path) -> None:
    at_path = REQUIRED | {"kafka.topics[0].consent": "privacy"}

    assert consent_read(tmp_path, {}, consent=GIVEN) is None
    assert consent_read(tmp_path, REQUIRED, consent=GIVEN) == GIVEN
    assert consent_read(tmp_path, at_path, consent=GIVEN) is None
    assert consent_read(tmp_path, at_path, privacy=GIVEN) == GIVEN


@pytest.mark.parametrize(("format_", "path"), [("segment", "consent"), ("custom", "consent")])
def test_every_format_is_read_with_it(format_: str, path: str, tmp_path: Path) -> None:
    settings = load_tree(tmp_path, changed(REQUIRED | topic(format_, consent=path)))
    value = {
        "segment": {"type": "identify", "traits": {"vip": True}, "consent": GIVEN},
        "custom": {"user": {"id": 1}, "list": "vip", "kind": "in", "consent": GIVEN},
    }[format_]
    [one] = configured.format_of(settings, settings.kafka.topics[1]).decode(orjson.dumps(value))

    assert one.consent == GIVEN


def test_the_rules_are_those_that_are_configured(tmp_path: Path) -> None:
    assert configured.permission(load_tree(tmp_path, changed({})), None) is None
    permission = configured.permission(load_tree(tmp_path, changed(REQUIRED)), None)
    [one] = native.WITH_CONSENT.decode(orjson.dumps(event(consent={"advertising": True})))

    assert permission is not None
    assert permission.judge(one) == NO_CONSENT
