"""JSON of any shape: what a mapping finds, what it makes of it, and which mappings cannot be used."""

import dataclasses
import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.core.model import Action
from connector.errors import InvalidRecord
from connector.formats.custom import CustomMapping, make
from connector.formats.membership import Membership
from tests.cpu import assert_within
from tests.formats.mutations import broken, decode_only, mutated, outcome_of
from tests.formats.strategies import escaped, many, to_bytes, trees

MAPPING = CustomMapping(
    profile_id="user.id",
    segment="audience.key",
    status="change.kind",
    entered=("joined", "back"),
    exited=("left",),
    timestamp="meta.time",
    identities={"email": "user.email", "Phone": "user.phones[].number"},
)
EVENT: dict[str, Any] = {
    "user": {"id": "p-1", "email": "jane@example.com", "phones": [{"number": "+12133734253"}]},
    "audience": {"key": "high-value"},
    "change": {"kind": "joined"},
    "meta": {"time": "2026-11-20T12:00:00Z"},
}
AT = 1795176000.0
IDENTITIES = {"email": "jane@example.com", "phone": ["+12133734253"]}
SECRETS = ("p-1", "jane@", "1213", "high-value", "joined")


def mapping(**changes: Any) -> CustomMapping:
    return dataclasses.replace(MAPPING, **changes)


def event(**changes: Any) -> dict[str, Any]:
    return {key: value for key, value in (EVENT | changes).items() if value is not ...}


def memberships(tree: Any, by: CustomMapping = MAPPING) -> list[Membership]:
    return make(by).decode(orjson.dumps(tree))


def refusal(tree: Any, by: CustomMapping = MAPPING) -> tuple[str, str]:
    with pytest.raises(InvalidRecord) as invalid:
        memberships(tree, by)
    return invalid.value.reason, invalid.value.detail


def test_an_event_is_read_by_the_mapping() -> None:
    assert memberships(EVENT) == [
        Membership("high-value", Action.ADD, IDENTITIES, profile_id="p-1", at=AT)
    ]


@pytest.mark.parametrize(
    ("status", "action"),
    [
        ("joined", Action.ADD),
        ("back", Action.ADD),
        ("left", Action.DELETE),
        (True, Action.ADD),
        (False, Action.DELETE),
        (7, Action.ADD),
        (7.0, Action.ADD),
        (1, Action.DELETE),
        (2.5, Action.DELETE),
        (0, None),
        ("true", None),
        ("Joined", None),
        ("7", None),
        ("", None),
    ],
)
def test_the_status_is_compared_by_value_and_kind(status: Any, action: Action | None) -> None:
    by = mapping(entered=("joined", "back", True, 7), exited=("left", False, 1, 2.5))
    tree = event(change={"kind": status})
    if action is None:
        detail = "status is none of those of entered and exited"
        assert refusal(tree, by) == ("unknown_status", detail)
    else:
        assert memberships(tree, by)[0].action is action


@pytest.mark.parametrize(
    ("segment", "segments", "problems"),
    [
        ("a", ["a"], [None]),
        (42, ["42"], [None]),
        (["a"], ["a"], [None]),
        (["a", 42, "b"], ["a", "42", "b"], [None, None, None]),
        (["a", None, "b"], ["a", "b"], ["wrong_type", None]),
        (["a", None, True, {}, "b"], ["a", "b"], ["wrong_type", "wrong_type"]),
        ([], [], []),
    ],
    ids=str,
)
def test_a_list_of_segments_is_a_membership_each(
    segment: Any, segments: list[str], problems: list[str | None]
) -> None:
    some = memberships(event(audience={"key": segment}))

    assert [one.segment for one in some] == segments
    assert [one.problem for one in some] == problems
    assert all(one.identities is some[0].identities for one in some)


