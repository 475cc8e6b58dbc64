"""The judge of segment/mapping bodies: each rule, and that nothing makes it fail."""

import tracemalloc
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.sandbox.emulator.api_calls import MappingCall
from connector.sandbox.emulator.mapping import parse_mapping, parse_mapping_generally
from connector.sandbox.emulator.memberships import Memberships
from connector.sandbox.emulator.tiktok_facts import Violation
from tests.cpu import assert_within
from tests.sandbox.emulator_calls import FIRST, SECOND, entry, mapping, sha

DIGEST = sha("a")


def judged(body: Any) -> MappingCall | Violation:
    return parse_mapping(orjson.dumps(body))


def taken(body: Any) -> MappingCall:
    call = judged(body)
    assert isinstance(call, MappingCall), call
    return call


def one(entry_value: Any, kind: str = "EMAIL_SHA256") -> dict[str, Any]:
    return mapping([entry_value], schema=[kind])


def changed(**fields: Any) -> dict[str, Any]:
    return {**mapping([entry("a")]), **fields}


def without(field: str) -> dict[str, Any]:
    return {key: value for key, value in mapping([entry("a")]).items() if key != field}


MALFORMED: list[tuple[str, Any, str]] = [
    ("list body", [1], "body:"),
    ("text body", "x", "body:"),
    ("null body", None, "body:"),
    ("unknown field", changed(acton="delete"), "body:"),
    ("no advertisers", without("advertiser_ids"), "advertiser_ids:"),
    ("empty advertisers", changed(advertiser_ids=[]), "advertiser_ids:"),
    ("one advertiser unlisted", changed(advertiser_ids="7"), "advertiser_ids:"),
    ("number as advertiser", changed(advertiser_ids=["7", 7]), "advertiser_ids[1]:"),
    ("empty advertiser", changed(advertiser_ids=[""]), "advertiser_ids[0]:"),
    ("action remove", changed(action="remove"), "action:"),
    ("action in capitals", changed(action="ADD"), "action:"),
    ("action null", changed(action=None), "action:"),
    ("action a list", changed(action=["add"]), "action:"),
    ("no schema", without("id_schema"), "id_schema:"),
    ("empty schema", changed(id_schema=[]), "id_schema:"),
    ("type of the file API", changed(id_schema=["GAID_SHA256"]), "id_schema[0]:"),
    ("number in the schema", changed(id_schema=[1]), "id_schema[0]:"),
    (
        "type twice, in another case",
        mapping([entry("a"), entry("b")], schema=["EMAIL_SHA256", "email_sha256"]),
        "id_schema[1]:",
    ),
    ("no rows", without("batch_data"), "batch_data:"),
    ("empty rows", changed(batch_data=[]), "batch_data:"),
    ("rows an object", changed(batch_data={}), "batch_data:"),
    ("a row not a list", mapping([entry("a")], entry("b")), "batch_data[1]:"),  # type: ignore[arg-type]
    ("a row too short", mapping([entry("a")], []), "batch_data[1]:"),
    ("a row too long", mapping([entry("a"), {}]), "batch_data[0]:"),
    ("a row of {}", mapping([entry("a")], [{}]), "batch_data[1]:"),
    ("entry null", one(None), "batch_data[0][0]:"),
    ("entry a text", one(DIGEST), "batch_data[0][0]:"),
    ("entry with id_type", one({**entry("a"), "id_type": "EMAIL_SHA256"}), "batch_data[0][0]:"),
    ("id alone", one({"id": DIGEST}), "batch_data[0][0].audience_ids:"),
    ("audiences alone", one({"audience_ids": [FIRST]}), "batch_data[0][0].id:"),
    ("id null", one({"id": None, "audience_ids": [FIRST]}), "batch_data[0][0].id:"),
    ("id empty", one({"id": "", "audience_ids": [FIRST]}), "batch_data[0][0].id:"),
    ("id plain", one({"id": "jane@example.com", "audience_ids": [FIRST]}), "batch_data[0][0].id:"),
    ("id upper", one({"id": DIGEST.upper(), "audience_ids": [FIRST]}), "batch_data[0][0].id:"),
    ("id long", one({"id": DIGEST + "a", "audience_ids": [FIRST]}), "batch_data[0][0].id:"),
    (
        "id with blanks",
        one({"id": DIGEST[:62] + "  ", "audience_ids": [FIRST]}),
        "batch_data[0][0].id:",
    ),
    ("id of other letters", one({"id": "é" * 64, "audience_ids": [FIRST]}), "batch_data[0][0].id:"),
    ("SHA256 as MD5", one(entry("a"), "IDFA_MD5"), "batch_data[0][0].id:"),
    (
        "MD5 as SHA256",
        one({"id": DIGEST[:32], "audience_ids": [FIRST]}, "IDFA_SHA256"),
        "batch_data[0][0].id:",
    ),
    (
        "no audiences",
        one({"id": DIGEST, "audience_ids": []}),
        "batch_data[0][0].audience_ids:",
    ),
    (
        "one audience unlisted",
        one({"id": DIGEST, "audience_ids": FIRST}),
        "batch_data[0][0].audience_ids:",
    ),
    (
        "number as audience",
        one({"id": DIGEST, "audience_ids": [FIRST, 7]}),
        "batch_data[0][0].audience_ids[1]:",
    ),
    (
        "empty audience",
        one({"id": DIGEST, "audience_ids": [""]}),
        "batch_data[0][0].audience_ids[0]:",
    ),
]


