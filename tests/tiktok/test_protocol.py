"""TikTok's wire format: what each answer means, and what a batch is written as."""

import json
import re
from collections.abc import Iterable
from typing import Any

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from connector.core.batch import Batch, Row
from connector.core.identity import Digests, Target
from connector.core.lane import Lane
from connector.core.model import Action
from connector.core.outcome import (
    Delivered,
    Halted,
    Outcome,
    Rejected,
    Response,
    Retryable,
    Scope,
)
from connector.core.room import Limits
from connector.tiktok.protocol import (
    CODE_LABELS,
    cell_bytes,
    classify,
    disconnected,
    mapping_body,
    timed_out,
    unusable_token,
)
from tests.core.strategies import row

AUDIENCE, DESTINATION, APP = Scope.AUDIENCE, Scope.DESTINATION, Scope.APP

many = settings(deadline=None, max_examples=300)


def envelope(code: Any, message: Any = "text", request_id: Any = "r-1") -> bytes:
    return json.dumps(
        {"code": code, "message": message, "request_id": request_id, "data": {}}
    ).encode()


def verdict(outcome: Outcome) -> tuple[object, ...]:
    """The outcome without its response, and without its doubt."""
    match outcome:
        case Delivered():
            return Delivered, outcome.warning
        case Retryable():
            return Retryable, outcome.reason, outcome.scope
        case Rejected():
            return Rejected, outcome.reason
        case Halted():
            return Halted, outcome.reason, outcome.scope


def each(codes: Iterable[int], *expected: object) -> list[tuple[int, tuple[object, ...]]]:
    return [(code, expected) for code in codes]


NAMED = [
    *each([0], Delivered, None),
    *each([20001], Delivered, "partial_success"),
    *each([40050], Delivered, "duplicate_request"),
    *each([40000, 40002], Rejected, "bad_parameters"),
    *each([40700], Rejected, "validation_failed"),
    *each([40011], Retryable, "too_many_ids", AUDIENCE),
    *each([40201], Retryable, "not_ready", AUDIENCE),
    *each([40202], Retryable, "write_conflict", AUDIENCE),
    *each([40902, 40903, 40913], Retryable, "fetch_failed", AUDIENCE),
    *each([40100, 40016], Retryable, "rate_limited", APP),
    *each([40133], Retryable, "advertiser_rate_limited", DESTINATION),
    *each([40132], Retryable, "source_rate_limited", AUDIENCE),
    *each([40007], Halted, "audience_missing", AUDIENCE),
    *each([40001], Halted, "no_permission", DESTINATION),
    *each(
        [
            *(40101, 40102, 40103, 40104, 40105, 40106, 40107, 40108, 40110, 40113, 40115),
            *(40119, 40124, 40125, 40131, 40134, 40199),
        ],
        Halted,
        "token_refused",
        DESTINATION,
    ),
    *each([40118], Halted, "not_allow_listed", DESTINATION),
    *each(
        [40006, 40008, 40009, 40010, 40014, 40051, 41001, 41002],
        Halted,
        "api_unavailable",
        DESTINATION,
    ),
    *each([40013], Halted, "account_missing", DESTINATION),
    *each([40300, 40301], Halted, "advertiser_missing", DESTINATION),
    *each([41000], Halted, "region_refused", DESTINATION),
    *each([50000, 50002, 51305, 59999, 60001, 69999], Retryable, "tiktok_error", AUDIENCE),
    *each([40003, 40200, 40302, 40900, 40910, 42000, 49999], Rejected, "refused"),
    *each([1, 2, -1, 200, 10000, 20002, 39999, 70000, 10**15], Retryable, "unknown_code", AUDIENCE),
]


