"""Any bytes: memberships, or a reason that quotes nothing of them."""

import json
from typing import Any

import orjson
from hypothesis import example, given
from hypothesis import strategies as st

from connector.errors import InvalidRecord
from connector.formats.membership import (
    DECODE_REASONS,
    MALFORMED_TIMESTAMP,
    Decode,
    Membership,
)
from connector.formats.native import _decode_any, decode
from tests.formats.strategies import (
    broken_events,
    escaped,
    events,
    many,
    to_bytes,
    trees,
)

MARKER = "kX7mark"

Outcome = Membership | tuple[str, str]


def outcome_of(value: bytes, by: Decode = decode) -> Outcome:
    try:
        [one] = by(value)
    except InvalidRecord as invalid:
        reason, detail = invalid.reason, invalid.detail
    else:
        return usable(one)
    assert reason in DECODE_REASONS
    return reason, detail


def usable(one: Membership) -> Membership:
    assert isinstance(one.segment, str)
    assert isinstance(one.identities, dict)
    assert one.problem in {None, MALFORMED_TIMESTAMP}
    return one


def general(value: bytes) -> list[Membership]:
    return [_decode_any(value)]


@many
@given(st.binary() | broken_events() | trees.map(lambda tree: to_bytes(tree, ascii_only=True)))
@example(b"")
@example(b"[" * 100_000)
def test_any_bytes_are_memberships_or_an_invalid_record(value: bytes) -> None:
    outcome_of(value)


@many
@given(event=events, ascii_only=escaped)
def test_events_of_all_kinds_are_memberships_or_an_invalid_record(
    event: dict[str, Any], *, ascii_only: bool
) -> None:
    outcome = outcome_of(to_bytes(event, ascii_only=ascii_only))
    if isinstance(outcome, Membership):
        assert outcome.segment == event["segment"]
        assert outcome.identities == event["identities"]


@many
@given(event=events, ascii_only=escaped)
def test_the_typed_and_the_general_way_agree(event: dict[str, Any], *, ascii_only: bool) -> None:
    value = to_bytes(event, ascii_only=ascii_only)
    beside = to_bytes(event | {"\u00fc": "\u00fc"}, ascii_only=False)

    assert outcome_of(value) == outcome_of(value, general) == outcome_of(beside)


@many
@given(event=events, number=st.sampled_from([b"2e308", b"-1e999", b"9" * 400, b"1e-999"]))
def test_a_number_that_no_float_holds_is_ignored_in_an_ignored_field(
    event: dict[str, Any], number: bytes
) -> None:
    value = to_bytes(event | {"segment": "s"}, ascii_only=True)
    beside = value[:-1] + b',"x":' + number

    assert outcome_of(beside + b"}") == outcome_of(value)
    assert outcome_of(beside + ',"\u00fc":0}'.encode()) == outcome_of(value)


@many
@given(broken_events())
def test_they_agree_on_broken_events_too(value: bytes) -> None:
    assert outcome_of(value) == outcome_of(value, general)


def marked(tree: Any) -> Any:
    """The tree with the marker in each of its texts and in each key that is not ours."""
    if isinstance(tree, str):
        return MARKER + tree
    if isinstance(tree, list):
        return [marked(one) for one in tree]
    if isinstance(tree, dict):
        return {MARKER + key: marked(value) for key, value in tree.items()}
    return tree


@many
@given(events, st.integers(0, 200))
def test_what_is_said_about_a_record_quotes_none_of_its_values(
    event: dict[str, Any], cut_at: int
) -> None:
    tree = {key: marked(value) for key, value in event.items()}
    for value in (json.dumps(tree).encode(), orjson.dumps(tree), orjson.dumps(tree)[:cut_at]):
        outcome = outcome_of(value)
        if not isinstance(outcome, Membership):
            assert MARKER not in "".join(outcome)
