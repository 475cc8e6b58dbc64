"""Adobe's segment export: which memberships a message holds, of whom, and what is left out."""

from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connector.core.model import Action
from connector.errors import InvalidRecord
from connector.formats.adobe_xdm import FORMAT, _decode_any, decode
from connector.formats.membership import Membership
from tests.cpu import assert_within
from tests.formats.mutations import broken, mutated, outcome_of
from tests.formats.strategies import escaped, many, to_bytes

VIP = "7841ba61-23c1-4bb3-a495-00d3f5fe1e93"
CHURNED = "59bd2fcd-3c48-4b18-bf56-4f5c5e6967ae"
AT = 1641936279.0
EMAIL = "655332b5fa2aea4498bf7a290cff017cb4a1b2c3d4e5f60718293a4b5c6d7e8f"
IDFA = "5f3a2b18-9c4d-4e7f-b8e2-17d3a1e69b25"

MESSAGE: dict[str, Any] = {
    "person": {},
    "personalEmail": {"address": "jane@example.com"},
    "segmentMembership": {
        "ups": {
            VIP: {
                "lastQualificationTime": "2022-01-11T21:24:39Z",
                "status": "exited",
                "name": "vip",
                "createdAt": 1648553325000,
                "updatedAt": 1648553330000,
            },
            CHURNED: {"lastQualificationTime": "2022-01-11T21:24:39Z", "status": "realized"},
        }
    },
    "identityMap": {
        "ecid": [{"id": "14575006536349286404619648085736425115"}],
        "email_lc_sha256": [{"id": EMAIL}],
        "IDFA": [{"id": IDFA}],
    },
}
ECID = "14575006536349286404619648085736425115"
IDENTITIES = {"ecid": ECID, "email": EMAIL, "idfa": IDFA}
"""Secrets of the message that no detail may quote."""
SECRETS = (VIP, CHURNED, ECID, EMAIL, IDFA, "jane@")

BESIDE = {"comment": "\u00fc"}
"""An ignored field that the typed decoding leaves to the general one."""

both_ways = pytest.mark.parametrize("beside", [{}, BESIDE], ids=["typed", "general"])


def prefixed(tree: Any) -> Any:
    """The message with `xdm:` before each key that is Adobe's."""
    return {
        "xdm:segmentMembership": {
            namespace: {
                segment: {f"xdm:{key}": value for key, value in one.items()}
                for segment, one in some.items()
            }
            for namespace, some in tree["segmentMembership"].items()
        },
        "xdm:identityMap": {
            name: [{f"xdm:{key}": value for key, value in one.items()} for one in some]
            for name, some in tree["identityMap"].items()
        },
        "xdm:personalEmail": {"xdm:address": tree["personalEmail"]["address"]},
    }


def message(**changes: Any) -> dict[str, Any]:
    return {key: value for key, value in (MESSAGE | changes).items() if value is not ...}


def memberships(tree: Any) -> list[Membership]:
    return decode(orjson.dumps(tree))


def one_membership(**fields: Any) -> dict[str, Any]:
    return {"ups": {VIP: {key: value for key, value in fields.items() if value is not ...}}}


def refusal(tree: Any) -> tuple[str, str]:
    with pytest.raises(InvalidRecord) as invalid:
        memberships(tree)
    return invalid.value.reason, invalid.value.detail


def test_it_repeats_memberships() -> None:
    assert FORMAT.repeats


@pytest.mark.parametrize(
    "tree", [MESSAGE, MESSAGE | BESIDE, prefixed(MESSAGE)], ids=["typed", "general", "prefixed"]
)
def test_a_message_holds_all_memberships_of_one_profile(tree: dict[str, Any]) -> None:
    some = memberships(tree)

    assert some == [
        Membership(VIP, Action.DELETE, IDENTITIES, profile_id=ECID, at=AT),
        Membership(CHURNED, Action.ADD, IDENTITIES, profile_id=ECID, at=AT),
    ]
    assert some[0].identities is some[1].identities


@both_ways
@pytest.mark.parametrize(
    ("status", "action"),
    [("realized", Action.ADD), ("existing", Action.ADD), ("exited", Action.DELETE)],
)
def test_realized_and_existing_are_members(
    beside: dict[str, Any], status: str, action: Action
) -> None:
    [one] = memberships(message(segmentMembership=one_membership(status=status), **beside))

    assert one.action is action


@both_ways
def test_segments_of_all_namespaces_count(beside: dict[str, Any]) -> None:
    segments = {"AAM": {"1": {"status": "realized"}}, "ups": {}, "own": {"2": {"status": "exited"}}}
    some = memberships(message(segmentMembership=segments, **beside))

    assert [(one.segment, one.action) for one in some] == [
        ("1", Action.ADD),
        ("2", Action.DELETE),
    ]


