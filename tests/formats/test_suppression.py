"""The suppression topic's entry by tables, and any bytes: an entry, or a reason that quotes nothing of them."""

from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connector.core.suppression import Status, SuppressionEntry
from connector.errors import InvalidRecord
from connector.formats.membership import DECODE_REASONS
from connector.formats.suppression import decode
from tests.formats.strategies import broken_events, identities, many, texts, to_bytes, trees

MARKER = "kX7mark"

WRONG_TYPES: list[tuple[str, str, tuple[object, ...]]] = [
    ("profile_id", "a string", (None, 7, [], {})),
    ("status", "a string", (None, True, ["erased"])),
    ("identities", "an object", ("a@b.c", [], ["a@b.c"], 0, False)),
]


def entry(**changes: Any) -> dict[str, Any]:
    """A right entry with these fields changed; `...` takes one away."""
    tree = {
        "profile_id": "p-1",
        "status": "suppressed",
        "identities": {"email": "jane@example.com"},
    } | changes
    return {key: value for key, value in tree.items() if value is not ...}


def decoded(tree: Any) -> SuppressionEntry:
    return decode(orjson.dumps(tree))


def refusal(value: bytes) -> tuple[str, str]:
    with pytest.raises(InvalidRecord) as invalid:
        decode(value)
    assert str(invalid.value) == invalid.value.detail
    return invalid.value.reason, invalid.value.detail


@pytest.mark.parametrize("status", Status)
def test_an_entry_is_a_profile_a_status_and_identities(status: Status) -> None:
    assert decoded(entry(status=status)) == ("p-1", status, {"email": "jane@example.com"})


@pytest.mark.parametrize("nothing", [..., None, {}], ids=["absent", "null", "empty"])
@pytest.mark.parametrize("status", Status)
def test_an_entry_may_have_no_identities(status: Status, nothing: Any) -> None:
    assert decoded(entry(status=status, identities=nothing)) == ("p-1", status, {})


@pytest.mark.parametrize(
    "identities",
    [
        {"email": "a@b.c", "phone": ["+12133734253", None]},
        {"email": None, "idfa": ""},
        {"crm": 7, "flag": True, "object": {"a": [1]}},
        {"e-mail \u00fc": "j\u00fcrgen@b.de"},
    ],
    ids=str,
)
def test_identities_of_any_type_are_passed_on(identities: dict[str, Any]) -> None:
    assert decoded(entry(identities=identities)).identities == identities


def test_unknown_fields_are_ignored() -> None:
    extra = {"segment": 7, "Status": "gone", "": None, "requested_at": "2026-11-20", "x": [{}]}

    assert decoded(entry(**extra)) == decoded(entry())


def test_any_text_is_a_profile_id() -> None:
    for profile_id in ("", " ", "\u00fc", "p" * 10_000):
        assert decoded(entry(profile_id=profile_id)).profile_id == profile_id


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        pytest.param(b"", "malformed_json", id="empty"),
        pytest.param(b"\x00", "malformed_json", id="a zero byte"),
        pytest.param(b"{", "malformed_json", id="cut off"),
        pytest.param(orjson.dumps(entry()) + b"x", "malformed_json", id="with a byte too many"),
        pytest.param(b'{"profile_id": "\xe4"}', "malformed_json", id="Latin-1"),
        pytest.param(b'{"profile_id": "\\ud800"}', "malformed_json", id="a lone surrogate"),
        pytest.param(b"[" * 50_000, "malformed_json", id="brackets that do not end"),
        pytest.param(b"null", "not_an_object", id="null"),
        pytest.param(b"[" + orjson.dumps(entry()) + b"]", "not_an_object", id="an entry in a list"),
        pytest.param(b'"erased"', "not_an_object", id="a string"),
        pytest.param(b"[" + b"[]," * 20_000 + b"1]", "too_complex", id="too many brackets"),
        pytest.param(
            b'{"identities":{"email":[' + b'"",' * 60_000 + b'""]}}',
            "too_complex",
            id="too many commas",
        ),
    ],
)
def test_what_is_not_json_or_not_an_object_is_refused(value: bytes, reason: str) -> None:
    assert refusal(value)[0] == reason


@pytest.mark.parametrize(
    ("changes", "reason", "detail"),
    [
        pytest.param({name: ...}, "missing_field", f"{name} is missing", id=f"no {name}")
        for name in ("profile_id", "status")
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
            "status is none of suppressed, erased, released",
            id=f"status {status!r}",
        )
        for status in ("", "Suppressed", "erased ", "RELEASED", "entered", "deleted")
    ],
)
def test_a_wrong_shape_is_refused_with_what_is_wrong(
    changes: dict[str, Any], reason: str, detail: str
) -> None:
    assert refusal(orjson.dumps(entry(**changes))) == (reason, detail)


def test_of_a_key_that_stands_twice_the_last_counts() -> None:
    value = b'{"profile_id":"p","status":"released","status":"erased","profile_id":"q"}'

    assert decode(value) == ("q", Status.ERASED, {})


rights = st.fixed_dictionaries(
    {"profile_id": texts, "status": st.sampled_from(Status)}, optional={"identities": identities}
)
wrongs = st.builds(
    lambda right, wrong, gone: {
        key: value for key, value in (right | wrong).items() if key not in gone
    },
    rights,
    st.dictionaries(st.sampled_from(["profile_id", "status", "identities"]), trees, max_size=2),
    st.lists(st.sampled_from(["profile_id", "status", "identities"]), max_size=1),
)


def outcome_of(value: bytes) -> SuppressionEntry | tuple[str, str]:
    try:
        found = decode(value)
    except InvalidRecord as invalid:
        reason, detail = invalid.reason, invalid.detail
    else:
        return usable(found)
    assert reason in DECODE_REASONS
    return reason, detail


def usable(found: SuppressionEntry) -> SuppressionEntry:
    assert isinstance(found.profile_id, str)
    assert isinstance(found.status, Status)
    assert isinstance(found.identities, dict)
    return found


@many
@given(st.binary() | broken_events() | trees.map(lambda tree: to_bytes(tree, ascii_only=True)))
@example(b"")
@example(b"[" * 100_000)
def test_any_bytes_are_an_entry_or_an_invalid_record(value: bytes) -> None:
    outcome_of(value)


@many
@given(right=rights, ascii_only=st.booleans())
def test_a_right_entry_comes_back_as_it_was(right: dict[str, Any], *, ascii_only: bool) -> None:
    wanted = (right["profile_id"], right["status"], right.get("identities", {}))

    assert outcome_of(to_bytes(right, ascii_only=ascii_only)) == wanted


@many
@given(wrongs)
def test_what_is_said_about_an_entry_quotes_none_of_its_values(tree: dict[str, Any]) -> None:
    outcome = outcome_of(orjson.dumps({key: marked(value) for key, value in tree.items()}))
    if not isinstance(outcome, SuppressionEntry):
        assert MARKER not in "".join(outcome)


def marked(tree: Any) -> Any:
    """The tree with the marker in each of its texts."""
    if isinstance(tree, str):
        return tree if tree in set(Status) else MARKER + tree
    if isinstance(tree, list):
        return [marked(one) for one in tree]
    if isinstance(tree, dict):
        return {MARKER + key: marked(value) for key, value in tree.items()}
    return tree
