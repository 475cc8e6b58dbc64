"""Segment's events: which say that a profile entered or left an audience, which one, and who it is."""

from typing import Any

import orjson
import pytest

from connector.core.model import Action
from connector.errors import InvalidRecord
from connector.formats.membership import Membership
from connector.formats.segment import FORMAT, decode

AT = 1795176000.123
EMAIL = "jane@example.com"
PHONE = "+12133734253"
IDFA = "5f3a2b18-9c4d-4e7f-b8e2-17d3a1e69b25"

PERSONAS: dict[str, Any] = {
    "computation_class": "audience",
    "computation_key": "vip",
    "external_audience_id": "12345",
    "audience_settings": {"advertiserId": "123"},
}
TRACK: dict[str, Any] = {
    "type": "track",
    "userId": "u",
    "anonymousId": "a",
    "messageId": "m",
    "timestamp": "2026-11-20T12:00:00.123Z",
    "event": "Audience Entered",
    "properties": {"audience_key": "vip", "vip": True},
    "context": {
        "personas": PERSONAS,
        "traits": {"email": EMAIL, "phone": PHONE},
        "device": {"advertisingId": IDFA, "type": "ios"},
    },
}
IDENTIFY: dict[str, Any] = {
    "type": "identify",
    "userId": "u",
    "anonymousId": "a",
    "traits": {"email": EMAIL, "vip": False},
    "context": {"personas": PERSONAS},
}
MINIMAL: dict[str, Any] = {
    "type": "track",
    "userId": "u",
    "event": "Audience Entered",
    "properties": {"audience_key": "vip", "vip": True},
    "context": {"traits": {"email": EMAIL}},
}
ROW: dict[str, Any] = {
    "type": "track",
    "event": "new",
    "messageId": "m",
    "properties": {"audience_key": "vip", "email": EMAIL, "phone": PHONE, "plan": "gold"},
}

BESIDE = {"comment": "\u00fc"}
"""An ignored field that the typed decoding leaves to the general one."""

both_ways = pytest.mark.parametrize("beside", [{}, BESIDE], ids=["typed", "general"])


