"""Reading letters back: whatever stands in the topic, and which letters are about the same thing."""

import contextlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.core.letter import REJECTED, Origin, delivery_letter, record_letter
from connector.core.model import Action, Chunk, Partition, Stage
from connector.core.outcome import Response
from connector.replay.choice import Choice, Wanted
from connector.replay.letters import REASONS, NotALetter, one_of_each, read_letter
from connector.replay.survey import Kind, Refusal, Survey
from tests.fakes.kafka import FakeRecord
from tests.replay.rig import WALL, mail_letter, payload_letter

ORIGIN = Origin(Partition("members", 3), 42, 1000, b"jane@example.com")
GOOD: dict[str, Any] = {
    "version": 1,
    "reason": "rejected",
    "stage": "delivery",
    "detail": "x",
    "attempts": 1,
    "source": {"topic": "t", "partition": 0, "offset": 1, "timestamp_ms": 5},
    "change": {
        "destination": "emea",
        "audience_id": "7",
        "action": "add",
        "row": {"EMAIL_SHA256": "a" * 64},
    },
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def record(value: bytes | None, headers: Any = ()) -> FakeRecord:
    return FakeRecord(0, 7000, b"key", value, headers)


def chunk(*records: FakeRecord) -> Chunk:
    return Chunk(records, len(records))


def test_a_record_letter_comes_back() -> None:
    written = record_letter(ORIGIN, Stage.DECODE, "malformed_json", "why", b"\xff", WALL, 3)
    letter = read_letter(record(written.value, written.headers))

    assert (letter.reason, letter.stage, letter.detail) == ("malformed_json", Stage.DECODE, "why")
    assert (letter.attempts, letter.payload, letter.omitted_bytes) == (3, b"\xff", None)
    assert letter.origin == Origin(ORIGIN.partition, 42, 1000, b"key")
    assert (letter.time, letter.change, letter.code) == (WALL, None, None)


def test_a_delivery_letter_comes_back() -> None:
    change: dict[str, Any] = GOOD["change"]
    response = Response("40002", 200, 40002, "jane@example.com is bad", "r")
    written = delivery_letter(ORIGIN, REJECTED, "why", change, response, WALL, 2)
    letter = read_letter(record(written.value, written.headers))

    assert letter.change is not None
    assert letter.change.audience == ("emea", "7")
    assert letter.change.action is Action.ADD
    assert dict(letter.change.row) == {"EMAIL_SHA256": "a" * 64}
    assert (letter.code, letter.payload, letter.attempts) == (40002, None, 2)


def test_a_payload_that_was_too_large_is_known_by_its_size() -> None:
    letter = payload_letter(1, b"x" * 800_000)

    assert (letter.payload, letter.omitted_bytes) == (None, 800_000)


def changed(**changes: Any) -> bytes:
    return json.dumps({**GOOD, **changes}).encode()


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"\xff",
        b"[" * 100_000,
        b"null",
        b"{}",
        changed(version=2),
        changed(reason="jane@example.com"),
        changed(reason="malformed_json"),
        changed(stage="decode"),
        changed(stage="nowhere"),
        changed(attempts=0),
        changed(attempts=True),
        changed(attempts=10**30),
        changed(change=None),
        changed(source={"topic": "t t", "partition": 0, "offset": 1}),
        changed(source={"topic": "t", "partition": -1, "offset": 1}),
        changed(source={"topic": "t", "partition": 0, "offset": 2**63}),
        changed(change={**GOOD["change"], "row": {"EMAIL_SHA256": "jane@example.com"}}),
        changed(change={**GOOD["change"], "row": {"EMAIL_SHA256": "a" * 32}}),
        changed(change={**GOOD["change"], "row": {"IDFA_MD5": "a" * 64}}),
        changed(change={**GOOD["change"], "row": {}}),
        changed(change={**GOOD["change"], "action": "replace"}),
        changed(reason="malformed_json", stage="decode", change=None, payload="not base64!"),
    ],
)
def test_what_is_no_letter_of_ours_is_said_so(value: bytes | None) -> None:
    with pytest.raises(NotALetter):
        read_letter(record(value))


