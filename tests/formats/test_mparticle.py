"""mParticle's requests: whose memberships of which audiences they hold, and what is left out of them."""

from typing import Any

import orjson
import pytest

from connector.core.identity import IdentityMap, IdentityMapping, Target
from connector.core.model import Action
from connector.errors import InvalidRecord
from connector.formats.membership import Membership
from connector.formats.mparticle import FORMAT, decode

AT = 1685499524.62
EMAIL = "jane@example.com"
IDFA = "5f3a2b18-9c4d-4e7f-b8e2-17d3a1e69b25"
IDENTITIES = {"email": EMAIL, "idfa": IDFA}

AUDIENCE: dict[str, Any] = {
    "audience_id": 456,
    "audience_name": "vip",
    "audience_subscription_settings": {},
    "action": "add",
    "user_attributes": [],
}
PROFILE: dict[str, Any] = {
    "mpid": "12345",
    "user_identities": [{"type": "email", "encoding": "raw", "value": EMAIL}],
    "device_identities": [{"type": "ios_advertising_id", "encoding": "raw", "value": IDFA}],
    "partner_identities": [{"type": "partner", "encoding": "raw", "value": "p"}],
    "audiences": [AUDIENCE],
}
REQUEST: dict[str, Any] = {
    "type": "audience_membership_change_request",
    "id": "5ff29805-c8ea-4ff2-97ac-3b2521a9bc96",
    "timestamp_ms": 1685499524620,
    "firehose_version": "2.8.1",
    "account": {"account_id": 123456, "account_settings": {}},
    "user_profiles": [PROFILE],
}
VIP = Membership("456", Action.ADD, IDENTITIES, None, "vip", "12345", AT)

BESIDE = {"comment": "\u00fc"}
"""An ignored field that the typed decoding leaves to the general one."""

both_ways = pytest.mark.parametrize("beside", [{}, BESIDE], ids=["typed", "general"])


def changed(tree: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in (tree | changes).items() if value is not ...}


def request(**changes: Any) -> dict[str, Any]:
    return changed(REQUEST, changes)


def of_profile(**changes: Any) -> dict[str, Any]:
    return request(user_profiles=[changed(PROFILE, changes)])


def of_audience(**changes: Any) -> dict[str, Any]:
    return of_profile(audiences=[changed(AUDIENCE, changes)])


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
def test_a_profile_enters_an_audience(beside: dict[str, Any]) -> None:
    assert memberships(request(**beside)) == [VIP]


@both_ways
@pytest.mark.parametrize(("action", "expected"), [("add", Action.ADD), ("delete", Action.DELETE)])
def test_add_is_a_member_and_delete_is_none(
    beside: dict[str, Any], action: str, expected: Action
) -> None:
    [one] = memberships(of_audience(action=action) | beside)

    assert one.action is expected


@both_ways
def test_changed_attributes_change_no_membership(beside: dict[str, Any]) -> None:
    attributes = [{"key": "Churned", "action": "delete"}, {}]
    update = changed(AUDIENCE, {"action": "attribute_update", "user_attributes": attributes})

    assert memberships(of_profile(audiences=[update]) | beside) == []
    assert memberships(of_profile(audiences=[update, AUDIENCE]) | beside) == [VIP]


@both_ways
@pytest.mark.parametrize(
    "tree",
    [
        request(user_profiles=...),
        request(user_profiles=None),
        request(user_profiles=[]),
        of_profile(audiences=[]),
        {"type": "module_registration_request"},
        {"type": "event_processing_request", "user_profiles": 7},
        {"type": "audience_subscription_request", "audience_id": 1234, "action": "add"},
    ],
    ids=str,
)
def test_requests_of_another_kind_hold_nothing(
    beside: dict[str, Any], tree: dict[str, Any]
) -> None:
    assert memberships(tree | beside) == []


