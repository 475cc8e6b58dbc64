"""The envelope: how it is recognised, what it holds, and what is broken. Rules: CloudEvents 1.0, its JSON format
and its Kafka binding."""

import base64
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.errors import InvalidRecord
from connector.formats.cloudevents import Envelope, _structured_of_any, unwrap
from connector.formats.membership import DECODE_REASONS
from tests.formats.mutations import MARKER, broken, mutated
from tests.formats.strategies import escaped, many, to_bytes, trees

Headers = list[tuple[str, Any]]

TIME = "2026-11-20T12:00:00Z"
AT = 1795176000.0
DATA = {"profile_id": "p-1", "segment": "high-value", "identities": {"email": "jane@example.com"}}
EVENT: dict[str, Any] = {
    "specversion": "1.0",
    "id": "A234-1234-1234",
    "source": "/crm",
    "type": "com.example.membership",
    "time": TIME,
    "datacontenttype": "application/json",
    "data": DATA,
}
BASE64 = base64.b64encode(orjson.dumps(DATA)).decode()
STRUCTURED: Headers = [("content-type", b"application/cloudevents+json; charset=UTF-8")]
BINARY: Headers = [
    ("ce_specversion", b"1.0"),
    ("ce_id", b"A234-1234-1234"),
    ("ce_source", b"/crm"),
    ("ce_type", b"com.example.membership"),
    ("ce_time", TIME.encode()),
    ("content-type", b"application/json"),
]

both_ways = pytest.mark.parametrize("beside", [{}, {"comment": "\u00fc"}], ids=["typed", "general"])


def event(**changes: Any) -> dict[str, Any]:
    return {key: value for key, value in (EVENT | changes).items() if value is not ...}


def structured(tree: Any) -> Envelope:
    envelope = unwrap(orjson.dumps(tree), STRUCTURED)
    assert envelope is not None
    return envelope


def data_of(tree: Any) -> Any:
    value = structured(tree).value
    assert value is not None
    return orjson.loads(value)


def refusal(value: bytes, headers: Headers = STRUCTURED) -> tuple[str, str]:
    with pytest.raises(InvalidRecord) as invalid:
        unwrap(value, headers)
    return invalid.value.reason, invalid.value.detail


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("traceparent", b"00-1-2-01")],
        [("content-type", b"application/json")],
        [("content-type", b"text/plain; x=application/cloudevents+json")],
        [("content-type", b"")],
        [("content-type", None)],
        [("content-type", b"\xff\xfe")],
        [("ce_time", TIME.encode())],
        [("ce-specversion", b"1.0"), ("ce-id", b"1")],
        [("x-ce_specversion", b"1.0")],
    ],
    ids=str,
)
def test_other_headers_are_no_envelope(headers: Headers) -> None:
    assert unwrap(b"x", headers) is None


@pytest.mark.parametrize(
    ("headers", "time", "problem"),
    [
        (BINARY, AT, None),
        ([(name.upper(), content) for name, content in BINARY], AT, None),
        (BINARY[::-1], AT, None),
        ([("ce_specversion", b"1.0")], None, None),
        ([("ce_id", b"1")], None, None),
        ([("ce_id", b"1"), ("CE_Time", b"2026-11-20T13:00:00+01:00")], AT, None),
        ([("ce_id", b"1"), ("ce_time", b"today")], None, "malformed_timestamp"),
        ([("ce_id", b"1"), ("ce_time", b"\xff")], None, "malformed_timestamp"),
        ([("ce_id", b"1"), ("ce_time", b"")], None, None),
        ([("ce_id", b"1"), ("ce_time", None)], None, None),
        ([("ce_id", None)], None, None),
    ],
    ids=str,
)
def test_binary_mode_leaves_the_value_as_it_is(
    headers: Headers, time: float | None, problem: str | None
) -> None:
    assert unwrap(b"\x00 anything", headers) == Envelope(b"\x00 anything", time, problem)


def test_binary_mode_without_data_is_a_tombstone() -> None:
    assert unwrap(None, BINARY) == Envelope(None, AT, None)


def test_a_tombstone_is_one_in_structured_mode_too() -> None:
    assert unwrap(None, STRUCTURED) == Envelope(None, None, None)