@pytest.mark.parametrize(
    ("body", "where"), [case[1:] for case in MALFORMED], ids=[case[0] for case in MALFORMED]
)
def test_what_is_malformed_is_40002_and_names_the_position(body: Any, where: str) -> None:
    violation = judged(body)

    assert isinstance(violation, Violation)
    assert violation.code == 40002
    assert violation.message.startswith(where)
    assert DIGEST not in violation.message


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b'{"a": NaN}', b"[" * 100_000])
def test_what_is_not_json_is_40002(body: bytes) -> None:
    violation = parse_mapping(body)

    assert isinstance(violation, Violation)
    assert violation.code == 40002


def test_ten_thousand_rows_are_taken_and_one_more_is_40011() -> None:
    rows = [[entry("a")]] * 10_000

    assert taken(mapping(*rows)).rows == 10_000
    violation = judged(mapping(*rows, [entry("a")]))
    assert isinstance(violation, Violation)
    assert violation.code == 40011


def test_positions_decide_the_type_and_holes_are_left_out() -> None:
    call = taken(
        mapping(
            [entry("mail"), {}],
            [{}, {"id": sha("x")[:32], "audience_ids": [SECOND]}],
            schema=["email_sha256", "AAID_MD5"],
            action="delete",
        )
    )

    assert call.action == "delete"
    assert call.changes == {
        FIRST: {"EMAIL_SHA256": {bytes.fromhex(sha("mail"))}},
        SECOND: {"AAID_MD5": {bytes.fromhex(sha("x")[:32])}},
    }
    assert call.rows_by_audience == {FIRST: 1, SECOND: 1}


def test_add_is_the_default_action() -> None:
    assert taken(without("action")).action == "add"


def test_one_identifier_may_name_several_audiences_and_repeats_are_counted() -> None:
    call = taken(mapping([entry("a", FIRST, SECOND)], [entry("a", FIRST, FIRST)]))

    assert call.rows_by_audience == {FIRST: 2, SECOND: 1}
    assert call.repeated == 1


# JSON near enough to a call to come past the first checks, and far enough to break each later one.
_digests = st.sampled_from([sha("a"), sha("b"), sha("c")[:32], sha("a").upper(), "", " " * 64])
_audiences = st.lists(st.sampled_from([FIRST, SECOND, ""]), max_size=2)
_junk = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.floats(allow_nan=False)
    | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)
