"""The connector's own event shape: one JSON object in UTF-8 for one profile and one segment.

Two ways lead to the same answer. Typed decoding takes the usual event - strings, or lists of them - at a third
of the cost; whatever does not fit it takes the general way, which alone knows what is wrong and says so.

Of a key that stands twice in one object, the last counts, as in nearly every JSON reader.
"""

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
import orjson

from connector.core.model import Action
from connector.errors import InvalidRecord
from connector.formats.membership import (
    MALFORMED_JSON,
    MALFORMED_TIMESTAMP,
    MISSING_FIELD,
    MOST_BRACKETS,
    NOT_AN_OBJECT,
    UNKNOWN_STATUS,
    WRONG_TYPE,
    Find,
    Format,
    Membership,
    nothing,
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
    identities: dict[str, str | list[str | None] | None]
    timestamp: _Time = None


class _EventAndConsent(_Event, gc=False):
    """Likewise, and its consent, which is read by itself: nothing in there refuses an event."""

    consent: msgspec.Raw = msgspec.Raw(b"null")


class _Fields(msgspec.Struct):
    """What is read of an event, of any type. Unknown fields are ignored, also a number that no float holds."""

    profile_id: Any = msgspec.UNSET
    segment: Any = msgspec.UNSET
    status: Any = msgspec.UNSET
    identities: Any = msgspec.UNSET
    timestamp: Any = msgspec.UNSET
    consent: msgspec.Raw = msgspec.Raw(b"null")


_decode_fields = msgspec.json.Decoder(_Fields).decode
_decode_usual = msgspec.json.Decoder(_Event).decode
_decode_usual_and_consent = msgspec.json.Decoder(_EventAndConsent).decode


def decode(value: bytes) -> list[Membership]:
    """Decode one event; see Decode for the promise."""
    if len(value) > MOST_BRACKETS:
        refuse_too_complex(value)
    try:
        if not value.isascii():
            value.decode()  # the typed decoder does not check the encoding of what it skips
        event = _decode_usual(value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return [_decode_any(value)]
    return [
        Membership(
            event.segment,
            _ACTIONS[event.status],
            event.identities,
            None,
            None,
            event.profile_id,
        )
    ]


def _decode_and_consent(value: bytes) -> list[Membership]:
    """Likewise, with the event's own field as the consent."""
    if len(value) > MOST_BRACKETS:
        refuse_too_complex(value)
    try:
        if not value.isascii():
            value.decode()
        event = _decode_usual_and_consent(value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return [_decode_any(value, _own_consent)]
    return [
        Membership(
            event.segment,
            _ACTIONS[event.status],
            event.identities,
            None,
            None,
            event.profile_id,
            consent=_read(event.consent),
        )
    ]


def _decode_with(value: bytes, consent: Find) -> list[Membership]:
    if len(value) > MOST_BRACKETS:
        refuse_too_complex(value)
    return [_decode_any(value, consent)]


FORMAT = Format(decode, _decode_with)
WITH_CONSENT = Format(_decode_and_consent, _decode_with)
"""The same with the field `consent`, which the other skips: it is paid for where it is asked for."""


def _decode_any(value: bytes, consent: Find = nothing) -> Membership:
    event = _tree(value)
    if not isinstance(event, dict):
        raise InvalidRecord(NOT_AN_OBJECT, "the value is JSON, but not an object")
    for name, kind in _REQUIRED:
        if name not in event:
            raise InvalidRecord(MISSING_FIELD, f"{name} is missing")
        if not isinstance(event[name], kind):
            raise InvalidRecord(WRONG_TYPE, f"{name} is not {_NAMES[kind]}")
    action = _ACTIONS.get(event["status"])
    if action is None:
        raise InvalidRecord(UNKNOWN_STATUS, "status is neither entered nor exited")
    problem = None if _is_time(event.get("timestamp")) else MALFORMED_TIMESTAMP
    return Membership(
        event["segment"],
        action,
        event["identities"],
        problem,
        None,
        event["profile_id"],
        consent=consent(event),
    )


def _own_consent(event: dict[str, Any]) -> object:
    consent = event.get("consent")
    return _read(consent) if isinstance(consent, msgspec.Raw) else consent


def _read(consent: msgspec.Raw) -> object:
    """A consent that cannot be read is none."""
    try:
        return orjson.loads(memoryview(consent))
    except orjson.JSONDecodeError:
        return None


def _tree(value: bytes) -> Any:
    """The JSON as a tree; where only a field that is ignored passes the parser's bounds, without the ignored ones."""
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        pass
    try:
        value.decode()  # as above, what is skipped is not checked
        fields = _decode_fields(value)
    except (UnicodeDecodeError, msgspec.MsgspecError, RecursionError):
        # The library's message is not passed on: it may quote the record.
        raise InvalidRecord(MALFORMED_JSON, "the value is not JSON in UTF-8") from None
    tree = msgspec.structs.asdict(fields)
    return {name: part for name, part in tree.items() if part is not msgspec.UNSET}


def _is_time(timestamp: Any) -> bool:
    """Whether it is absent or a time as the typed way understands it."""
    try:
        msgspec.convert(timestamp, _Time)
    except msgspec.ValidationError:
        return False
    return True