@pytest.mark.parametrize(
    "header",
    [
        ("content-type", b"application/cloudevents+json"),
        ("Content-Type", b"Application/CloudEvents+JSON"),
        ("CONTENT-TYPE", b" application/cloudevents+json ;charset=utf-8; x=y"),
        ("content-type", b"application/cloudevents"),
    ],
    ids=str,
)
@pytest.mark.parametrize("beside", [[], BINARY[:5]], ids=["alone", "with binary headers"])
def test_structured_mode_is_recognised_by_its_content_type(
    header: tuple[str, bytes], beside: Headers
) -> None:
    envelope = unwrap(orjson.dumps(EVENT), [*beside, header])

    assert envelope == Envelope(orjson.dumps(DATA), AT, None)


@both_ways
@pytest.mark.parametrize(
    "data", [DATA, {}, [], [DATA], "text", '{"a": 1}', 7, 1.5, True, None], ids=str
)
@pytest.mark.parametrize(
    "content_type",
    [..., None, "application/json", "Application/JSON; charset=utf-8", "text/json", "x/y+json"],
)
def test_data_of_a_json_type_is_the_json_value(
    beside: dict[str, Any], data: Any, content_type: Any
) -> None:
    assert data_of(event(data=data, datacontenttype=content_type, **beside)) == data


@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", "json", "application/"])
def test_data_of_another_type_is_the_text(content_type: str) -> None:
    text = orjson.dumps(DATA).decode()

    assert structured(event(data=text, datacontenttype=content_type)).value == orjson.dumps(DATA)


@pytest.mark.parametrize(
    "content_type", [..., "application/json", "application/octet-stream"], ids=str
)
@pytest.mark.parametrize("data", [DATA, "\u00fc", 7], ids=str)
def test_data_in_base64_is_its_bytes(content_type: Any, data: Any) -> None:
    content = orjson.dumps(data)
    encoded = base64.b64encode(content).decode()
    tree = event(data=..., data_base64=encoded, datacontenttype=content_type)

    assert structured(tree).value == content


@both_ways
def test_null_is_as_good_as_absent(beside: dict[str, Any]) -> None:
    tree = event(data_base64=None, time=None, datacontenttype=None, subject=None, **beside)

    assert structured(tree) == Envelope(orjson.dumps(DATA), None, None)


@both_ways
@pytest.mark.parametrize(
    ("time", "at", "problem"),
    [
        (..., None, None),
        ("2026-11-20T13:00:00+01:00", AT, None),
        ("2026-11-20T12:00:00", None, "malformed_timestamp"),
        ("today", None, "malformed_timestamp"),
        (1795176000, None, "malformed_timestamp"),
        ({}, None, "malformed_timestamp"),
    ],
    ids=str,
)
def test_the_time_is_told(
    beside: dict[str, Any], time: Any, at: float | None, problem: str | None
) -> None:
    assert structured(event(time=time, **beside))[1:] == (at, problem)


@both_ways
def test_attributes_that_say_nothing_of_the_data_are_not_looked_at(beside: dict[str, Any]) -> None:
    assert data_of(event(id=..., source=7, type=[], **beside)) == DATA


@both_ways
@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"specversion": ...}, ("missing_field", "the CloudEvent's specversion is missing")),
        ({"specversion": None}, ("missing_field", "the CloudEvent's specversion is missing")),
        ({"specversion": "0.3"}, ("wrong_type", "the CloudEvent's specversion is not 1.0")),
        ({"specversion": 1.0}, ("wrong_type", "the CloudEvent's specversion is not 1.0")),
        (
            {"datacontenttype": 7},
            ("wrong_type", "the CloudEvent's datacontenttype is not a string"),
        ),
        (
            {"data": ...},
            ("missing_field", "the CloudEvent has neither data nor data_base64"),
        ),
        (
            {"data": ..., "data_base64": None},
            ("missing_field", "the CloudEvent has neither data nor data_base64"),
        ),
        (
            {"data_base64": BASE64},
            ("wrong_type", "the CloudEvent has both data and data_base64"),
        ),
        (
            {"datacontenttype": "application/xml"},
            ("wrong_type", "the CloudEvent's data is not a string, as its type demands"),
        ),
        *(
            (
                {"data": ..., "data_base64": wrong},
                ("wrong_type", "the CloudEvent's data_base64 is not Base64"),
            )
            for wrong in ("%%%", "abc", "\u00fc", 7, [BASE64], BASE64 + "\n")
        ),
    ],
    ids=str,
)
def test_a_broken_envelope_is_refused_with_what_is_wrong(
    beside: dict[str, Any], changes: dict[str, Any], expected: tuple[str, str]
) -> None:
    assert refusal(orjson.dumps(event(**changes, **beside))) == expected


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", "malformed_json"),
        (b"{", "malformed_json"),
        (b"\xff", "malformed_json"),
        (b"[]", "not_an_object"),
        (b"null", "not_an_object"),
        (b"[" * 60_000, "malformed_json"),
        (b'{"a":[' + b"[]," * 20_000 + b"1]}", "too_complex"),
        (
            '{"\u00fc":1,"specversion":"1.0","data":'.encode() + b"[" * 500 + b"]" * 500 + b"}",
            "too_complex",
        ),
    ],
)
def test_what_is_no_event_is_refused(value: bytes, reason: str) -> None:
    assert refusal(value)[0] == reason