_entries = st.one_of(
    st.just({}),
    st.fixed_dictionaries({"id": _digests, "audience_ids": _audiences}),
    st.fixed_dictionaries(
        {}, optional={"id": _digests | _junk, "audience_ids": _audiences | _junk}
    ),
    _junk,
)
_types = st.sampled_from(["EMAIL_SHA256", "idfa_md5", "PHONE_SHA256", "GAID_MD5"])
_bodies = st.fixed_dictionaries(
    {"advertiser_ids": st.lists(st.sampled_from(["1", ""]), max_size=2) | _junk},
    optional={
        "action": st.sampled_from(["add", "delete", "remove"]) | _junk,
        "id_schema": st.lists(_types, max_size=3) | _junk,
        "batch_data": st.lists(st.lists(_entries, max_size=3), max_size=4) | _junk,
        "extra": _junk,
    },
)


@given(_bodies | _junk)
def test_any_json_gives_a_call_or_a_violation_and_both_paths_agree(body: Any) -> None:
    text = orjson.dumps(body)

    result = parse_mapping(text)

    assert isinstance(result, MappingCall | Violation)
    assert result == parse_mapping_generally(text)


_good_entries = st.builds(
    lambda name, audiences: entry(name, *audiences),
    st.sampled_from("abc"),
    st.lists(st.sampled_from([FIRST, SECOND]), min_size=1, max_size=2),
)
_good_rows = st.lists(
    st.lists(st.just({}) | _good_entries, min_size=2, max_size=2).filter(any),
    min_size=1,
    max_size=5,
)


@given(_good_rows)
def test_every_good_call_is_taken_alike_by_both_paths(rows: list[list[dict[str, Any]]]) -> None:
    text = orjson.dumps(mapping(*rows, schema=["EMAIL_SHA256", "PHONE_SHA256"]))

    call = parse_mapping(text)

    assert isinstance(call, MappingCall)
    assert call == parse_mapping_generally(text)


@given(st.binary(max_size=60))
def test_any_bytes_give_a_call_or_a_violation(body: bytes) -> None:
    assert isinstance(parse_mapping(body), MappingCall | Violation)


def test_members_are_a_set() -> None:
    memberships = Memberships()
    for action, name in [
        ("add", "a"),
        ("add", "a"),
        ("add", "b"),
        ("delete", "c"),
        ("delete", "b"),
    ]:
        memberships.apply(taken(mapping([entry(name)], action=action)))

    assert memberships.members(FIRST) == {"EMAIL_SHA256": [sha("a")]}
    assert memberships.sizes(FIRST) == {"EMAIL_SHA256": 1}
    assert memberships.rows(FIRST) == {"add": 3, "delete": 2}

    memberships.empty(FIRST)
    assert memberships.members(FIRST) == {}
    assert memberships.rows(FIRST) == {"add": 3, "delete": 2}


def test_a_thousand_rows_of_three_identifiers_are_judged_and_applied_a_hundred_times_a_second() -> (
    None
):
    schema = ["EMAIL_SHA256", "PHONE_SHA256", "IDFA_SHA256"]
    rows = [[entry(f"{row}-{kind}") for kind in schema] for row in range(1000)]
    text = orjson.dumps(mapping(*rows, schema=schema))
    memberships = Memberships()

    def judge_and_apply_a_hundred() -> None:
        for _ in range(100):
            call = parse_mapping(text)
            assert isinstance(call, MappingCall)
            memberships.apply(call)

    assert_within(1.0, judge_and_apply_a_hundred)


def test_a_member_costs_little_memory() -> None:
    bodies = [
        orjson.dumps(mapping(*([entry(f"{part}-{row}")] for row in range(10_000))))
        for part in range(2)
    ]
    memberships = Memberships()

    tracemalloc.start()
    try:
        for body in bodies:
            call = parse_mapping(body)
            assert isinstance(call, MappingCall)
            memberships.apply(call)
        del call
        used = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()

    assert memberships.sizes(FIRST) == {"EMAIL_SHA256": 20_000}
    assert used / 20_000 < 200