@pytest.mark.parametrize(
    ("path", "user", "found"),
    [
        ("user.email", {"email": "a@b.c"}, "a@b.c"),
        ("user.email", {"email": ["a@b.c", "d@e.f"]}, ["a@b.c", "d@e.f"]),
        ("user.email", {"email": 7}, 7),
        ("user.email", {"email": None}, ...),
        ("user.email", {}, ...),
        ("user.email", {"email": ""}, ""),
        ("user.emails[0]", {"emails": ["a@b.c"]}, "a@b.c"),
        ("user.emails[-1].value", {"emails": [1, {"value": "a@b.c"}]}, "a@b.c"),
        ("user.emails[].value", {"emails": [{"value": "a"}, {}, {"value": "b"}]}, ["a", "b"]),
        ('user."e-mail"', {"e-mail": "a@b.c"}, "a@b.c"),
        ("user.work || user.home", {"home": "a@b.c"}, "a@b.c"),
        ("user.all[?type=='email'].value", {"all": [{"type": "email", "value": "x"}]}, ["x"]),
        ("join('', [user.cc, user.number])", {"cc": "+1", "number": "213"}, "+1213"),
    ],
)
def test_identities_are_what_their_paths_find(path: str, user: Any, found: Any) -> None:
    [one] = memberships(
        event(user={"id": "p-1"} | user), mapping(identities={"EMail": path, "crm": "user.id"})
    )

    assert one.identities == {"crm": "p-1"} | ({} if found is ... else {"email": found})


@pytest.mark.parametrize(
    ("found", "at", "problem"),
    [
        ("2026-11-20T12:00:00Z", AT, None),
        (None, None, None),
        ("2026-11-20T12:00:00", None, "malformed_timestamp"),
        (1795176000, None, "malformed_timestamp"),
        ({}, None, "malformed_timestamp"),
    ],
    ids=str,
)
def test_a_timestamp_refuses_no_record(found: Any, at: float | None, problem: str | None) -> None:
    [one] = memberships(event(meta={"time": found}))

    assert (one.at, one.problem) == (at, problem)


def test_a_malformed_timestamp_of_several_segments_is_told_once() -> None:
    some = memberships(event(meta={"time": "today"}, audience={"key": ["a", "b"]}))

    assert [one.problem for one in some] == [None, "malformed_timestamp"]


def test_nor_does_one_that_cannot_be_evaluated() -> None:
    [one] = memberships(EVENT, mapping(timestamp="join('', user.id)"))

    assert (one.at, one.problem) == (None, "malformed_timestamp")


def test_a_mapping_needs_no_timestamp() -> None:
    [one] = memberships(EVENT, mapping(timestamp=None))

    assert (one.at, one.problem) == (None, None)


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        (event(user={}), ("missing_field", "profile_id: nothing stands at its path")),
        (event(user="p-1"), ("missing_field", "profile_id: nothing stands at its path")),
        (event(user={"id": 1.5}), ("wrong_type", "profile_id is neither text nor a whole number")),
        (event(user={"id": []}), ("wrong_type", "profile_id is neither text nor a whole number")),
        (event(audience=...), ("missing_field", "segment: nothing stands at its path")),
        (
            event(audience={"key": True}),
            ("wrong_type", "segment is neither text nor a whole number"),
        ),
        (
            event(audience={"key": [None]}),
            ("wrong_type", "segment is a list with what is neither text nor a number"),
        ),
        (event(change=...), ("missing_field", "status: nothing stands at its path")),
        (event(change={"kind": {}}), ("wrong_type", "status is a list or an object")),
        ([], ("not_an_object", "the value is JSON, but not an object")),
    ],
    ids=str,
)
def test_a_wrong_shape_is_refused_with_what_is_wrong(tree: Any, expected: tuple[str, str]) -> None:
    assert refusal(tree) == expected


@pytest.mark.parametrize(
    "path",
    [
        "join('', user.id)",
        "length(user.none)",
        "contains('text', user.number)",
        "ceil(to_number('1e400'))",
        "max_by(user.mixed, &@)",
        "sort(user.mixed)",
    ],
)
def test_an_expression_that_cannot_be_evaluated_refuses_the_record(path: str) -> None:
    tree = event(user={"id": "p-1", "number": 7, "mixed": [1, "a"]})
    detail = "identities.email: its expression cannot be evaluated on this record"

    assert refusal(tree, mapping(identities={"email": path})) == ("wrong_type", detail)


