"""The native event by tables: what it must have, what is ignored, and what is said about a wrong one."""

from typing import Any

import orjson
import pytest

from connector.core.model import Action
from connector.errors import InvalidRecord
from connector.formats.membership import MALFORMED_TIMESTAMP, Decode, Membership
from connector.formats.native import _decode_any, decode


def event(**changes: Any) -> dict[str, Any]:
    """A right event with these fields changed; `...` takes one away."""
    tree = {
        "profile_id": "p-1",
        "segment": "high-value",
        "status": "entered",
        "identities": {"email": "jane@example.com"},
    } | changes
    return {key: value for key, value in tree.items() if value is not ...}


NOT_TYPED: dict[str, Any] = {"timestamp": "some day"}
"""A field with which an event takes the general way; it is counted, and refuses nothing."""


def general(value: bytes) -> list[Membership]:
    """What the typed way does not take is decoded so."""
    return [_decode_any(value)]


def membership(tree: Any, way: Decode = decode) -> Membership:
    [one] = way(orjson.dumps(tree))
    return one


def refusal(value: bytes, way: Decode = decode) -> tuple[str, str]:
    with pytest.raises(InvalidRecord) as invalid:
        way(value)
    assert str(invalid.value) == invalid.value.detail
    return invalid.value.reason, invalid.value.detail


WRONG_TYPES: list[tuple[str, str, tuple[object, ...]]] = [
    ("profile_id", "a string", (None, 7, [], {})),
    ("segment", "a string", (None, True, ["a"])),
    ("status", "a string", (None, 1, {})),
    ("identities", "an object", (None, "a@b.c", [], 7)),
]

both_ways = pytest.mark.parametrize("way", [decode, general])


@both_ways
@pytest.mark.parametrize(("status", "action"), [("entered", Action.ADD), ("exited", Action.DELETE)])
def test_entering_adds_and_exiting_deletes(way: Decode, status: str, action: Action) -> None:
    assert membership(event(status=status), way) == Membership(
        "high-value", action, {"email": "jane@example.com"}, profile_id="p-1"
    )


@both_ways
@pytest.mark.parametrize(
    "identities",
    [
        {},
        {"email": "a@b.c", "phone": "+12133734253"},
        {"phone": ["+12133734253", None]},
        {"email": None, "idfa": ""},
        {"crm": 7, "flag": True, "object": {"a": [1]}},
        {"e-mail \u00fc": "j\u00fcrgen@b.de"},
    ],
    ids=str,
)
def test_identities_of_any_type_are_passed_on(way: Decode, identities: dict[str, Any]) -> None:
    assert membership(event(identities=identities), way).identities == identities


@both_ways
@pytest.mark.parametrize(
    "extra",
    [{"x": None}, {"x": [1, {"y": 2}]}, {"": 1}, {"Segment": 7, "STATUS": "gone"}, {"x": "\u00fc"}],
    ids=str,
)
def test_unknown_fields_are_ignored(way: Decode, extra: dict[str, Any]) -> None:
    assert membership(event(**extra), way) == membership(event())


