"""The dead letter: one record or one row that was set aside, as the JSON that is written for it.

Owns the letter's shape and its size rule. Pure: the time is an argument; knows no Kafka client.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from connector.core.model import Letter, Partition, Stage
from connector.core.outcome import Response

VERSION = 1

MAX_LETTER_BYTES = 900_000
"""A broker takes about 1 MB by default; a letter stays below with room for headers and the batch."""

_MAX_TEXT = 4_000
"""What is kept of a text that TikTok sent: it is not ours to bound, and a letter must always be writable."""

CONTENT_TYPE = "content-type"
_ENVELOPE_TYPE = b"application/cloudevents"
_MOST_TYPE = 200

UNREADABLE_RECORD = "unreadable_record"
REJECTED = "rejected"
BLOCKED = "blocked"


@dataclass(frozen=True, slots=True)
class Origin:
    """The source record: where it stands, and what is needed to write about it."""

    partition: Partition
    offset: int
    timestamp_ms: int
    key: bytes | None

    def __str__(self) -> str:
        topic, partition = self.partition
        return f"{topic}:{partition}:{self.offset}"


def record_letter(
    origin: Origin,
    stage: Stage,
    reason: str,
    detail: str,
    payload: bytes | None,
    now: float,
    attempts: int = 1,
    headers: Sequence[tuple[str, bytes]] = (),
) -> Letter:
    """A letter for a record that could not be decoded, or whose identities could not be used.

    Args:
        detail: what is wrong and where; never a value of the record.
        payload: the record's original bytes; None when they could not be read.
        now: seconds since the epoch.
        attempts: how often it has been tried: 1 but for a replay.
        headers: the record's; of these the content type of an envelope is kept: the payload cannot be read without.
    """
    letter = _letter(origin, stage, reason, detail, attempts)
    if payload is not None:
        room = MAX_LETTER_BYTES - len(origin.key or b"")
        if _base64_bytes(payload) + len(orjson.dumps(letter)) + 100 <= room:
            letter["payload"] = base64.b64encode(payload).decode()
        else:
            letter |= {"payload_omitted": True, "payload_bytes": len(payload)}
    sealed = _sealed(origin, stage, reason, letter, now)
    return sealed._replace(headers=(*sealed.headers, *content_type(headers)))


def content_type(headers: Sequence[tuple[str, bytes]]) -> tuple[tuple[str, bytes], ...]:
    """Of a record's headers, the content type if its value is an envelope; nothing for most."""
    return tuple(
        (CONTENT_TYPE, value)
        for name, value in headers
        if name.lower() == CONTENT_TYPE and _is_envelope(value)
    )


def _is_envelope(content_type: bytes | None) -> bool:
    if content_type is None:  # Kafka allows it, whatever clients declare
        return False
    return len(content_type) <= _MOST_TYPE and content_type.lower().startswith(_ENVELOPE_TYPE)


def delivery_letter(
    origin: Origin,
    reason: str,
    detail: str,
    change: dict[str, Any],
    response: Response | None,
    now: float,
    attempts: int = 1,
) -> Letter:
    """A letter for a row that TikTok will never accept, or of an audience that is blocked.

    Args:
        change: destination, audience_id, action and row (target name -> digest).
        response: TikTok's answer to this row; None when it was not asked.
        attempts: how often the row has been tried: 1 but for a replay.
    """
    letter = _letter(origin, Stage.DELIVERY, reason, detail, attempts)
    letter["change"] = change
    if response is not None:
        letter["response"] = _answer(response)
    return _sealed(origin, Stage.DELIVERY, reason, letter, now)


def _answer(response: Response) -> dict[str, Any]:
    answer = {
        "http_status": response.http_status,
        "code": response.code,
        "message": response.message[:_MAX_TEXT],
        "request_id": response.request_id[:_MAX_TEXT],
    }
    return {name: value for name, value in answer.items() if value not in {None, ""}}


def _letter(
    origin: Origin, stage: Stage, reason: str, detail: str, attempts: int
) -> dict[str, Any]:
    return {
        "version": VERSION,
        "reason": reason,
        "stage": stage.value,
        "detail": detail,
        "attempts": attempts,
        "source": {
            "topic": origin.partition.topic,
            "partition": origin.partition.partition,
            "offset": origin.offset,
            "timestamp_ms": origin.timestamp_ms,
        },
    }


def _sealed(
    origin: Origin, stage: Stage, reason: str, letter: dict[str, Any], now: float
) -> Letter:
    headers = (
        ("connector.reason", reason.encode()),
        ("connector.stage", stage.value.encode()),
        ("connector.source", str(origin).encode()),
        ("connector.time", _rfc3339(now).encode()),
    )
    key = origin.key
    if key is not None and len(key) > MAX_LETTER_BYTES:
        # With it the letter might be refused for ever, and hold back all that comes behind.
        letter |= {"key_omitted": True, "key_bytes": len(key)}
        key = None
    return Letter(key, orjson.dumps(letter), headers)


def _base64_bytes(payload: bytes) -> int:
    return (len(payload) + 2) // 3 * 4


def _rfc3339(now: float) -> str:
    return (
        datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    )