@both_ways
@pytest.mark.parametrize("segments", [{}, {"ups": {}}], ids=str)
def test_a_message_without_memberships_holds_none(
    beside: dict[str, Any], segments: dict[str, Any]
) -> None:
    assert memberships(message(segmentMembership=segments, **beside)) == []


@both_ways
@pytest.mark.parametrize(
    ("found", "at", "problem"),
    [
        (..., None, None),
        (None, None, None),
        ("2022-01-11T21:24:39Z", AT, None),
        ("2022-01-11T22:24:39+01:00", AT, None),
        ("2022-01-11T21:24:39", None, "malformed_timestamp"),
        ("never", None, "malformed_timestamp"),
        (1641936279, None, "malformed_timestamp"),
        ({}, None, "malformed_timestamp"),
    ],
    ids=str,
)
def test_it_changed_at_the_last_qualification(
    beside: dict[str, Any], found: Any, at: float | None, problem: str | None
) -> None:
    segments = one_membership(status="realized", lastQualificationTime=found)
    [one] = memberships(message(segmentMembership=segments, **beside))

    assert (one.at, one.problem) == (at, problem)


@both_ways
@pytest.mark.parametrize(
    ("identity_map", "identities"),
    [
        ({"Email": [{"id": "a@b.c"}]}, {"email": "a@b.c"}),
        ({"EMAIL": [{"id": "a@b.c"}]}, {"email": "a@b.c"}),
        ({"Email_LC_SHA256": [{"id": EMAIL}]}, {"email": EMAIL}),
        ({"email_sha256": [{"id": EMAIL}]}, {"email": EMAIL}),
        ({"emailsha256": [{"id": EMAIL}]}, {"email": EMAIL}),
        (
            {"Email": [{"id": "a@b.c"}, {"id": "d@e.f"}], "email_lc_sha256": [{"id": EMAIL}]},
            {"email": ["a@b.c", "d@e.f", EMAIL]},
        ),
        (
            {"Phone": [{"id": "+12133734253"}], "email": [{"id": "a@b.c"}]},
            {"phone": "+12133734253", "email": "a@b.c"},
        ),
        ({"Phone_E.164": [{"id": "+1"}]}, {"phone": "+1", "email": "jane@example.com"}),
        ({"phone_sha256": [{"id": "x"}]}, {"phone": "x", "email": "jane@example.com"}),
        ({"phone_sha256_E.164": [{"id": "x"}]}, {"phone": "x", "email": "jane@example.com"}),
        ({"GAID": [{"id": "x"}]}, {"gaid": "x", "email": "jane@example.com"}),
        ({"crmId": [{"id": "7"}]}, {"crmid": "7", "email": "jane@example.com"}),
        ({"AAID": [{"id": "7"}]}, {"aaid": "7", "email": "jane@example.com"}),
        ({"Email": [{"id": ""}]}, {"email": "jane@example.com"}),
        ({"Email": []}, {"email": "jane@example.com"}),
        ({}, {"email": "jane@example.com"}),
        (None, {"email": "jane@example.com"}),
        (..., {"email": "jane@example.com"}),
    ],
    ids=str,
)
def test_namespaces_become_the_native_ones(
    beside: dict[str, Any], identity_map: Any, identities: dict[str, Any]
) -> None:
    some = memberships(message(identityMap=identity_map, **beside))

    assert some[0].identities == identities


@pytest.mark.parametrize(
    ("identity_map", "identities"),
    [
        ({"IDFA": [{"id": 7}]}, {"idfa": 7}),
        ({"IDFA": [{"id": None}, {}]}, {}),
        ({"IDFA": {"id": "x"}}, {"idfa": "x"}),
        ({"IDFA": "x"}, {"idfa": "x"}),
        ({"IDFA": [["x"]]}, {"idfa": ["x"]}),
    ],
    ids=str,
)
def test_identities_of_another_shape_are_left_to_be_judged(
    identity_map: Any, identities: dict[str, Any]
) -> None:
    some = memberships(message(identityMap=identity_map, personalEmail=...))

    assert some[0].identities == identities


@pytest.mark.parametrize(
    "personal_email", [..., None, {}, {"address": None}, {"address": "j@x.y", "status": "active"}]
)
def test_the_address_does_not_stand_beside_an_email(personal_email: Any) -> None:
    some = memberships(message(personalEmail=personal_email))

    assert some[0].identities == IDENTITIES