def changed(tree: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {key: value for key, value in (tree | changes).items() if value is not ...}


def with_context(tree: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return changed(tree, context=changed(tree.get("context", {}), **changes))


def with_personas(tree: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return with_context(tree, personas=changed(PERSONAS, **changes))


def memberships(tree: Any) -> list[Membership]:
    return decode(orjson.dumps(tree))


def refusal(tree: Any) -> tuple[str, str]:
    with pytest.raises(InvalidRecord) as invalid:
        memberships(tree)
    return invalid.value.reason, invalid.value.detail


def test_its_messages_hold_changes_only() -> None:
    assert FORMAT.decode is decode
    assert not FORMAT.repeats


@both_ways
def test_a_track_names_who_when_and_which_audience(beside: dict[str, Any]) -> None:
    identities = {"email": EMAIL, "phone": PHONE, "idfa": IDFA}

    assert memberships(TRACK | beside) == [
        Membership("vip", Action.ADD, identities, None, None, "u", AT, "12345", "123")
    ]


@both_ways
def test_an_identify_holds_the_audience_among_its_traits(beside: dict[str, Any]) -> None:
    assert memberships(IDENTIFY | beside) == [
        Membership("vip", Action.DELETE, {"email": EMAIL}, None, None, "u", None, "12345", "123")
    ]


@both_ways
def test_the_minimal_track_has_no_personas(beside: dict[str, Any]) -> None:
    assert memberships(MINIMAL | beside) == [
        Membership("vip", Action.ADD, {"email": EMAIL}, profile_id="u")
    ]


@both_ways
@pytest.mark.parametrize("event", ["Audience Entered", "Audience Exited", "Joined", "deleted", ...])
@pytest.mark.parametrize(
    ("said", "action"),
    [(True, Action.ADD), (False, Action.DELETE), ("true", Action.ADD), ("false", Action.DELETE)],
)
def test_the_boolean_counts_whatever_the_event_is_called(
    beside: dict[str, Any], event: Any, said: Any, action: Action
) -> None:
    [one] = memberships(changed(TRACK, event=event, properties={"vip": said}) | beside)

    assert one.action is action


@both_ways
@pytest.mark.parametrize("properties", [{"audience_key": "vip"}, {"vip": None}, {}, None, ...])
@pytest.mark.parametrize(
    ("event", "action"), [("Audience Entered", Action.ADD), ("Audience Exited", Action.DELETE)]
)
def test_without_a_boolean_the_usual_names_count(
    beside: dict[str, Any], properties: Any, event: str, action: Action
) -> None:
    [one] = memberships(changed(TRACK, event=event, properties=properties) | beside)

    assert (one.segment, one.action) == ("vip", action)


@both_ways
@pytest.mark.parametrize(
    ("event", "properties", "action"),
    [
        ("new", {}, Action.ADD),
        ("updated", {}, Action.ADD),
        ("deleted", {}, Action.DELETE),
        ("new", {"vip": False}, Action.DELETE),
        ("updated", {"vip": True}, Action.ADD),
        ("updated", {"vip": None}, Action.ADD),
        ("deleted", {"vip": True}, Action.DELETE),
    ],
    ids=str,
)
def test_a_row_is_a_member_until_it_is_deleted(
    beside: dict[str, Any], event: str, properties: dict[str, Any], action: Action
) -> None:
    tree = changed(ROW, event=event, properties=ROW["properties"] | properties)

    assert memberships(tree | beside) == [
        Membership("vip", action, {"email": EMAIL, "phone": PHONE})
    ]


@both_ways
def test_the_key_of_the_computation_counts_before_that_of_the_properties(
    beside: dict[str, Any],
) -> None:
    tree = changed(TRACK, properties={"audience_key": "other", "other": True, "vip": False})
    [one] = memberships(tree | beside)

    assert (one.segment, one.action) == ("vip", Action.DELETE)


@both_ways
@pytest.mark.parametrize("key", [..., None, ""])
def test_the_key_of_the_properties_stands_in(beside: dict[str, Any], key: Any) -> None:
    tree = with_personas(TRACK, computation_key=key)
    [one] = memberships(tree | beside)

    assert one.segment == "vip"


@both_ways
@pytest.mark.parametrize(
    ("kind", "count"),
    [
        ("audience", 1),
        ("journey_step", 1),
        ("", 1),
        (None, 1),
        (..., 1),
        ("computed_trait", 0),
        ("trait", 0),
    ],
)
def test_only_audiences_and_steps_of_journeys_are_memberships(
    beside: dict[str, Any], kind: Any, count: int
) -> None:
    assert len(memberships(with_personas(TRACK, computation_class=kind) | beside)) == count


@both_ways
def test_each_boolean_trait_of_an_identify_without_a_key_is_a_membership(
    beside: dict[str, Any],
) -> None:
    traits = {"email": EMAIL, "vip": False, "age": 7, "new": True, "beta": "true", "gone": None}
    some = memberships(changed(IDENTIFY, traits=traits, context=...) | beside)

    assert some == [
        Membership("vip", Action.DELETE, {"email": EMAIL}, profile_id="u"),
        Membership("new", Action.ADD, {"email": EMAIL}, profile_id="u"),
    ]
    assert some[0].identities is some[1].identities


@pytest.mark.parametrize(("count", "is_refused"), [(1_000, False), (1_001, True)])
def test_an_identify_without_a_key_may_not_have_booleans_without_end(
    count: int, *, is_refused: bool
) -> None:
    tree = changed(IDENTIFY, traits={str(number): True for number in range(count)}, context=...)

    if is_refused:
        assert refusal(tree)[0] == "too_complex"
    else:
        assert len(memberships(tree)) == count


@both_ways
@pytest.mark.parametrize(
    "tree",
    [
        {"type": "page", "properties": {"vip": True, "audience_key": "vip"}},
        {"type": "screen", "properties": 7},
        {"type": "group", "traits": {"vip": True}},
        {"type": "alias", "userId": "u"},
        {"type": ""},
        {"type": "track", "event": "Order Completed", "properties": {"total": 7, "vip": True}},
        {"type": "track"},
        {"type": "track", "properties": {"audience_key": ""}},
        {"type": "identify", "userId": "u"},
        {"type": "identify", "traits": {"email": EMAIL}},
        {"type": "identify", "traits": {"email": EMAIL}, "context": {"personas": {}}},
    ],
    ids=str,
)
def test_events_of_another_kind_hold_nothing(beside: dict[str, Any], tree: dict[str, Any]) -> None:
    assert memberships(tree | beside) == []


@both_ways
@pytest.mark.parametrize(
    ("device", "identities"),
    [
        ({"advertisingId": IDFA, "type": "ios"}, {"idfa": IDFA}),
        ({"advertisingId": IDFA, "type": "iOS"}, {"idfa": IDFA}),
        ({"advertisingId": IDFA, "type": "android"}, {"gaid": IDFA}),
        ({"advertisingId": IDFA, "type": "Android"}, {"gaid": IDFA}),
        ({"advertisingId": IDFA, "type": "tvos"}, {"advertisingid": IDFA}),
        ({"advertisingId": IDFA}, {"advertisingid": IDFA}),
        ({"advertisingId": ["x"], "type": "ios"}, {"idfa": ["x"]}),
        ({"advertisingId": "", "type": "ios"}, {}),
        ({"type": "ios"}, {}),
        ({}, {}),
        (None, {}),
        (..., {}),
    ],
    ids=str,
)
def test_the_devices_type_says_whose_identifier_it_is(
    beside: dict[str, Any], device: Any, identities: dict[str, Any]
) -> None:
    [one] = memberships(with_context(TRACK, traits=..., device=device) | beside)

    assert one.identities == identities


@both_ways
@pytest.mark.parametrize(
    ("tree", "identities"),
    [
        (with_context(MINIMAL, traits={"email": [EMAIL, "b@c.d"]}), {"email": [EMAIL, "b@c.d"]}),
        (with_context(MINIMAL, traits={"email": 7}), {"email": 7}),
        (with_context(MINIMAL, traits={"email": "", "phone": None}), {}),
        (with_context(MINIMAL, traits=None), {}),
        (changed(MINIMAL, context=...), {}),
        (changed(MINIMAL, context=None), {}),
        (with_context(ROW, traits={"email": "b@c.d"}), {"email": "b@c.d", "phone": PHONE}),
        (with_context(IDENTIFY, traits={"email": "b@c.d", "phone": "1"}), {"email": EMAIL, "phone": "1"}),
    ],
    ids=str,
)  # fmt: skip
def test_email_and_phone_are_found_where_the_event_has_them(
    beside: dict[str, Any], tree: dict[str, Any], identities: dict[str, Any]
) -> None:
    [one] = memberships(tree | beside)

    assert one.identities == identities


@both_ways
@pytest.mark.parametrize(
    ("user", "anonymous", "profile_id"),
    [("u", "a", "u"), (None, "a", "a"), ("", "a", "a"), (..., "a", "a"), (7, "a", "7"), ({}, ..., None)],
)  # fmt: skip
def test_the_profile_is_its_user_id_or_else_its_anonymous_one(
    beside: dict[str, Any], user: Any, anonymous: Any, profile_id: str | None
) -> None:
    [one] = memberships(changed(TRACK, userId=user, anonymousId=anonymous) | beside)

    assert one.profile_id == profile_id


@both_ways
@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ("12345", "123")),
        ({"external_audience_id": 12345}, ("12345", "123")),
        ({"external_audience_id": None}, (None, "123")),
        ({"audience_settings": {"advertiserId": 123}}, ("12345", "123")),
        ({"audience_settings": {}}, ("12345", None)),
        ({"audience_settings": ...}, ("12345", None)),
    ],
    ids=str,
)
def test_an_event_may_name_its_audience_and_account(
    beside: dict[str, Any], changes: dict[str, Any], expected: tuple[str | None, str | None]
) -> None:
    [one] = memberships(with_personas(TRACK, **changes) | beside)

    assert (one.audience_id, one.advertiser_id) == expected


