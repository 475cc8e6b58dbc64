"""What may stand in a line of ours, and how everything else is kept out of it."""

import hashlib
import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.telemetry import redaction
from connector.telemetry.lines import KEYS, LINES, Shape
from connector.telemetry.redaction import MASK, of_library, ours

EMAIL = "jane.doe@example.com"
PHONE = "+12133734253"
SHA256 = "d6117306485ed0e50afab3ac871e98f81699151f30281527d63ff5f233656c69"
MD5 = "5d41402abc4b2a76b9719d911017c592"
DEVICE = "5f3a2b18-9c4d-4e7f-b8e2-17d3a1e69b25"
TOKEN = "0123456789abcdef0123456789abcdef01234567"
JWT = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2lnbmF0dXJl"
SECRETS = (EMAIL, PHONE, SHA256, SHA256.upper(), MD5, DEVICE, DEVICE.upper(), TOKEN)

TEXT_KEYS = [key for key, (shape, _) in KEYS.items() if shape is Shape.TEXT]


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("around", ["{}", "of {}", "<{}>.", "a={},", "x {} y"])
def test_what_could_be_somebody_is_masked_in_our_texts_and_in_libraries(
    secret: str, around: str
) -> None:
    text = around.format(secret)

    assert secret not in str(ours("stopping", {"why": text}))
    assert secret not in str(of_library(text, None, 0))


def test_a_digest_as_python_writes_bytes_is_masked() -> None:
    raw = bytes.fromhex(SHA256)

    assert raw[-4:].decode() not in str(of_library(f"KeyError: {raw!r}", None, 0))
    assert ours("stopping", {"why": raw})["why"] == MASK
    assert ours("stopping", {"why": f"of {raw!r}"})["why"] == f"of {MASK}"


def test_of_a_token_in_three_parts_no_whole_part_but_the_last_is_left() -> None:
    said = str(ours("stopping", {"why": f"token {JWT}"}))

    assert JWT.partition(".")[0] not in said
    assert MASK in said


@pytest.mark.parametrize(
    "text",
    [
        "Kafka cannot be reached at b-1.members.abc123.c2.kafka.us-east-1.example.com:9098 (refused)",
        "prod.customer-data-platform.segment-membership.changes.v20261120",
        "segment-membership-20261120",
        "hold_the_loop (/usr/lib/python3/site-packages/connector/delivery/dispatcher.py:120)",
        "the broker refused: CoordinatorNotAvailableError",
        "north-america 2026-11-20",
    ],
)
def test_names_and_sentences_of_ours_are_left_as_they_are(text: str) -> None:
    assert ours("stopping", {"why": text})["why"] == text


@pytest.mark.parametrize(
    ("audience", "said"),
    [("7100000000000000001", "7100000000000000001"), (EMAIL, MASK), (SHA256, MASK), ("", MASK)],
)
def test_an_audience_is_told_only_if_it_is_an_id(audience: str, said: str) -> None:
    assert ours("audience resumed", {"audience": audience})["audience"] == said


@pytest.mark.parametrize(
    ("request_id", "said"),
    [
        ("20261120120000ABCDEF0123456789ABCD", "20261120120000ABCDEF0123456789ABCD"),
        (MD5, MASK),
        (SHA256, MASK),
        (EMAIL, MASK),
        (None, MASK),
    ],
)
def test_a_request_id_is_told_only_if_it_looks_like_one(request_id: object, said: str) -> None:
    assert ours("batch rejected", {"request_id": request_id})["request_id"] == said


@pytest.mark.parametrize("value", [EMAIL, [3], None, {"of": EMAIL}, b"3"])
def test_a_number_is_a_number(value: object) -> None:
    assert ours("running", {"admin_port": value})["admin_port"] == MASK


@pytest.mark.parametrize("value", [{"email": EMAIL}, [EMAIL], {EMAIL}, EMAIL.encode(), object()])
def test_a_text_is_a_text(value: object) -> None:
    assert ours("stopping", {"why": value})["why"] == MASK


def test_each_of_several_texts_is_looked_at() -> None:
    line = ours("starting", {"topics": ["members", EMAIL, 7], "destinations": EMAIL})

    assert line["topics"] == ["members", MASK, MASK]
    assert line["destinations"] == MASK


def test_a_key_that_the_line_does_not_have_is_counted_and_left_out() -> None:
    line = ours("running", {"admin_port": 8080, "rows": 3, "email": EMAIL})

    assert line == {"event": "running", "admin_port": 8080, "dropped_keys": 2}


def test_a_line_that_nobody_catalogued_is_its_masked_name_alone() -> None:
    line = ours(f"delivered {EMAIL}", {"rows": 3, "exc_info": ValueError(EMAIL)})

    assert line == {
        "event": f"delivered {MASK}",
        "error_type": "ValueError",
        "error_at": [],
        "dropped_keys": 1,
    }


@given(st.text(), st.dictionaries(st.sampled_from([*KEYS, "email", "row"]), st.text()))
def test_nothing_of_a_digest_is_left_whatever_stands_around_it(
    text: str, facts: dict[str, Any]
) -> None:
    digest = hashlib.sha256(text.encode()).hexdigest()
    told = {key: f"{value} {digest} {value}" for key, value in facts.items()}
    for event in (*LINES, f"{text} {digest}"):
        assert digest[:32] not in str(ours(event, told))


@given(st.uuids(), st.emails(), st.from_regex(r"\+[1-9][0-9]{6,14}", fullmatch=True))
def test_nobody_stands_in_any_text_of_ours(device: uuid.UUID, email: str, phone: str) -> None:
    for secret in (str(device), email, phone):
        for key in TEXT_KEYS:
            lines = (line.event for line in LINES.values() if key in line.keys)
            assert all(secret not in str(ours(event, {key: secret})) for event in lines)


def test_a_long_text_is_cut_where_no_identifier_is_cut() -> None:
    text = "word " * 199 + EMAIL * 3 + " more"
    for line in (ours("stopping", {"why": text})["why"], of_library(text, None, 0)["event"]):
        assert line == "word " * 198 + "word ..."
    assert ours("stopping", {"why": "x" * 5000})["why"] == " ..."


def test_looking_at_the_worst_of_texts_takes_no_time() -> None:
    for text in ("1" * 10_000_000, "a" * 10_000_000, "+1 " * 3_000_000, "@" * 10_000_000):
        redaction.library_text(text)
        ours("stopping", {"why": text})
