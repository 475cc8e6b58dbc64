"""RudderStack's events: whom they add to which audience, whom they remove, and what is left out of a list."""

from typing import Any

import orjson
import pytest

from connector.core.model import Action
from connector.errors import InvalidRecord
from connector.formats.membership import Membership
from connector.formats.rudderstack import FORMAT, decode

AT = 1580602989.544
EMAIL = "jane@example.com"
AUDIENCE = "23856594064540489"
CONTEXT: dict[str, Any] = {
    "externalId": [{"type": f"TIKTOK_AUDIENCE-{AUDIENCE}", "identifierType": "EMAIL_SHA256"}],
    "destinationFields": "EMAIL_SHA256",
}
RECORD: dict[str, Any] = {
    "type": "record",
    "action": "insert",
    "userId": "u",
    "identifiers": {"EMAIL_SHA256": EMAIL},
    "fields": {},
    "context": CONTEXT,
}
LIST: dict[str, Any] = {
    "type": "audienceList",
    "userId": "u",
    "properties": {"listData": {"add": [{"EMAIL_SHA256": EMAIL}], "remove": [{}]}},
    "context": CONTEXT,
    "timestamp": "2020-02-02T00:23:09.544Z",
}

BESIDE = {"comment": "\u00fc"}
"""An ignored field that the typed decoding leaves to the general one."""

both_ways = pytest.mark.parametrize("beside", [{}, BESIDE], ids=["typed", "general"])
both_kinds = pytest.mark.parametrize("event", [RECORD, LIST], ids=["record", "list"])


def changed(tree: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {key: value for key, value in (tree | changes).items() if value is not ...}


def lists(**some: Any) -> dict[str, Any]:
    return changed(LIST, properties={"listData": some})


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
def test_a_record_is_one_user_of_the_audience_that_it_names(beside: dict[str, Any]) -> None:
    assert memberships(RECORD | beside) == [
        Membership(
            AUDIENCE, Action.ADD, {"email": EMAIL}, profile_id="u", audience_id=AUDIENCE
        )
    ]  # fmt: skip


@both_ways
@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ("insert", Action.ADD),
        ("update", Action.ADD),
        ("delete", Action.DELETE),
        ("Delete", Action.DELETE),
    ],
)
def test_insert_and_update_add(beside: dict[str, Any], action: str, expected: Action) -> None:
    [one] = memberships(changed(RECORD, action=action) | beside)

    assert one.action is expected


@both_ways
@pytest.mark.parametrize("kind", ["audienceList", "audiencelist", "AudienceList"])
def test_a_list_adds_and_removes_users_without_ids(beside: dict[str, Any], kind: str) -> None:
    assert memberships(changed(LIST, type=kind) | beside) == [
        Membership(AUDIENCE, Action.ADD, {"email": EMAIL}, at=AT, audience_id=AUDIENCE),
        Membership(AUDIENCE, Action.DELETE, {}, at=AT, audience_id=AUDIENCE),
    ]


@both_ways
@pytest.mark.parametrize("names", [("add", "remove"), ("remove", "add")], ids=str)
def test_who_stands_in_both_lists_ends_as_removed(
    beside: dict[str, Any], names: tuple[str, str]
) -> None:
    user = {"EMAIL_SHA256": EMAIL}
    some = memberships(lists(**{name: [user] for name in names}) | beside)

    assert [one.action for one in some] == [Action.ADD, Action.DELETE]


@both_ways
@pytest.mark.parametrize(
    ("some", "count"), [({}, 0), ({"add": None}, 0), ({"add": []}, 0), ({"remove": [{}, {}]}, 2)]
)
def test_lists_may_be_empty_or_absent(
    beside: dict[str, Any], some: dict[str, Any], count: int
) -> None:
    assert len(memberships(lists(**some) | beside)) == count