@pytest.mark.parametrize(("code", "expected"), NAMED, ids=[str(code) for code, _ in NAMED])
def test_the_body_decides(code: int, expected: tuple[object, ...]) -> None:
    assert verdict(classify(200, envelope(code))) == expected


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("The audience is being processed, processing", (Retryable, "audience_busy", AUDIENCE)),
        ("Audience is NOT EDITABLE, please check", (Retryable, "audience_busy", AUDIENCE)),
        ("an existing unfinished replace operation", (Retryable, "audience_busy", AUDIENCE)),
        ("id_schema: Invalid", (Rejected, "bad_parameters")),
        ("", (Rejected, "bad_parameters")),
        (None, (Rejected, "bad_parameters")),
        (["processing"], (Rejected, "bad_parameters")),
    ],
    ids=str,
)
def test_a_parameter_error_of_a_busy_audience_is_retried(
    message: Any, expected: tuple[object, ...]
) -> None:
    assert verdict(classify(200, envelope(40002, message))) == expected


def test_a_busy_text_means_nothing_beside_another_code() -> None:
    assert verdict(classify(200, envelope(40000, "processing"))) == (Rejected, "bad_parameters")


@pytest.mark.parametrize("status", [200, 201, 400, 404, 500, 503])
@pytest.mark.parametrize("code", [40002, 40100, 40105, 40007])
def test_tiktoks_own_word_counts_whatever_the_http_status(status: int, code: int) -> None:
    assert verdict(classify(status, envelope(code))) == verdict(classify(200, envelope(code)))


NOT_AN_ENVELOPE = {
    "empty": b"",
    "HTML": b"<html>Bad Gateway</html>",
    "cut off": envelope(0)[:-1],
    "not UTF-8": b'{"code": 0, "message": "\xff"}',
    "a list": b"[0]",
    "a number": b"0",
    "null": b"null",
    "no code": b'{"message": "OK"}',
    "code null": envelope(None),
    "code as text": envelope("0"),
    "code as a boolean": b'{"code": false}',
    "code as a fraction": envelope(0.0),
    "code far too large": envelope(10**30),
    "code in a list": envelope([0]),
    "deep": b"[" * 100_000,
}
STATUSES = [
    *(
        (status, (Retryable, "http_error", AUDIENCE), "http_5xx")
        for status in (500, 502, 503, 504, 599)
    ),
    *((status, (Rejected, "http_error"), "other") for status in (400, 401, 403, 405, 413, 499)),
    (404, (Halted, "wrong_path", DESTINATION), "other"),
    (429, (Retryable, "not_an_envelope", AUDIENCE), "other"),
    *(
        (status, (Retryable, "not_an_envelope", AUDIENCE), "other")
        for status in (200, 204, 301, 399)
    ),
]


@pytest.mark.parametrize("body", NOT_AN_ENVELOPE.values(), ids=NOT_AN_ENVELOPE)
@pytest.mark.parametrize(("status", "expected", "label"), STATUSES)
def test_without_an_envelope_the_http_status_decides(
    body: bytes, status: int, expected: tuple[object, ...], label: str
) -> None:
    outcome = classify(status, body)

    assert verdict(outcome) == expected
    assert outcome.response == Response(label, status)


@pytest.mark.parametrize(("status", "expected", "label"), STATUSES[:-4])
def test_success_under_a_failed_http_status_is_not_believed(
    status: int, expected: tuple[object, ...], label: str
) -> None:
    outcome = classify(status, envelope(0))

    assert verdict(outcome) == expected
    assert outcome.response.label == label


@pytest.mark.parametrize("status", [200, 204, 302, 500, 502, 503, 504])
@pytest.mark.parametrize("body", [b"", b"<html>"])
def test_what_something_in_between_answered_leaves_the_fate_of_the_call_open(
    status: int, body: bytes
) -> None:
    outcome = classify(status, body)

    assert isinstance(outcome, Retryable)
    assert outcome.in_doubt


@pytest.mark.parametrize("code", [code for code, (kind, *_) in NAMED if kind is Retryable])
def test_what_tiktok_itself_refused_it_has_not_applied(code: int) -> None:
    outcome = classify(200, envelope(code))

    assert isinstance(outcome, Retryable)
    assert not outcome.in_doubt