@both_ways
def test_a_request_holds_many_profiles_of_many_audiences(beside: dict[str, Any]) -> None:
    audiences = [changed(AUDIENCE, {"audience_id": number}) for number in range(3)]
    profiles = [changed(PROFILE, {"mpid": mpid, "audiences": audiences}) for mpid in ("a", "b")]
    some = memberships(request(user_profiles=profiles, **beside))

    assert [(one.profile_id, one.segment) for one in some] == [
        (mpid, segment) for mpid in ("a", "b") for segment in ("0", "1", "2")
    ]
    assert some[0].identities is some[1].identities is some[2].identities
    assert some[2].identities is not some[3].identities


@both_ways
@pytest.mark.parametrize(
    ("audience_id", "segment"),
    [
        (0, "0"),
        (2**63 - 1, str(2**63 - 1)),
        (2**64 - 1, str(2**64 - 1)),
        ("456", "456"),
        (-7, "-7"),
    ],
)
def test_the_segment_is_the_number_in_decimal(
    beside: dict[str, Any], audience_id: Any, segment: str
) -> None:
    [one] = memberships(of_audience(audience_id=audience_id) | beside)

    assert one.segment == segment


@both_ways
@pytest.mark.parametrize(("name", "alias"), [("vip", "vip"), ("", ""), (None, None), (..., None)])
def test_the_name_is_another_name_of_the_segment(
    beside: dict[str, Any], name: Any, alias: str | None
) -> None:
    [one] = memberships(of_audience(audience_name=name) | beside)

    assert one.alias == alias


@both_ways
@pytest.mark.parametrize(
    ("mpid", "profile_id"), [("7", "7"), (7, "7"), (..., None), (None, None), ({}, None)]
)
def test_the_profile_is_its_mpid(beside: dict[str, Any], mpid: Any, profile_id: str | None) -> None:
    [one] = memberships(of_profile(mpid=mpid) | beside)

    assert one.profile_id == profile_id


MD5 = "e179e95c00e7718ab4a23840f992ea63"


@both_ways
@pytest.mark.parametrize(
    ("user", "device", "identities"),
    [
        ([("email", "raw", EMAIL)], [], {"email": EMAIL}),
        ([("email", "md5", MD5)], [], {"email": MD5}),
        ([("email", "sha256", MD5 * 2)], [], {"email": MD5 * 2}),
        ([("Email", "raw", EMAIL)], [], {"email": EMAIL}),
        ([("mobile_number", "raw", "+1")], [], {"phone": "+1"}),
        (
            [("phone_number_2", "raw", "2"), ("mobile_number", "raw", "1"), ("PHONE_NUMBER_3", "raw", "3")],
            [],
            {"phone": ["2", "1", "3"]},
        ),
        ([("email", "raw", "a@b.c"), ("email", "raw", "d@e.f")], [], {"email": ["a@b.c", "d@e.f"]}),
        ([], [("ios_advertising_id", "raw", IDFA)], {"idfa": IDFA}),
        ([], [("google_advertising_id", "md5", MD5)], {"gaid": MD5}),
        (
            [("customer", "raw", "7")],
            [("ios_vendor_id", "raw", "v"), ("Android_ID", "raw", "a")],
            {"customer": "7", "ios_vendor_id": "v", "android_id": "a"},
        ),
        ([], [], {}),
        (None, None, {}),
        (..., ..., {}),
    ],
    ids=str,
)  # fmt: skip
def test_types_of_identities_become_the_native_namespaces(
    beside: dict[str, Any], user: Any, device: Any, identities: dict[str, Any]
) -> None:
    def listed(some: Any) -> Any:
        if not isinstance(some, list):
            return some
        return [dict(zip(("type", "encoding", "value"), one, strict=True)) for one in some]

    tree = of_profile(user_identities=listed(user), device_identities=listed(device))
    [one] = memberships(tree | beside)

    assert (one.identities, one.problem) == (identities, None)


@pytest.mark.parametrize(
    ("value", "expected"), [(7, 7), ({"a": 1}, {"a": 1}), ([EMAIL], [EMAIL]), (None, None)], ids=str
)
def test_values_of_any_type_are_left_to_be_judged(value: Any, expected: Any) -> None:
    [one] = memberships(of_profile(user_identities=[{"type": "email", "value": value}]))

    assert one.identities["email"] == expected