@both_ways
@pytest.mark.parametrize(
    ("timestamp", "problem"),
    [
        (..., None),
        (None, None),
        ("2026-11-20T12:00:00Z", None),
        ("2026-11-20t12:00:00z", None),
        ("2026-11-20T12:00:00.5Z", None),
        ("2026-11-20T12:00:00.123456789+14:00", None),
        ("2026-11-20 12:00:00-00:00", None),
        ("2026-11-20T12:00:00", MALFORMED_TIMESTAMP),
        ("2026-11-20", MALFORMED_TIMESTAMP),
        ("2026-11-20T12:00Z", MALFORMED_TIMESTAMP),
        ("2026-13-20T12:00:00Z", MALFORMED_TIMESTAMP),
        ("2026-11-20T25:00:00Z", MALFORMED_TIMESTAMP),
        ("yesterday", MALFORMED_TIMESTAMP),
        ("", MALFORMED_TIMESTAMP),
        (1_763_640_000, MALFORMED_TIMESTAMP),
        (True, MALFORMED_TIMESTAMP),
        ({}, MALFORMED_TIMESTAMP),
    ],
    ids=str,
)
def test_a_malformed_timestamp_is_told_and_ignored(
    way: Decode, timestamp: Any, problem: str | None
) -> None:
    one = membership(event(timestamp=timestamp), way)

    assert one.problem == problem
    assert one.segment == "high-value"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        pytest.param(b"", "malformed_json", id="empty"),
        pytest.param(b"  ", "malformed_json", id="white space"),
        pytest.param(b"\x00", "malformed_json", id="a zero byte"),
        pytest.param(b"\xff\xfe{\x00}\x00", "malformed_json", id="UTF-16"),
        pytest.param(
            b"\xef\xbb\xbf" + orjson.dumps(event()), "malformed_json", id="a byte order mark"
        ),
        pytest.param(b'{"profile_id": "\xe4"}', "malformed_json", id="Latin-1"),
        pytest.param(
            b'{"profile_id": "\xed\xa0\x80"}', "malformed_json", id="a surrogate in UTF-8"
        ),
        pytest.param(b'{"profile_id": "\\ud800"}', "malformed_json", id="a lone surrogate"),
        pytest.param(b"hello", "malformed_json", id="text"),
        pytest.param(b"{", "malformed_json", id="cut off"),
        pytest.param(orjson.dumps(event())[:-1], "malformed_json", id="without its last byte"),
        pytest.param(orjson.dumps(event()) + b"x", "malformed_json", id="with a byte too many"),
        pytest.param(orjson.dumps(event()) * 2, "malformed_json", id="two in one"),
        pytest.param(b"{'profile_id': 'p'}", "malformed_json", id="Python's quotes"),
        pytest.param(b'{"profile_id": NaN}', "malformed_json", id="NaN"),
        pytest.param(b'{"profile_id": Infinity}', "malformed_json", id="Infinity"),
        pytest.param(b'{"identities": {"a": -Infinity}}', "malformed_json", id="-Infinity"),
        pytest.param(b'{"profile_id": "p",}', "malformed_json", id="a comma too many"),
        pytest.param(b"null", "not_an_object", id="null"),
        pytest.param(b"[]", "not_an_object", id="a list"),
        pytest.param(b"[" + orjson.dumps(event()) + b"]", "not_an_object", id="an event in a list"),
        pytest.param(b'"entered"', "not_an_object", id="a string"),
        pytest.param(b"7", "not_an_object", id="a number"),
        pytest.param(b"[" * 50_000, "malformed_json", id="brackets that do not end"),
        pytest.param(b"[" * 50_000 + b"]" * 50_000, "malformed_json", id="deep lists"),
        pytest.param(b'{"a":' * 50_000 + b"1" + b"}" * 50_000, "malformed_json", id="deep objects"),
        pytest.param(b"[" + b"[]," * 20_000 + b"1]", "too_complex", id="too many brackets"),
    ],
)
def test_what_is_not_json_or_not_an_object_is_refused(value: bytes, reason: str) -> None:
    assert refusal(value)[0] == reason


@both_ways
@pytest.mark.parametrize(
    ("changes", "reason", "detail"),
    [
        pytest.param({name: ...}, "missing_field", f"{name} is missing", id=f"no {name}")
        for name in ("profile_id", "segment", "status", "identities")
    ]
    + [
        pytest.param({name: value}, "wrong_type", f"{name} is not {kind}", id=f"{name} {value!r}")
        for name, kind, values in WRONG_TYPES
        for value in values
    ]
    + [
        pytest.param(
            {"status": status},
            "unknown_status",
            "status is neither entered nor exited",
            id=f"status {status!r}",
        )
        for status in ("", "Entered", "entered ", "realized", "removed")
    ],
)
def test_a_wrong_shape_is_refused_with_what_is_wrong(
    way: Decode, changes: dict[str, Any], reason: str, detail: str
) -> None:
    assert refusal(orjson.dumps(event(**changes)), way) == (reason, detail)


@both_ways
def test_of_a_key_that_stands_twice_the_last_counts(way: Decode) -> None:
    head = b'{"profile_id":"p","segment":"a","status":"entered","identities":{"email":"old"}'
    again = b',"identities":{"email":"older","email":"new"},"status":"exited","segment":"b"'
    [one] = way(head + again + b"}")

    assert one == Membership("b", Action.DELETE, {"email": "new"}, profile_id="p")


@both_ways
def test_a_wrong_value_before_the_last_does_not_count(way: Decode) -> None:
    head = b'{"segment":7,"status":null,"identities":[],"profile_id":"p","segment":"b",'
    [one] = way(head + b'"status":"exited","identities":{}}')

    assert one == Membership("b", Action.DELETE, {}, profile_id="p")