def test_the_response_is_kept_for_dead_letters() -> None:
    assert classify(200, envelope(40002, "why", "r-9")).response == Response(
        "40002", 200, 40002, "why", "r-9"
    )


@pytest.mark.parametrize("odd", [None, 7, [], {}], ids=str)
def test_odd_texts_in_an_envelope_are_none(odd: Any) -> None:
    assert classify(200, envelope(0, odd, odd)).response == Response("0", 200, 0)


def test_a_bare_envelope_is_one() -> None:
    assert classify(200, b'{"code":0}') == Delivered(Response("0", 200, 0))


@pytest.mark.parametrize(("code", "label"), [(40105, "40105"), (40999, "other"), (59999, "other")])
def test_only_known_codes_are_labels_of_their_own(code: int, label: str) -> None:
    assert classify(200, envelope(code)).response.label == label


def test_labels_are_a_closed_set() -> None:
    assert len(CODE_LABELS) == len(set(CODE_LABELS)) < 70
    assert {"0", "40100", "http_5xx", "timeout", "connection", "other"} <= set(CODE_LABELS)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda below: (
        st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=5), below, max_size=3)
    ),
    max_leaves=5,
)
codes = st.integers(39_990, 41_010) | st.integers(-5, 80_000) | st.integers() | anything
bodies = (
    st.binary(max_size=40)
    | st.builds(envelope, codes, anything, anything)
    | anything.map(lambda tree: json.dumps(tree).encode())
)


@many
@given(st.integers(-1, 1_000), bodies)
@example(500, b'{"code":0}')
def test_any_answer_has_an_outcome_and_a_label_of_the_closed_set(status: int, body: bytes) -> None:
    outcome = classify(status, body)

    assert isinstance(outcome, Outcome)
    assert outcome.response.label in CODE_LABELS
    assert outcome.response.http_status == status
    assert isinstance(outcome.response.message, str)
    assert re.fullmatch("[a-z_]+", getattr(outcome, "reason", "none"))


def test_without_an_answer_the_fate_is_unknown_once_something_was_sent() -> None:
    assert timed_out() == Retryable("timeout", Response("timeout"), in_doubt=True)
    assert disconnected(sent=True) == Retryable("connection", Response("connection"), in_doubt=True)
    assert disconnected(sent=False) == Retryable("connection", Response("connection"))


def test_a_token_that_cannot_be_sent_halts_the_destination() -> None:
    assert unusable_token() == Halted("token_malformed", Response("other"))


# Bodies.

TARGETS = tuple(Target)
MD5 = {slot for slot, target in enumerate(TARGETS) if target.endswith("MD5")}


def batch_of(rows: list[Digests], action: Action = Action.ADD) -> Batch:
    """The batch that a lane cuts of these rows."""
    width = len(rows[0])
    lane = Lane(width, Limits(10_000, 10**9, 0.0), 100, superseded_never)
    for digests in rows:
        lane.add(row(digests, action))
    batch = lane.cut(0.0)
    assert batch is not None
    assert len(batch.rows) == len(rows)
    return batch


def superseded_never(row: Row) -> None:
    raise AssertionError(row)


def plain_body(advertiser: str, audience: str, batch: Batch, targets: tuple[Target, ...]) -> Any:
    """The straightforward construction."""
    slots = [
        slot
        for slot in range(len(targets))
        if any(one.digests[slot] is not None for one in batch.rows)
    ]
    return {
        "advertiser_ids": [advertiser],
        "action": batch.action.value,
        "id_schema": [targets[slot].value for slot in slots],
        "batch_data": [
            [
                {"id": digest.hex(), "audience_ids": [audience]}
                if (digest := one.digests[slot]) is not None
                else {}
                for slot in slots
            ]
            for one in batch.rows
        ],
    }