@both_ways
@pytest.mark.parametrize(
    ("timestamp_ms", "at", "problem"),
    [
        (..., None, None),
        (None, None, None),
        (0, 0.0, None),
        (1685499524620, AT, None),
        (253_402_300_799_999, 253_402_300_799.999, None),
        (253_402_300_800_000, None, "malformed_timestamp"),
        (2**70, None, "malformed_timestamp"),
        (-1, None, "malformed_timestamp"),
        (1.5, None, "malformed_timestamp"),
        (True, None, "malformed_timestamp"),
        ("2026-11-20T12:00:00Z", None, "malformed_timestamp"),
    ],
    ids=str,
)
def test_it_changed_at_the_requests_time(
    beside: dict[str, Any], timestamp_ms: Any, at: float | None, problem: str | None
) -> None:
    tree = request(timestamp_ms=1, **beside)
    value = orjson.dumps(tree).replace(
        b'"timestamp_ms":1', b'"timestamp_ms":' + written(timestamp_ms)
    )
    if timestamp_ms is ...:
        value = orjson.dumps(request(timestamp_ms=..., **beside))
    [one] = decode(value)

    assert (one.at, one.problem) == (at, problem)


def written(value: Any) -> bytes:
    return b"%d" % value if type(value) is int else orjson.dumps(None if value is ... else value)


AUDIENCE_PATH = "user_profiles[0].audiences[0]"
WRONG_AUDIENCES = [
    ({"audience_id": ...}, "missing_field", ".audience_id is missing"),
    ({"audience_id": None}, "missing_field", ".audience_id is missing"),
    ({"audience_id": 4.5}, "wrong_type", ".audience_id is neither a whole number nor text"),
    ({"audience_id": True}, "wrong_type", ".audience_id is neither a whole number nor text"),
    ({"audience_id": [4]}, "wrong_type", ".audience_id is neither a whole number nor text"),
    ({"action": ...}, "missing_field", ".action is missing"),
    ({"action": None}, "missing_field", ".action is missing"),
    ({"action": 1}, "wrong_type", ".action is not a string"),
    ({"action": "Add"}, "unknown_status", ".action is none of add, delete, attribute_update"),
    ({"action": ""}, "unknown_status", ".action is none of add, delete, attribute_update"),
    ({"audience_name": 7}, "wrong_type", ".audience_name is not a string"),
]


@both_ways
@pytest.mark.parametrize(("changes", "reason", "detail"), WRONG_AUDIENCES, ids=str)
def test_a_wrong_audience_alone_is_refused_by_its_path(
    beside: dict[str, Any], changes: dict[str, Any], reason: str, detail: str
) -> None:
    assert refusal(of_audience(**changes) | beside) == (reason, AUDIENCE_PATH + detail)


@both_ways
@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        (request(type=...), ("missing_field", "type is missing")),
        (request(type=None), ("missing_field", "type is missing")),
        (request(type=7), ("wrong_type", "type is not a string")),
        (request(user_profiles={}), ("wrong_type", "user_profiles is not a list")),
        (request(user_profiles=[7]), ("wrong_type", "user_profiles[0] is not an object")),
        (of_profile(audiences=...), ("missing_field", "user_profiles[0].audiences is missing")),
        (of_profile(audiences=None), ("missing_field", "user_profiles[0].audiences is missing")),
        (of_profile(audiences={}), ("wrong_type", "user_profiles[0].audiences is not a list")),
        (of_profile(audiences=["vip"]), ("wrong_type", f"{AUDIENCE_PATH} is not an object")),
    ],
    ids=str,
)
def test_a_wrong_shape_is_refused_by_its_path(
    beside: dict[str, Any], tree: dict[str, Any], expected: tuple[str, str]
) -> None:
    assert refusal(tree | beside) == expected


