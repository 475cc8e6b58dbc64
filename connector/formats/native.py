"""The connector's own event shape: one JSON object in UTF-8 for one profile and one segment.

Two ways lead to the same answer. Typed decoding takes the usual event - one string per namespace - at a third
of the cost; whatever does not fit it takes the general way, which alone knows what is wrong and says so.

Of a key that stands twice in one object, the last counts, as in nearly every JSON reader.
"""

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec

from connector.core.model import Action
from connector.errors import InvalidRecord
from connector.formats.membership import (
    MALFORMED_TIMESTAMP,
    MISSING_FIELD,
    MOST_BRACKETS,
    UNKNOWN_STATUS,
    WRONG_TYPE,
    Format,
    Membership,
    parse_object,
    refuse_too_complex,
)

_ACTIONS = {"entered": Action.ADD, "exited": Action.DELETE}
_REQUIRED = (("profile_id", str), ("segment", str), ("status", str), ("identities", dict))
_NAMES = {str: "a string", dict: "an object"}


_Time = Annotated[datetime, msgspec.Meta(tz=True)] | None
"""RFC 3339, with an offset."""


class _Event(msgspec.Struct, gc=False):
    """The usual event. Unknown fields are ignored."""

    profile_id: str
    segment: str
    status: Literal["entered", "exited"]
    identities: dict[str, str]
    timestamp: _Time = None


_decode_usual = msgspec.json.Decoder(_Event).decode


def decode(value: bytes) -> list[Membership]:
    """Decode one event; see Decode for the promise."""
    if len(value) > MOST_BRACKETS:
        refuse_too_complex(value)
    if value.isascii():  # the typed decoder does not check the encoding of what it skips
        try:
            event = _decode_usual(value)
        except (msgspec.MsgspecError, RecursionError):
            return [_decode_any(value)]
        return [Membership(event.segment, _ACTIONS[event.status], event.identities)]
    return [_decode_any(value)]


FORMAT = Format(decode)


def _decode_any(value: bytes) -> Membership:
    event = parse_object(value)
    for name, kind in _REQUIRED:
        if name not in event:
            raise InvalidRecord(MISSING_FIELD, f"{name} is missing")
        if not isinstance(event[name], kind):
            raise InvalidRecord(WRONG_TYPE, f"{name} is not {_NAMES[kind]}")
    action = _ACTIONS.get(event["status"])
    if action is None:
        raise InvalidRecord(UNKNOWN_STATUS, "status is neither entered nor exited")
    problem = None if _is_time(event.get("timestamp")) else MALFORMED_TIMESTAMP
    return Membership(event["segment"], action, event["identities"], problem)


def _is_time(timestamp: Any) -> bool:
    """Whether it is absent or a time as the typed way understands it."""
    try:
        msgspec.convert(timestamp, _Time)
    except msgspec.ValidationError:
        return False
    return True