# Mappings


@pytest.mark.parametrize(
    ("changes", "start"),
    [
        ({"profile_id": "user."}, "mapping.profile_id is not"),
        ({"segment": "a["}, "mapping.segment is not"),
        ({"status": "lower(a)"}, r"mapping.status.path calls lower\(\)"),
        ({"timestamp": ""}, "mapping.timestamp is not"),
        ({"identities": {"email": "a", "phone": "b."}}, "mapping.identities.phone is not"),
        ({"identities": {"email": "a", "EMAIL": "b"}}, "mapping.identities names"),
        ({"exited": ("left", "joined")}, "mapping.status has the same value"),
        ({"entered": (1,), "exited": (1.0,)}, "mapping.status has the same value"),
        ({"entered": (None,)}, "mapping.status.entered"),
        ({"exited": ((),)}, "mapping.status.exited"),
    ],
    ids=str,
)
def test_a_mapping_that_cannot_be_used_is_refused_by_its_key(
    changes: dict[str, Any], start: str
) -> None:
    with pytest.raises(ValueError, match=f"^{start}"):
        make(mapping(**changes))


# Properties

PLAIN = mapping(identities={"email": "user.email", "phone": "user.phones[0].number"})
DECODES = [make(MAPPING).decode, make(PLAIN).decode]


@many
@given(st.binary() | broken(EVENT), st.sampled_from(DECODES))
def test_any_bytes_are_memberships_or_an_invalid_record(value: bytes, decode: Any) -> None:
    outcome_of(decode, value, *SECRETS)


@many
@given(tree=mutated(EVENT) | trees, decode=st.sampled_from(DECODES), ascii_only=escaped)
def test_events_of_all_kinds_are_memberships_or_an_invalid_record(
    tree: Any, decode: Any, *, ascii_only: bool
) -> None:
    outcome_of(decode, to_bytes(tree, ascii_only=ascii_only), *SECRETS)


HOSTILE = [
    "to_string(@)",
    "contains(a, `[[]]`)",
    "sort(a)",
    "a[].b[].c[]",
    "sum(a)",
    "to_number(a)",
    "reverse(a)",
    "a == b",
    "*.*",
    "a[*][*][*]",
    "map(&[@, @], a)[][]",
]


@pytest.mark.parametrize("path", HOSTILE)
@pytest.mark.parametrize(
    "value",
    [
        pytest.param(json.dumps({"a": [1] * 300_000}).encode(), id="numbers"),
        pytest.param(json.dumps({"a": [1] * 9_000}).encode(), id="some numbers"),
        pytest.param(json.dumps({"a": [[]] * 9_000}).encode(), id="lists"),
        pytest.param(b'{"a":' * 900 + b"1" + b"}" * 900, id="deep objects"),
        pytest.param(
            b'{"a":' + b"[" * 900 + b"]" * 900 + b',"b":' + b"[" * 900 + b"]" * 900 + b"}",
            id="deep lists",
        ),
        pytest.param(json.dumps({"a": "9" * 1_000_000}).encode(), id="digits"),
        pytest.param(json.dumps({"a": "a" * 1_000_000}).encode(), id="text"),
        pytest.param(json.dumps({"a": {str(n): n for n in range(9_000)}}).encode(), id="keys"),
    ],
)
def test_hostile_data_is_bounded(path: str, value: bytes) -> None:
    by = CustomMapping("x", path, "x", ("in",), ("out",), path, {"email": path})
    decode = make(dataclasses.replace(by, profile_id="'p'", status="'in'")).decode

    assert_within(0.1, lambda: decode_only(decode, value))


def test_a_list_of_too_many_segments_is_refused() -> None:
    assert refusal(event(audience={"key": ["a"] * 10_001}), PLAIN)[0] == "too_complex"