@both_ways
@pytest.mark.parametrize(
    ("timestamp", "at", "problem"),
    [
        (..., None, None),
        (None, None, None),
        ("2026-11-20T12:00:00.123Z", AT, None),
        ("2026-11-20T13:00:00.123+01:00", AT, None),
        ("2026-11-20T12:00:00", None, "malformed_timestamp"),
        ("", None, "malformed_timestamp"),
        (1795176000, None, "malformed_timestamp"),
        ({}, None, "malformed_timestamp"),
    ],
    ids=str,
)
def test_it_changed_at_the_events_time(
    beside: dict[str, Any], timestamp: Any, at: float | None, problem: str | None
) -> None:
    [one] = memberships(changed(TRACK, timestamp=timestamp) | beside)

    assert (one.at, one.problem) == (at, problem)


NO_KEY = "context.personas.computation_key and properties.audience_key are missing"
NO_VALUE = "has no value under the audience's key"
NO_BOOLEAN = "the value under the audience's key in properties is not a boolean"
NEITHER = "the text under the audience's key in properties is not true or false"


@both_ways
@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        ({}, ("missing_field", "type is missing")),
        ({"type": None}, ("missing_field", "type is missing")),
        ({"type": 7}, ("wrong_type", "type is not a string")),
        (changed(TRACK, event=7), ("wrong_type", "event is not a string")),
        (changed(TRACK, properties=[]), ("wrong_type", "properties is not an object")),
        (changed(IDENTIFY, traits="vip"), ("wrong_type", "traits is not an object")),
        (changed(TRACK, context=[]), ("wrong_type", "context is not an object")),
        (with_context(TRACK, personas=7), ("wrong_type", "context.personas is not an object")),
        (with_context(TRACK, traits=7), ("wrong_type", "context.traits is not an object")),
        (with_context(TRACK, device=7), ("wrong_type", "context.device is not an object")),
        (
            with_context(TRACK, device={"type": 7}),
            ("wrong_type", "context.device.type is not a string"),
        ),
        (
            with_personas(TRACK, computation_key=7),
            ("wrong_type", "context.personas.computation_key is not a string"),
        ),
        (
            with_personas(TRACK, computation_class=7),
            ("wrong_type", "context.personas.computation_class is not a string"),
        ),
        (
            with_personas(TRACK, external_audience_id=True),
            (
                "wrong_type",
                "context.personas.external_audience_id is neither text nor a whole number",
            ),
        ),
        (
            with_personas(TRACK, audience_settings="123"),
            ("wrong_type", "context.personas.audience_settings is not an object"),
        ),
        (
            with_personas(TRACK, audience_settings={"advertiserId": ["123"]}),
            (
                "wrong_type",
                "context.personas.audience_settings.advertiserId is neither text nor a whole number",
            ),
        ),
        (
            changed(MINIMAL, properties={"audience_key": ["vip"]}),
            ("wrong_type", "properties.audience_key is not a string"),
        ),
        (changed(MINIMAL, properties={"vip": True}), ("missing_field", NO_KEY)),
        (changed(ROW, properties={"vip": True}), ("missing_field", NO_KEY)),
        (with_personas(IDENTIFY, computation_key=...), ("missing_field", NO_KEY)),
        (
            changed(TRACK, event="Joined", properties={}),
            ("missing_field", f"properties {NO_VALUE}"),
        ),
        (changed(TRACK, event=..., properties={}), ("missing_field", f"properties {NO_VALUE}")),
        (changed(IDENTIFY, traits={"email": EMAIL}), ("missing_field", f"traits {NO_VALUE}")),
        (
            changed(IDENTIFY, traits={"vip": None}, event="Audience Exited"),
            ("missing_field", f"traits {NO_VALUE}"),
        ),
        (changed(TRACK, properties={"vip": 1}), ("wrong_type", NO_BOOLEAN)),
        (changed(TRACK, properties={"vip": [True]}), ("wrong_type", NO_BOOLEAN)),
        (changed(TRACK, properties={"vip": "yes"}), ("unknown_status", NEITHER)),
        (changed(TRACK, properties={"vip": ""}), ("unknown_status", NEITHER)),
    ],
    ids=str,
)
def test_a_wrong_shape_is_refused_with_what_is_wrong(
    beside: dict[str, Any], tree: dict[str, Any], expected: tuple[str, str]
) -> None:
    assert refusal(tree | beside) == expected
