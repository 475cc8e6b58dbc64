"""The letter: its keys in each stage, its headers, and its size."""

import base64
from typing import Any

import orjson
import pytest

from connector.core.letter import MAX_LETTER_BYTES, Origin, delivery_letter, record_letter
from connector.core.model import Letter, Partition, Stage
from connector.core.outcome import Response

ORIGIN = Origin(Partition("members", 3), 42, 1_763_640_000_000, b"p-1")
NOW = 1_763_640_000.25
COMMON = {"version", "reason", "stage", "detail", "attempts", "source"}
CHANGE = {
    "destination": "emea",
    "audience_id": "7100000000000000001",
    "action": "add",
    "row": {"EMAIL_SHA256": "ab" * 32},
}


def value_of(letter: Letter) -> dict[str, Any]:
    value = orjson.loads(letter.value)
    assert isinstance(value, dict)
    return value


def decode_letter(payload: bytes | None, origin: Origin = ORIGIN, detail: str = "why") -> Letter:
    return record_letter(origin, Stage.DECODE, "malformed_json", detail, payload, NOW)


@pytest.mark.parametrize("stage", [Stage.DECODE, Stage.IDENTITY])
def test_a_letter_about_a_record_holds_its_payload(stage: Stage) -> None:
    letter = record_letter(ORIGIN, stage, "missing_field", "segment is missing", b"{\xff}", NOW)

    assert value_of(letter) == {
        "version": 1,
        "reason": "missing_field",
        "stage": str(stage),
        "detail": "segment is missing",
        "attempts": 1,
        "source": {
            "topic": "members",
            "partition": 3,
            "offset": 42,
            "timestamp_ms": 1_763_640_000_000,
        },
        "payload": base64.b64encode(b"{\xff}").decode(),
    }


def test_a_letter_about_a_row_holds_the_change_and_the_response() -> None:
    response = Response("40002", 200, 40002, "no such id", "r-1")
    letter = delivery_letter(ORIGIN, "rejected", "why", CHANGE, response, NOW)
    value = value_of(letter)

    assert set(value) == COMMON | {"change", "response"}
    assert value["reason"] == "rejected"
    assert value["stage"] == "delivery"
    assert value["change"] == CHANGE
    assert value["response"] == {
        "http_status": 200,
        "code": 40002,
        "message": "no such id",
        "request_id": "r-1",
    }


def test_keys_that_do_not_apply_are_absent() -> None:
    without_code = delivery_letter(ORIGIN, "rejected", "why", CHANGE, Response("other", 403), NOW)
    unreadable = record_letter(ORIGIN, Stage.DECODE, "unreadable_record", "why", None, NOW)

    assert value_of(without_code)["response"] == {"http_status": 403}
    assert set(value_of(unreadable)) == COMMON


@pytest.mark.parametrize(
    ("letter", "stage", "reason"),
    [
        (decode_letter(b"x"), b"decode", b"malformed_json"),
        (
            record_letter(ORIGIN, Stage.IDENTITY, "no_identities", "why", b"x", NOW),
            b"identity",
            b"no_identities",
        ),
        (
            delivery_letter(ORIGIN, "rejected", "why", CHANGE, Response("other"), NOW),
            b"delivery",
            b"rejected",
        ),
    ],
    ids=["decode", "identity", "delivery"],
)
def test_headers_tell_what_the_letter_is_about(letter: Letter, stage: bytes, reason: bytes) -> None:
    assert letter.headers == (
        ("connector.reason", reason),
        ("connector.stage", stage),
        ("connector.source", b"members:3:42"),
        ("connector.time", b"2025-11-20T12:00:00.250Z"),
    )


def test_a_letter_of_a_blocked_audience_has_no_response() -> None:
    value = value_of(delivery_letter(ORIGIN, "blocked", "why", CHANGE, None, NOW))

    assert set(value) == COMMON | {"change"}
    assert (value["reason"], value["stage"]) == ("blocked", "delivery")


def test_a_letter_tells_how_often_it_was_tried() -> None:
    record = record_letter(ORIGIN, Stage.DECODE, "malformed_json", "why", b"x", NOW, attempts=2)
    row = delivery_letter(ORIGIN, "rejected", "why", CHANGE, None, NOW, attempts=3)

    assert value_of(record)["attempts"] == 2
    assert value_of(row)["attempts"] == 3


@pytest.mark.parametrize("key", [b"p-1", b"", b"\xff\x00", None])
def test_the_key_is_the_records(key: bytes | None) -> None:
    origin = Origin(ORIGIN.partition, 42, 0, key)

    assert decode_letter(b"x", origin).key == key
    assert delivery_letter(origin, "rejected", "why", CHANGE, Response("other"), NOW).key == key


@pytest.mark.parametrize("payload", [b"", b"x", bytes(range(256)), b"x" * 600_000])
def test_a_payload_that_fits_is_kept_whole(payload: bytes) -> None:
    value = value_of(decode_letter(payload))

    assert base64.b64decode(value["payload"]) == payload
    assert not {"payload_omitted", "payload_bytes"} & set(value)


@pytest.mark.parametrize(
    ("payload_bytes", "key_bytes"),
    [(700_000, 3), (5_000_000, 3), (600_000, 200_000), (1, 900_000)],
    ids=["just too large", "far too large", "the key counts", "a large key alone"],
)
def test_a_payload_too_large_is_left_out_and_its_size_told(
    payload_bytes: int, key_bytes: int
) -> None:
    origin = Origin(ORIGIN.partition, 42, 0, b"k" * key_bytes)
    value = value_of(decode_letter(b"x" * payload_bytes, origin))

    assert set(value) == COMMON | {"payload_omitted", "payload_bytes"}
    assert value["payload_omitted"] is True
    assert value["payload_bytes"] == payload_bytes


@pytest.mark.parametrize("key_bytes", [0, 1_000, 500_000])
def test_the_largest_letter_stays_below_the_limit_and_comes_close(key_bytes: int) -> None:
    origin = Origin(ORIGIN.partition, 42, 0, b"k" * key_bytes)
    room = (MAX_LETTER_BYTES - key_bytes) * 3 // 4
    sizes = []
    for payload_bytes in range(room - 1_500, room + 100, 50):
        letter = decode_letter(b"x" * payload_bytes, origin, detail="d" * 200)
        if "payload" in value_of(letter):
            sizes.append(len(letter.value) + key_bytes)

    assert max(sizes) <= MAX_LETTER_BYTES
    assert max(sizes) > MAX_LETTER_BYTES - 300


def test_a_long_message_does_not_make_a_letter_too_large() -> None:
    response = Response("40002", 200, 40002, "\u00fc" * 2_000_000, "r" * 2_000_000)
    letter = delivery_letter(ORIGIN, "rejected", "why", CHANGE, response, NOW)

    assert len(letter.value) < 100_000
    assert value_of(letter)["response"]["message"].startswith("\u00fc\u00fc")


def test_a_key_that_no_broker_would_take_again_is_left_out_and_its_size_told() -> None:
    origin = Origin(ORIGIN.partition, 42, 0, b"k" * (MAX_LETTER_BYTES + 1))
    letter = decode_letter(b"x", origin)

    assert letter.key is None
    assert value_of(letter)["key_omitted"] is True
    assert value_of(letter)["key_bytes"] == MAX_LETTER_BYTES + 1
    assert dict(letter.headers)["connector.source"] == b"members:3:42"