@both_ways
@pytest.mark.parametrize(
    ("identifiers", "identities"),
    [
        ({"PHONE_SHA256": "+1"}, {"phone": "+1"}),
        ({"IDFA_SHA256": "x"}, {"idfa": "x"}),
        ({"IDFA_MD5": "x"}, {"idfa": "x"}),
        ({"AAID_SHA256": "x"}, {"gaid": "x"}),
        ({"AAID_MD5": "x"}, {"gaid": "x"}),
        ({"email_sha256": "x"}, {"email": "x"}),
        ({"AAID_SHA256": "x", "AAID_MD5": "x"}, {"gaid": "x"}),
        ({"AAID_SHA256": "x", "AAID_MD5": "y"}, {"gaid": ["x", "y"]}),
        ({"EMAIL_SHA256": "x", "email_sha256": "y", "Email_SHA256": "z"}, {"email": ["x", "y", "z"]}),
        ({"CRM_ID": "7"}, {"crm_id": "7"}),
        ({"EMAIL_SHA256": None, "PHONE_SHA256": ""}, {}),
        ({"EMAIL_SHA256": 7}, {"email": 7}),
        ({"EMAIL_SHA256": ["x", "y"]}, {"email": ["x", "y"]}),
        ({}, {}),
    ],
    ids=str,
)  # fmt: skip
def test_keys_become_the_native_namespaces(
    beside: dict[str, Any], identifiers: dict[str, Any], identities: dict[str, Any]
) -> None:
    [one] = memberships(changed(RECORD, identifiers=identifiers) | beside)
    [other] = memberships(lists(add=[identifiers]) | beside)

    assert one.identities == other.identities == identities


OTHER = {"type": "FB_CUSTOM_AUDIENCE-7", "identifierType": "EMAIL"}


@both_ways
@both_kinds
@pytest.mark.parametrize(
    "external",
    [
        [{"type": "TIKTOK_AUDIENCE", "id": "7"}],
        [{"type": "TIKTOK_AUDIENCE", "id": 7}],
        [{"type": "TIKTOK_AUDIENCE-7", "id": None}],
        [{"type": "TIKTOK_AUDIENCE-7", "id": "8"}],
        [OTHER, {"type": "TIKTOK_AUDIENCE-7"}],
        [{"type": "TIKTOK_AUDIENCE-7"}, OTHER],
        [{"type": "TIKTOK_AUDIENCE-6"}, {"type": "TIKTOK_AUDIENCE-7"}],
        [{"type": "TIKTOK_AUDIENCE-7"}, {"type": "TIKTOK_AUDIENCE"}],
        {"type": "TIKTOK_AUDIENCE-7"},
    ],
    ids=str,
)
def test_the_audience_is_the_last_of_tiktoks_external_ids(
    beside: dict[str, Any], event: dict[str, Any], external: Any
) -> None:
    one, *_ = memberships(changed(event, context={"externalId": external}) | beside)

    assert (one.segment, one.audience_id, one.advertiser_id) == ("7", "7", None)


@both_ways
@pytest.mark.parametrize(
    "tree",
    [
        {"type": "identify", "traits": {"email": EMAIL}},
        {"type": "track", "context": CONTEXT},
        {"type": "", "context": 7},
        changed(RECORD, context={"externalId": [OTHER]}),
        changed(RECORD, context={"externalId": [OTHER, {"type": "TIKTOK_AUDIENCES-7"}]}),
        changed(LIST, context={"externalId": [OTHER]}, properties=7),
    ],
    ids=str,
)
def test_events_of_another_kind_or_for_others_hold_nothing(
    beside: dict[str, Any], tree: dict[str, Any]
) -> None:
    assert memberships(tree | beside) == []


@both_ways
@pytest.mark.parametrize(
    ("user", "profile_id"), [("u", "u"), (7, "7"), (None, None), (..., None), ([], None)]
)
def test_the_profile_of_a_record_is_its_user_id(
    beside: dict[str, Any], user: Any, profile_id: str | None
) -> None:
    [one] = memberships(changed(RECORD, userId=user) | beside)

    assert one.profile_id == profile_id


@both_ways
@both_kinds
@pytest.mark.parametrize(
    ("timestamp", "at", "problem"),
    [
        (..., None, None),
        (None, None, None),
        ("2020-02-02T00:23:09.544Z", AT, None),
        ("2020-02-02", None, "malformed_timestamp"),
        (1580602989544, None, "malformed_timestamp"),
    ],
    ids=str,
)
def test_it_changed_at_the_events_time(
    beside: dict[str, Any], event: dict[str, Any], timestamp: Any, at: float | None, problem: str
) -> None:
    one, *others = memberships(changed(event, timestamp=timestamp) | beside)

    assert (one.at, one.problem) == (at, problem)
    assert all((other.at, other.problem) == (at, None) for other in others)