@both_ways
@pytest.mark.parametrize(
    ("identity_map", "profile_id"),
    [
        ({"ECID": [{"id": "1"}, {"id": "2"}]}, "1"),
        ({"crm": [{"id": "7", "primary": True}], "ecid": [{"id": "1"}]}, "1"),
        ({"crm": [{"id": "6"}, {"id": "7", "primary": True}]}, "crm:7"),
        ({"CRM": [{"id": "7", "primary": True}], "x": [{"id": "8", "primary": True}]}, "crm:7"),
        ({"crm": [{"id": "7", "primary": False}]}, None),
        ({}, None),
    ],
    ids=str,
)
def test_the_profile_is_its_ecid_or_its_primary_identity(
    beside: dict[str, Any], identity_map: Any, profile_id: str | None
) -> None:
    some = memberships(message(identityMap=identity_map, **beside))

    assert {one.profile_id for one in some} == {profile_id}


def test_a_key_without_the_prefix_wins() -> None:
    segments = one_membership(**{"status": "exited", "xdm:status": "realized"})
    [one] = memberships(message(**{"segmentMembership": segments, "xdm:segmentMembership": {}}))

    assert one.action is Action.DELETE


WRONG = [
    pytest.param({"status": "withdrawn"}, "unknown_status", id="unknown"),
    pytest.param({"status": "Realized"}, "unknown_status", id="upper case"),
    pytest.param({"status": 1}, "wrong_type", id="a number"),
    pytest.param({"status": ["realized"]}, "wrong_type", id="a list"),
    pytest.param({"status": None}, "missing_field", id="null"),
    pytest.param({}, "missing_field", id="none"),
    pytest.param("realized", "wrong_type", id="not an object"),
    pytest.param(None, "wrong_type", id="no membership"),
]


@pytest.mark.parametrize(("wrong", "reason"), WRONG)
def test_a_membership_that_is_not_understood_does_not_hold_up_the_others(
    wrong: Any, reason: str
) -> None:
    right = {"status": "exited"}
    some = memberships(
        message(segmentMembership={"ups": {"a": wrong, "b": right, "c": wrong, "d": right}})
    )

    assert [(one.segment, one.problem) for one in some] == [("b", reason), ("d", reason)]


@pytest.mark.parametrize(("wrong", "reason"), WRONG)
def test_a_message_is_refused_when_none_of_its_memberships_is_understood(
    wrong: Any, reason: str
) -> None:
    assert refusal(message(segmentMembership={"ups": {VIP: wrong}}))[0] == reason


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"segmentMembership": ...}, ("missing_field", "segmentMembership is missing")),
        ({"segmentMembership": None}, ("missing_field", "segmentMembership is missing")),
        ({"segmentMembership": []}, ("wrong_type", "segmentMembership is not an object")),
        (
            {"segmentMembership": {"ups": []}},
            ("wrong_type", "a namespace of segmentMembership is no object"),
        ),
        ({"identityMap": []}, ("wrong_type", "identityMap is not an object")),
        ({"personalEmail": "a@b.c"}, ("wrong_type", "personalEmail is not an object")),
    ],
    ids=str,
)
def test_a_wrong_shape_is_refused_with_what_is_wrong(
    changes: dict[str, Any], expected: tuple[str, str]
) -> None:
    assert refusal(message(**changes)) == expected


RIGHT = {"status": "realized"}


@both_ways
@pytest.mark.parametrize(
    "changes",
    [
        {"segmentMembership": {"a": {str(n): RIGHT for n in range(10_001)}}},
        {"segmentMembership": {"a": dict.fromkeys(map(str, range(80_000)))}},
        {"identityMap": {"Email": [{"id": "a@b.c"}] * 10_001}},
        {"identityMap": {"Email": ["a"] * 200_000}},
    ],
    ids=["memberships", "nulls", "identities", "texts"],
)
def test_too_many_memberships_or_identities_are_refused(
    beside: dict[str, Any], changes: dict[str, Any]
) -> None:
    value = orjson.dumps(message(**changes, **beside))

    def be_refused() -> None:
        with pytest.raises(InvalidRecord) as invalid:
            decode(value)
        assert invalid.value.reason == "too_complex"

    assert_within(0.05, be_refused)


MESSAGES = (MESSAGE, prefixed(MESSAGE))


@many
@given(st.binary() | broken(*MESSAGES))
@example(b"{" * 60_000)
def test_any_bytes_are_memberships_or_an_invalid_record(value: bytes) -> None:
    outcome_of(decode, value, *SECRETS)


@many
@given(tree=mutated(*MESSAGES), ascii_only=escaped)
def test_the_typed_and_the_general_way_agree(tree: Any, *, ascii_only: bool) -> None:
    value = to_bytes(tree, ascii_only=ascii_only)

    assert outcome_of(decode, value, *SECRETS) == outcome_of(_decode_any, value, *SECRETS)