WRONG_PROFILES = [
    (7, "wrong_type"),
    (changed(PROFILE, {"audiences": ...}), "missing_field"),
    (changed(PROFILE, {"audiences": [changed(AUDIENCE, {"action": "?"})]}), "unknown_status"),
]


@both_ways
@pytest.mark.parametrize(("wrong", "reason"), WRONG_PROFILES, ids=str)
def test_a_wrong_profile_does_not_hold_up_the_others(
    beside: dict[str, Any], wrong: Any, reason: str
) -> None:
    other = changed(PROFILE, {"mpid": "2"})
    some = memberships(request(user_profiles=[PROFILE, wrong, other], **beside))

    assert [(one.profile_id, one.problem) for one in some] == [("12345", reason), ("2", None)]


@both_ways
def test_a_wrong_audience_does_not_hold_up_the_others(beside: dict[str, Any]) -> None:
    wrong = changed(AUDIENCE, {"audience_id": None})
    [one] = memberships(of_profile(audiences=[wrong, AUDIENCE, wrong]) | beside)

    assert (one.segment, one.problem) == ("456", "missing_field")


@both_ways
@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ([{"value": EMAIL}], "missing_field"),
        ([{"type": None, "value": EMAIL}], "missing_field"),
        ([{"type": 7, "value": EMAIL}], "wrong_type"),
        ([EMAIL], "wrong_type"),
        (EMAIL, "wrong_type"),
        ({"type": "email", "value": EMAIL}, "wrong_type"),
    ],
    ids=str,
)
def test_a_wrong_identity_is_told_and_does_not_hold_up_the_others(
    beside: dict[str, Any], wrong: Any, reason: str
) -> None:
    [one] = memberships(of_profile(user_identities=wrong) | beside)

    assert (one.identities, one.problem) == ({"idfa": IDFA}, reason)


def test_identities_of_a_profile_without_changes_are_not_looked_at() -> None:
    update = changed(AUDIENCE, {"action": "attribute_update"})

    assert memberships(of_profile(audiences=[update], user_identities=7)) == []


def test_what_was_left_out_is_told_before_a_wrong_time() -> None:
    wrong = changed(AUDIENCE, {"action": "?"})
    tree = of_profile(audiences=[wrong, AUDIENCE, AUDIENCE]) | {"timestamp_ms": "now"}
    some = memberships(tree)

    assert [one.problem for one in some] == ["unknown_status", "malformed_timestamp"]


SHA1 = "a" * 40
SHA256 = "b" * 64


@pytest.mark.parametrize(
    ("kind", "encoding", "value", "target", "digest"),
    [
        ("email", "sha256", SHA256, Target.EMAIL_SHA256, SHA256),
        ("email", "md5", MD5, Target.EMAIL_SHA256, None),
        ("email", "sha1", SHA1, Target.EMAIL_SHA256, None),
        ("mobile_number", "md5", MD5, Target.PHONE_SHA256, None),
        ("mobile_number", "sha1", SHA1, Target.PHONE_SHA256, None),
        ("ios_advertising_id", "md5", MD5, Target.IDFA_MD5, MD5),
        ("ios_advertising_id", "md5", MD5, Target.IDFA_SHA256, None),
        ("ios_advertising_id", "sha256", SHA256, Target.IDFA_SHA256, SHA256),
        ("ios_advertising_id", "sha256", SHA256, Target.IDFA_MD5, None),
        ("google_advertising_id", "md5", MD5, Target.AAID_MD5, MD5),
    ],
)
def test_a_digest_that_suits_no_target_is_dropped_and_counted_later(
    kind: str, encoding: str, value: str, target: Target, digest: str | None
) -> None:
    identities = [{"type": kind, "encoding": encoding, "value": value}]
    [one] = memberships(of_profile(user_identities=identities, device_identities=...))
    [namespace] = one.identities
    judged = IdentityMap([IdentityMapping(namespace, target)])

    assert judged.rows(one.identities) == ([] if digest is None else [[bytes.fromhex(digest)]])
    assert judged.dropped == ({(namespace, "other_digest"): 1} if digest is None else {})