@both_ways
@both_kinds
@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"type": ...}, ("missing_field", "type is missing")),
        ({"type": 7}, ("wrong_type", "type is not a string")),
        ({"context": ...}, ("missing_field", "context.externalId is missing")),
        ({"context": []}, ("wrong_type", "context is not an object")),
        ({"context": {}}, ("missing_field", "context.externalId is missing")),
        ({"context": {"externalId": []}}, ("missing_field", "context.externalId is missing")),
        ({"context": {"externalId": "7"}}, ("wrong_type", "context.externalId is not a list")),
        (
            {"context": {"externalId": ["7"]}},
            ("wrong_type", "context.externalId[0] is not an object"),
        ),
        (
            {"context": {"externalId": [OTHER, {"id": "7"}]}},
            ("wrong_type", "context.externalId[1].type is not a string"),
        ),
        (
            {"context": {"externalId": [{"type": "TIKTOK_AUDIENCE"}]}},
            ("missing_field", "context.externalId names no audience by its id"),
        ),
        (
            {"context": {"externalId": [{"type": "TIKTOK_AUDIENCE-"}]}},
            ("missing_field", "context.externalId names no audience by its id"),
        ),
        (
            {"context": {"externalId": [{"type": "TIKTOK_AUDIENCE", "id": 7.5}]}},
            ("wrong_type", "context.externalId[0].id is neither text nor a whole number"),
        ),
    ],
    ids=str,
)
def test_an_event_of_no_kind_or_audience_is_refused(
    beside: dict[str, Any],
    event: dict[str, Any],
    changes: dict[str, Any],
    expected: tuple[str, str],
) -> None:
    assert refusal(changed(event, **changes) | beside) == expected


@both_ways
@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        (changed(RECORD, action=...), ("missing_field", "action is missing")),
        (changed(RECORD, action=1), ("wrong_type", "action is not a string")),
        (
            changed(RECORD, action="upsert"),
            ("unknown_status", "action is none of insert, update, delete"),
        ),
        (changed(RECORD, identifiers=...), ("missing_field", "identifiers is missing")),
        (changed(RECORD, identifiers=None), ("missing_field", "identifiers is missing")),
        (changed(RECORD, identifiers=[EMAIL]), ("wrong_type", "identifiers is not an object")),
        (changed(LIST, properties=...), ("missing_field", "properties is missing")),
        (changed(LIST, properties=[]), ("wrong_type", "properties is not an object")),
        (changed(LIST, properties={}), ("missing_field", "properties.listData is missing")),
        (
            changed(LIST, properties={"listData": []}),
            ("wrong_type", "properties.listData is not an object"),
        ),
        (lists(add={}), ("wrong_type", "properties.listData.add is not a list")),
        (lists(add=[EMAIL]), ("wrong_type", "properties.listData.add[0] is not an object")),
        (
            lists(update=[{}]),
            ("unknown_status", "properties.listData has another list than add, remove"),
        ),
    ],
    ids=str,
)
def test_a_wrong_shape_is_refused_with_what_is_wrong(
    beside: dict[str, Any], tree: dict[str, Any], expected: tuple[str, str]
) -> None:
    assert refusal(tree | beside) == expected


@both_ways
@pytest.mark.parametrize(
    ("some", "problems"),
    [
        ({"add": [{}, 7, {}]}, ["wrong_type", None]),
        ({"add": 7, "remove": [{}]}, ["wrong_type"]),
        ({"upsert": [{}], "remove": [{}, {}]}, ["unknown_status", None]),
        ({"upsert": [{}], "remove": [{}, {}, None]}, ["unknown_status", "wrong_type"]),
    ],
    ids=str,
)
def test_a_wrong_user_or_list_does_not_hold_up_the_others(
    beside: dict[str, Any], some: dict[str, Any], problems: list[str | None]
) -> None:
    assert [one.problem for one in memberships(lists(**some) | beside)] == problems