def test_a_body_is_written_as_tiktok_wants_it() -> None:
    batch = batch_of([[b"\xab", None, b"\xcd"], [b"\xef", None, None]], Action.DELETE)

    assert mapping_body("1", "2", batch, TARGETS[:3]) == (
        b'{"advertiser_ids":["1"],"action":"delete","id_schema":["EMAIL_SHA256","IDFA_SHA256"],'
        b'"batch_data":[[{"id":"ab","audience_ids":["2"]},{"id":"cd","audience_ids":["2"]}],'
        b'[{"id":"ef","audience_ids":["2"]},{}]]}'
    )


def test_targets_are_named_in_configured_order() -> None:
    batch = batch_of([[None, b"\xab"], [b"\xcd", None]])
    targets = (Target.PHONE_SHA256, Target.EMAIL_SHA256)

    assert orjson.loads(mapping_body("1", "2", batch, targets))["id_schema"] == [
        "PHONE_SHA256",
        "EMAIL_SHA256",
    ]


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    """Rows of distinct digests, each with any identities, as a lane cuts them."""
    width = draw(st.integers(1, len(TARGETS)))
    slots = st.lists(st.integers(0, width - 1), min_size=1, max_size=width, unique=True)
    rows: list[Digests] = []
    for number, taken in enumerate(draw(st.lists(slots, min_size=1, max_size=12))):
        digests: Digests = [None] * width
        for slot in taken:
            digests[slot] = number.to_bytes(16 if slot in MD5 else 32)
        rows.append(digests)
    return batch_of(rows, draw(st.sampled_from(Action)))


ids = st.from_regex(r"[0-9]{1,25}", fullmatch=True) | st.text(
    st.characters(exclude_categories=["Cs"]), max_size=20
)


@many
@given(batches(), ids, ids)
@example(batch_of([[b"\xab"]]), '"\\', 'a"\n\u00fc\U0001f600')
def test_a_body_equals_the_straightforward_one(
    batch: Batch, advertiser: str, audience: str
) -> None:
    targets = TARGETS[: len(batch.rows[0].digests)]
    body = orjson.loads(mapping_body(advertiser, audience, batch, targets))

    assert body == plain_body(advertiser, audience, batch, targets)
    assert all(any(cells) for cells in body["batch_data"])
    assert all(len(cells) == len(body["id_schema"]) for cells in body["batch_data"])


@many
@given(batches(), st.from_regex(r"[0-9]{1,25}", fullmatch=True), ids)
def test_a_body_is_never_longer_than_the_lane_reckons(
    batch: Batch, advertiser: str, audience: str
) -> None:
    width = len(batch.rows[0].digests)
    length = len(mapping_body(advertiser, audience, batch, TARGETS[:width]))
    cells = sum(map(len, batch.columns.values()))
    lane = Lane(width, Limits(10_000, 10**9, 0.0), cell_bytes(audience), superseded_never)

    assert length <= lane.room._bytes(len(batch.rows), cells)


@pytest.mark.parametrize("max_bytes", [1_000, 1_500, 4_096, 20_000, 1_000_000])
@pytest.mark.parametrize("width", [1, 2, 6])
def test_a_lane_fills_a_body_to_its_limit_and_not_beyond(max_bytes: int, width: int) -> None:
    audience = "7100000000000000001"
    lane = Lane(width, Limits(10_000, max_bytes, 0.0), cell_bytes(audience), superseded_never)
    for number in range(9_500):
        digests = [number.to_bytes(16 if slot in MD5 else 32) for slot in range(width)]
        lane.add(row(digests))
    batch = lane.cut(0.0)
    assert batch is not None
    length = len(mapping_body("7000000000000000001", audience, batch, TARGETS[:width]))

    assert length <= max_bytes or len(batch.rows) == 1
    assert batch.trigger == "bytes"
    if width == 1:
        assert length > max_bytes - 400 - max_bytes // 20
