"""From an event to a row, and from rows to a call's body, as a competent person writes it in an hour.

What the programs share that the connector is compared with, so that they differ in their framework alone. They know
the events of the main workload: `segment-7` belongs to the eighth audience. No identifier is checked, nothing is
set aside, and a newer change does not take the place of an older one.
"""

import hashlib
import re
from typing import Any, NamedTuple

import orjson

ADVERTISER = "7000000000000000001"
FIRST_AUDIENCE = 7_100_000_000_000_000_001
TOKEN = "benchmark-token"
MOST_ROWS = 1000

_SCHEMA = ("EMAIL_SHA256", "PHONE_SHA256", "IDFA_SHA256")
_ACTIONS = {"entered": "add", "exited": "delete"}
_DIGEST = re.compile(r"[0-9a-f]{64}")
_PUNCTUATION = str.maketrans("", "", " ().-")
_FIRST = len("segment-")

Row = list[str | None]


class Change(NamedTuple):
    """One user for one audience."""

    audience: int
    action: str
    row: Row


def change_of(value: bytes | None) -> Change | None:
    """What a record asks for; None when it is no event."""
    try:
        event = orjson.loads(value or b"")
        get = event["identities"].get
        row = [_email(get("email")), _phone(get("phone")), _device(get("idfa"))]
        return Change(int(event["segment"][_FIRST:]), _ACTIONS[event["status"]], row)
    except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError, ValueError):
        return None


def _email(value: Any) -> str | None:
    return _digest(value.strip().lower()) if value else None


def _phone(value: Any) -> str | None:
    return _digest(value.strip().translate(_PUNCTUATION)) if value else None


def _device(value: Any) -> str | None:
    return _digest(value.strip().lower()) if value else None


def _digest(text: str) -> str:
    return text if _DIGEST.fullmatch(text) else hashlib.sha256(text.encode()).hexdigest()


def body_of(audience: int, action: str, rows: list[Row]) -> bytes:
    """The body of one call."""
    audiences = [str(FIRST_AUDIENCE + audience)]
    return orjson.dumps(
        {
            "advertiser_ids": [ADVERTISER],
            "action": action,
            "id_schema": _SCHEMA,
            "batch_data": [
                [{"id": one, "audience_ids": audiences} if one else {} for one in row]
                for row in rows
            ],
        }
    )


def is_accepted(status: int, answer: bytes) -> bool:
    """TikTok says in the body what happened."""
    return status == 200 and orjson.loads(answer)["code"] == 0
