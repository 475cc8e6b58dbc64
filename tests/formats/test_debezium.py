"""Change events of a table: what each operation means, what an update ends, and what the columns may hold."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.core.model import Action
from connector.errors import InvalidRecord
from connector.formats.debezium import _Table, make
from connector.formats.membership import Membership
from tests.cpu import assert_within
from tests.formats.mutations import broken, decode_only, mutated, outcome_of
from tests.formats.strategies import escaped, many, to_bytes

COLUMNS = {"profile_id": "user_id", "segment": "list", "Email": "mail", "phone": "phone"}
TABLE = _Table(COLUMNS)
AT = 1685499524.62


def row(**changes: Any) -> dict[str, Any]:
    """A row of the table, with a column that nobody reads; `...` takes one away."""
    columns = {
        "id": 5,
        "user_id": "p-1",
        "list": "high-value",
        "mail": "jane@example.com",
        "phone": "+12133734253",
    } | changes
    return {key: value for key, value in columns.items() if value is not ...}


def change(op: Any, before: Any = None, after: Any = None, **others: Any) -> dict[str, Any]:
    tree = {
        "before": before,
        "after": after,
        "source": {"connector": "postgresql", "snapshot": "false", "ts_ms": 1685499524000},
        "op": op,
        "ts_ms": 1685499524620,
        "transaction": None,
    } | others
    return {key: value for key, value in tree.items() if value is not ...}


SCHEMA = {"type": "struct", "fields": [{"type": "string", "field": "op"}], "optional": False}

ways = pytest.mark.parametrize(
    "wrap",
    [
        pytest.param(lambda tree: tree, id="typed"),
        pytest.param(lambda tree: tree | {"comment": "\u00fc"}, id="general"),
        pytest.param(lambda tree: {"schema": SCHEMA, "payload": tree}, id="wrapped"),
        pytest.param(lambda tree: {"schema": "\u00fc", "payload": tree}, id="wrapped, general"),
    ],
)


def memberships(tree: Any) -> list[Membership]:
    return make(COLUMNS).decode(orjson.dumps(tree))


def refusal(tree: Any) -> tuple[str, str]:
    with pytest.raises(InvalidRecord) as invalid:
        memberships(tree)
    return invalid.value.reason, invalid.value.detail


def entry(**identities: Any) -> Membership:
    return membership(Action.ADD, **identities)


def exit_(**identities: Any) -> Membership:
    return membership(Action.DELETE, **identities)


def membership(
    action: Action, segment: str = "high-value", profile_id: str | None = "p-1", **identities: Any
) -> Membership:
    return Membership(segment, action, identities, profile_id=profile_id, at=AT)


JANE = {"email": "jane@example.com", "phone": "+12133734253"}


@ways
@pytest.mark.parametrize("op", ["c", "r", "u"])
def test_a_row_that_is_there_entered(wrap: Any, op: str) -> None:
    assert memberships(wrap(change(op, after=row()))) == [entry(**JANE)]


@ways
def test_a_row_that_is_deleted_exited(wrap: Any) -> None:
    assert memberships(wrap(change("d", before=row()))) == [exit_(**JANE)]


@ways
@pytest.mark.parametrize("op", ["t", "m"])
def test_truncating_and_messages_hold_nothing(wrap: Any, op: str) -> None:
    assert memberships(wrap(change(op))) == []


def test_a_wrapped_tombstone_holds_nothing() -> None:
    assert memberships({"schema": None, "payload": None}) == []


@ways
@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        pytest.param(row(), row(), [entry(**JANE)], id="nothing that is read"),
        pytest.param(
            row(mail="old@example.com"),
            row(),
            [exit_(email="old@example.com"), entry(**JANE)],
            id="an identifier",
        ),
        pytest.param(
            row(mail="old@example.com"),
            row(mail=None),
            [exit_(email="old@example.com"), entry(phone="+12133734253")],
            id="an identifier taken away",
        ),
        pytest.param(row(mail=None), row(), [entry(**JANE)], id="an identifier more"),
        pytest.param(
            row(mail=["a@b.c", "d@e.f"]),
            row(mail=["d@e.f", "g@h.i"]),
            [exit_(email=["a@b.c"]), entry(email=["d@e.f", "g@h.i"], phone="+12133734253")],
            id="one of several",
        ),
        pytest.param(
            row(mail="a@b.c"),
            row(mail=["d@e.f", "a@b.c"]),
            [entry(email=["d@e.f", "a@b.c"], phone="+12133734253")],
            id="one more beside it",
        ),
        pytest.param(
            row(mail=["a@b.c", 7, None]),
            row(mail="d@e.f"),
            [exit_(email=["a@b.c"]), entry(email="d@e.f", phone="+12133734253")],
            id="several to one",
        ),
        pytest.param(
            row(phone=7),
            row(phone={"number": 7}),
            [entry(email="jane@example.com", phone={"number": 7})],
            id="what identifies nobody",
        ),
        pytest.param(
            row(list="churned"),
            row(),
            [exit_(segment="churned", **JANE), entry(**JANE)],
            id="the segment",
        ),
        pytest.param(
            row(list="churned", mail="old@example.com"),
            row(),
            [
                exit_(segment="churned", email="old@example.com", phone="+12133734253"),
                entry(**JANE),
            ],
            id="the segment and an identifier",
        ),
        pytest.param(row(user_id="p-2"), row(), [entry(**JANE)], id="the profile alone"),
        pytest.param(
            row(user_id="p-2", mail="old@example.com"),
            row(),
            [exit_(profile_id="p-2", email="old@example.com"), entry(**JANE)],
            id="the profile and an identifier",
        ),
        pytest.param(None, row(), [entry(**JANE)], id="not known"),
        pytest.param({"id": 5}, row(), [entry(**JANE)], id="known by the key alone"),
        pytest.param(
            {"id": 5, "user_id": "p-1", "list": None, "mail": None, "phone": None},
            row(),
            [entry(**JANE)],
            id="known by the key, the others null",
        ),
        pytest.param(
            row(list="churned", mail=None, phone=None),
            row(),
            [exit_(segment="churned"), entry(**JANE)],
            id="known without identifiers",
        ),
    ],
)
def test_an_update_exits_what_is_gone_and_then_enters(
    wrap: Any, before: Any, after: Any, expected: list[Membership]
) -> None:
    assert memberships(wrap(change("u", before, after))) == expected


def test_an_update_without_before_enters() -> None:
    assert memberships(change("u", ..., row())) == [entry(**JANE)]


@ways
def test_whole_numbers_are_ids_but_no_identifiers(wrap: Any) -> None:
    [one] = memberships(wrap(change("c", after=row(user_id=42, list=-7, phone=12133734253))))

    assert (one.profile_id, one.segment) == ("42", "-7")
    assert one.identities == {"email": "jane@example.com", "phone": 12133734253}


@ways
@pytest.mark.parametrize(
    ("ts_ms", "at", "problem"),
    [
        (..., None, None),
        (None, None, None),
        (1685499524620, AT, None),
        (0, 0.0, None),
        (-1, None, "malformed_timestamp"),
        (2**60, None, "malformed_timestamp"),
        (1.5, None, "malformed_timestamp"),
        (True, None, "malformed_timestamp"),
        ("2026-11-20T12:00:00Z", None, "malformed_timestamp"),
    ],
    ids=str,
)
def test_it_changed_at_the_events_time(
    wrap: Any, ts_ms: Any, at: float | None, problem: str | None
) -> None:
    [one] = memberships(wrap(change("c", after=row(), ts_ms=ts_ms)))

    assert (one.at, one.problem) == (at, problem)


MISSING = "missing_field"
WRONG = "wrong_type"


@ways
@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        (change(...), (MISSING, "op is missing")),
        (change(None), (MISSING, "op is missing")),
        (change(1, after=row()), (WRONG, "op is not a string")),
        (change("x", after=row()), ("unknown_status", "op is none of c, r, u, d")),
        (change("C", after=row()), ("unknown_status", "op is none of c, r, u, d")),
        (change("c"), (MISSING, "after is missing")),
        (change("u", row()), (MISSING, "after is missing")),
        (change("d"), (MISSING, "before is missing")),
        (change("d", after=row()), (MISSING, "before is missing")),
        (change("c", after="{}"), (WRONG, "after is not an object")),
        (change("u", [], row()), (WRONG, "before is not an object")),
        (
            change("c", after=row(list=...)),
            (MISSING, "after has no value in the column of segment"),
        ),
        (
            change("d", row(list=None)),
            (MISSING, "before has no value in the column of segment"),
        ),
        (
            change("c", after=row(user_id=None)),
            (MISSING, "after has no value in the column of profile_id"),
        ),
        (
            change("c", after=row(user_id=1.5)),
            (WRONG, "the column of profile_id in after holds neither text nor a number"),
        ),
        (
            change("c", after=row(list=True)),
            (WRONG, "the column of segment in after holds neither text nor a number"),
        ),
    ],
    ids=str,
)
def test_a_wrong_shape_is_refused_with_what_is_wrong(
    wrap: Any, tree: Any, expected: tuple[str, str]
) -> None:
    assert refusal(wrap(tree)) == expected


def test_a_payload_that_is_no_object_is_refused() -> None:
    assert refusal({"schema": None, "payload": "x"}) == (WRONG, "payload is not an object")


@pytest.mark.parametrize(
    ("columns", "word"),
    [
        ({"segment": "s", "email": "e"}, "columns.profile_id"),
        ({"profile_id": "p", "email": "e"}, "columns.segment"),
        ({"profile_id": "p", "segment": "s"}, "no namespace"),
        ({"profile_id": "p", "segment": "s", "email": "e", "Email": "f"}, "twice"),
    ],
    ids=str,
)
def test_wrong_columns_are_refused(columns: dict[str, str], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        make(columns)


ORIGINALS = (
    change("c", after=row()),
    change("u", row(mail="old@example.com"), row(list="churned")),
    change("d", row(phone=7)),
    {"schema": SCHEMA, "payload": change("u", row(mail=["a@b.c"]), row())},
)
SECRETS = ("p-1", "high-value", "churned", "@example", "1213")


@many
@given(st.binary() | broken(*ORIGINALS))
def test_any_bytes_are_memberships_or_an_invalid_record(value: bytes) -> None:
    outcome_of(TABLE.decode, value, *SECRETS)


@many
@given(tree=mutated(*ORIGINALS), ascii_only=escaped)
def test_the_typed_and_the_general_way_agree(tree: Any, *, ascii_only: bool) -> None:
    value = to_bytes(tree, ascii_only=ascii_only)
    typed = outcome_of(TABLE.decode, value, *SECRETS)

    assert typed == outcome_of(TABLE.decode_any, value, *SECRETS)


@pytest.mark.parametrize(
    "many_values",
    [list(range(70_000)), [f"{n}@b.c" for n in range(40_000)], json.loads("[" * 800 + "]" * 800)],
    ids=["numbers", "texts", "deep"],
)
def test_lists_of_identifiers_cost_no_more_than_their_length(many_values: list[Any]) -> None:
    value = json.dumps(change("u", row(mail=many_values), row(mail=many_values[::-1]))).encode()

    assert_within(0.05, lambda: decode_only(TABLE.decode, value))