@given(st.binary() | JSON.map(lambda one: json.dumps(one).encode()))
def test_no_bytes_raise_anything_else(value: bytes) -> None:
    with pytest.raises(NotALetter):
        read_letter(record(value))


@given(st.sampled_from(sorted(GOOD)), JSON)
def test_no_value_of_a_key_raises_anything_else(key: str, value: Any) -> None:
    with contextlib.suppress(NotALetter):
        read_letter(record(changed(**{key: value})))


@given(st.lists(st.tuples(st.just("connector.time"), st.binary() | st.none())), st.integers())
def test_a_time_is_always_one_that_can_be_written(headers: Any, timestamp: int) -> None:
    found = FakeRecord(0, timestamp % 2**63, None, changed(), headers)

    assert 0 <= read_letter(found).time <= 253_402_300_799


def test_of_the_same_thing_the_most_attempts_count() -> None:
    letters = [
        mail_letter(5, 1, attempts=2),
        mail_letter(5, 1, attempts=1),
        mail_letter(5, 2),
        payload_letter(5, b"x", attempts=1),
        payload_letter(5, b"x", reason="no_identities", stage=Stage.IDENTITY, attempts=2),
        mail_letter(4, 1),
    ]
    chosen = one_of_each(letters)

    assert [(one.origin.offset, one.attempts) for one in chosen] == [(4, 1), (5, 1), (5, 2), (5, 2)]
    assert {one.reason for one in chosen} == {"rejected", "no_identities"}


def letters_chunk() -> Chunk:
    some = []
    for number, (reason, stage) in enumerate(
        [("malformed_json", Stage.DECODE), ("no_identities", Stage.IDENTITY)]
    ):
        origin = Origin(Partition("members", 0), number, 5, b"key")
        letter = record_letter(origin, stage, reason, "why", b"payload", WALL + number * 100)
        some.append(record(letter.value, letter.headers))
    return Chunk([*some, record(b"foreign")], 3, [7])


@pytest.mark.parametrize(
    ("wanted", "reasons"),
    [
        (Wanted(), ["malformed_json", "no_identities"]),
        (Wanted(["malformed_json"]), ["malformed_json"]),
        (Wanted(since=WALL + 50), ["no_identities"]),
        (Wanted(["malformed_json"], WALL + 50), []),
    ],
)
def test_letters_are_chosen_by_reason_and_time(wanted: Wanted, reasons: list[str]) -> None:
    choice = Choice(wanted)
    choice.take(letters_chunk())

    assert [one.reason for one in choice.letters()] == reasons
    assert choice.unparsable == 2


def test_a_survey_counts_and_shows_no_value_of_anybody() -> None:
    survey = Survey()
    change: dict[str, Any] = GOOD["change"]
    response = Response("40002", 200, 40002, "jane@example.com is bad", "r")
    for number in range(5):
        detail = "jane@example.com has " + "a" * 64 if number == 0 else "our words"
        origin = Origin(Partition("members", 0), number, 5, b"jane@example.com")
        letter = delivery_letter(
            origin, REJECTED, detail, change, response, WALL + number, 1 + number
        )
        survey.take(chunk(record(letter.value, letter.headers)))
    survey.take(letters_chunk())

    assert survey.kinds[Kind("rejected", "delivery", "members")] == 5
    assert survey.refusals == {Refusal("emea", "7", 40002): 5}
    assert (survey.letters, survey.unparsable, survey.most_attempts) == (7, 2, 5)
    assert (survey.oldest, survey.newest) == (WALL, WALL + 100)
    assert [one.source for one in survey.samples["rejected"]] == [
        "members:0:0",
        "members:0:1",
        "members:0:2",
    ]
    assert survey.samples["rejected"][0].detail == "[masked] has [masked]"


def test_the_reasons_are_the_documented_ones() -> None:
    text = (Path(__file__).parents[2] / "docs/dead-letters.md").read_text("utf-8")
    table = text.split("## Reasons")[1].split("\n## ")[0]
    documented = dict(
        re.findall(r"^\| `(\w+)` \| (decode|identity|delivery) \|", table, re.MULTILINE)
    )

    assert {reason: stage.value for reason, stage in REASONS.items()} == documented