@pytest.mark.parametrize(
    ("content_type", "reason"),
    [
        (b"application/cloudevents-batch+json", "not_an_object"),
        (b"Application/CloudEvents-Batch+JSON; charset=utf-8", "not_an_object"),
        (b"application/cloudevents+avro", "malformed_json"),
        (b"application/cloudevents+protobuf", "malformed_json"),
    ],
)
def test_batches_and_other_formats_are_refused(content_type: bytes, reason: str) -> None:
    assert refusal(orjson.dumps([EVENT]), [("content-type", content_type)])[0] == reason


EVENTS = (EVENT, event(data=..., data_base64=BASE64), event(data="x", datacontenttype="text/plain"))


def outcome_of(value: bytes, *, general: bool = False) -> object:
    """The envelope, its data as a tree where it is one."""
    try:
        envelope = _structured_of_any(value) if general else unwrap(value, STRUCTURED)
    except InvalidRecord as invalid:
        reason, detail = invalid.reason, invalid.detail
        envelope = None
    if envelope is None:
        assert reason in DECODE_REASONS
        assert not [word for word in (MARKER, "A234", "/crm", "p-1", BASE64) if word in detail]
        return reason, detail
    assert envelope.value is not None
    assert envelope.problem in {None, "malformed_timestamp"}
    try:
        return orjson.loads(envelope.value), *envelope[1:]
    except orjson.JSONDecodeError:
        return envelope


@many
@given(st.binary() | broken(*EVENTS))
def test_any_bytes_are_an_envelope_or_an_invalid_record(value: bytes) -> None:
    outcome_of(value)


@many
@given(tree=mutated(*EVENTS), ascii_only=escaped)
def test_the_typed_and_the_general_way_agree(tree: Any, *, ascii_only: bool) -> None:
    value = to_bytes(tree, ascii_only=ascii_only)

    assert outcome_of(value) == outcome_of(value, general=True)


@many
@given(data=trees, ascii_only=escaped)
def test_any_data_comes_out_as_it_went_in(data: Any, *, ascii_only: bool) -> None:
    envelope = unwrap(to_bytes(event(data=data), ascii_only=ascii_only), STRUCTURED)

    assert envelope is not None
    assert envelope.value is not None
    assert orjson.loads(envelope.value) == orjson.loads(orjson.dumps(data))


@many
@given(
    value=st.none() | st.binary(max_size=20),
    headers=st.lists(
        st.tuples(
            st.sampled_from(["content-type", "Content-Type", "ce_id", "ce_time", "ce_specversion"])
            | st.text(max_size=15),
            st.none()
            | st.binary(max_size=20)
            | st.sampled_from([b"application/cloudevents+json", TIME.encode()]),
        ),
        max_size=4,
    ),
)
def test_any_headers_are_an_envelope_or_none_or_an_invalid_record(
    value: bytes | None, headers: Headers
) -> None:
    try:
        envelope = unwrap(value, headers)
    except InvalidRecord as invalid:
        reason = invalid.reason
    else:
        assert envelope is None or envelope.value is None or envelope.value == value
        return
    assert reason in DECODE_REASONS
