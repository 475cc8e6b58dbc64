"""The CloudEvents 1.0 envelope around a record of any format, recognised by the record's headers.

Binary mode leaves the value as it is: only `ce_time` is read. Structured mode has the event in JSON, and what its
`data` or `data_base64` holds is the value. Of the other attributes only those are looked at that say how to read
these: an event without an `id` says no less.
"""

import base64
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import msgspec
import orjson

from connector.errors import InvalidRecord
from connector.formats.membership import (
    MALFORMED_JSON,
    MALFORMED_TIMESTAMP,
    MISSING_FIELD,
    MOST_BRACKETS,
    NOT_AN_OBJECT,
    TOO_COMPLEX,
    WRONG_TYPE,
    Format,
    Membership,
    parse_object,
    refuse_too_complex,
    seconds,
)


class Envelope(NamedTuple):
    """What an envelope holds.

    Attributes:
        value: the bytes for the topic's format; None for a tombstone.
        time: the event's time, in seconds since the epoch; None when it says none.
        problem: a closed reason for something that was ignored; None usually.
    """

    value: bytes | None
    time: float | None
    problem: str | None


_PREFIX = "application/cloudevents"
_JSON = frozenset({_PREFIX, f"{_PREFIX}+json"})
_BATCH = f"{_PREFIX}-batch"
_VERSION = "1.0"
_LENGTHS = frozenset(map(len, ("content-type", "ce_specversion", "ce_id", "ce_time")))


class _Event(msgspec.Struct, gc=False):
    """The usual event in structured mode. Unknown attributes are ignored."""

    specversion: Literal["1.0"]
    data: msgspec.Raw
    time: str | None = None
    datacontenttype: str | None = None
    data_base64: None = None


_decode_usual = msgspec.json.Decoder(_Event).decode


def unwrap(value: bytes | None, headers: Sequence[tuple[str, bytes]]) -> Envelope | None:
    """Take the envelope off; None when there is none, which is told from the headers' names.

    Raises InvalidRecord with one of DECODE_REASONS when there is one, but broken.
    """
    content_type = time = None
    is_binary = False
    for name, content in headers:
        if len(name) in _LENGTHS:  # this is asked of every header of every record
            lower = name.lower()
            if lower == "content-type":
                content_type = content
            elif lower == "ce_time":
                time = content
            elif lower in {"ce_specversion", "ce_id"}:
                is_binary = True
    if content_type:  # Kafka knows headers without a value
        media_type = _media_type(content_type.decode("utf-8", "replace"))
        if media_type.startswith(_PREFIX):
            return _structured(value, media_type)
    if not is_binary:
        return None
    return Envelope(value, *_time(time.decode("utf-8", "replace") if time else None))


def _structured(value: bytes | None, media_type: str) -> Envelope:
    if value is None:
        return Envelope(None, None, None)
    if media_type.startswith(_BATCH):
        raise InvalidRecord(NOT_AN_OBJECT, "a batch of CloudEvents: one record holds one event")
    if media_type not in _JSON:
        raise InvalidRecord(MALFORMED_JSON, "a CloudEvent in another format than JSON")
    if len(value) > MOST_BRACKETS:
        refuse_too_complex(value)
    # The typed decoder checks neither encoding nor escapes of what it skips.
    if value.isascii() and b"\\u" not in value:
        try:
            event = _decode_usual(value)
        except (msgspec.MsgspecError, RecursionError):
            return _structured_of_any(value)
        if _is_json(event.datacontenttype):
            return Envelope(bytes(event.data), *_time(event.time))
    return _structured_of_any(value)


def _structured_of_any(value: bytes) -> Envelope:
    event = parse_object(value)
    version = event.get("specversion")
    if version is None:
        raise InvalidRecord(MISSING_FIELD, "the CloudEvent's specversion is missing")
    if version != _VERSION:
        raise InvalidRecord(WRONG_TYPE, f"the CloudEvent's specversion is not {_VERSION}")
    content_type = event.get("datacontenttype")
    if content_type is not None and not isinstance(content_type, str):
        raise InvalidRecord(WRONG_TYPE, "the CloudEvent's datacontenttype is not a string")
    return Envelope(_data(event, content_type), *_time(event.get("time")))


def _data(event: Mapping[str, Any], content_type: str | None) -> bytes:
    """The data's bytes, by the rules of the CloudEvents JSON format, 3.1.2."""
    encoded = event.get("data_base64")
    if encoded is not None:
        if "data" in event:
            raise InvalidRecord(WRONG_TYPE, "the CloudEvent has both data and data_base64")
        try:
            return base64.b64decode(encoded, validate=True)
        except (TypeError, ValueError):
            raise InvalidRecord(WRONG_TYPE, "the CloudEvent's data_base64 is not Base64") from None
    if "data" not in event:
        raise InvalidRecord(MISSING_FIELD, "the CloudEvent has neither data nor data_base64")
    data = event["data"]
    if _is_json(content_type):
        try:
            return orjson.dumps(data)  # a text stays a JSON text: it is not looked into
        except TypeError:  # the library reads deeper than it writes
            raise InvalidRecord(TOO_COMPLEX, "the CloudEvent's data is too deep") from None
    if isinstance(data, str):
        return data.encode()
    raise InvalidRecord(WRONG_TYPE, "the CloudEvent's data is not a string, as its type demands")


def _is_json(content_type: str | None) -> bool:
    """Whether data of this media type stands in the event as JSON; without one it does."""
    if content_type is None:
        return True
    subtype = _media_type(content_type).partition("/")[2]
    return subtype == "json" or subtype.endswith("+json")


def _media_type(content_type: str) -> str:
    """Without parameters, in lower case."""
    return content_type.partition(";")[0].strip().lower()


def _time(time: object) -> tuple[float | None, str | None]:
    """The event's time, and what is wrong with it."""
    at = seconds(time) if isinstance(time, str) else None
    return at, MALFORMED_TIMESTAMP if at is None and time is not None else None


def memberships_of(
    shape: Format, value: bytes | None, headers: Sequence[tuple[str, bytes]]
) -> list[Membership]:
    """What a record says, its envelope taken off if it has one; nothing for a tombstone. Raises as decoders do."""
    envelope = unwrap(value, headers) if headers else None
    if envelope is None:
        return [] if value is None else shape.decode(value)
    if envelope.value is None:
        return []
    memberships = shape.decode(envelope.value)
    for membership in memberships:
        membership.at = envelope.time if membership.at is None else membership.at
    if envelope.problem is not None and memberships:
        membership = memberships[-1]
        membership.problem = membership.problem or envelope.problem
    return memberships
