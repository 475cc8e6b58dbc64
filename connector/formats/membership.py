"""What every input shape is decoded to: memberships, and the reasons why a record is none.

Owns the seam between formats and the intake. A format is one function of this shape in one file; it is pure,
and on any bytes it returns memberships or raises InvalidRecord.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

import msgspec
import orjson

from connector.core.model import Action
from connector.errors import InvalidRecord


class Membership(msgspec.Struct, gc=False):
    """One profile entered or left one segment.

    Attributes:
        segment: what routes name: an id, as text.
        identities: namespace -> one value or a list; of any JSON type, for the identities to judge. Memberships of
            one profile in one message share one mapping: what is made of it is made once.
        problem: a closed reason for something that was ignored, to be counted; None usually.
        alias: another name of the segment, by which a route may call it too.
        profile_id: whose membership it is, in the sender's own words; None where the message does not say.
        at: when it changed, in seconds since the epoch; None when the message does not say.
        audience_id: the TikTok audience that the message itself names, for routes that say `from_event`.
        advertiser_id: the TikTok account that it names with it.
        consent: what the profile has consented to, of any JSON type, for connector.core.consent to judge; None where
            the message does not say, or nobody asks.
    """

    segment: str
    action: Action
    identities: Mapping[str, Any]
    problem: str | None = None
    alias: str | None = None
    profile_id: str | None = None
    at: float | None = None
    audience_id: str | None = None
    advertiser_id: str | None = None
    consent: object = None


Decode = Callable[[bytes], list[Membership]]
"""A record's value to its memberships, none for a message of another kind; raises InvalidRecord with one of
DECODE_REASONS and nothing else."""

Find = Callable[[dict[str, Any]], Any]
"""A JSON object to what stands somewhere in it; None where nothing does."""


def nothing(_: dict[str, Any]) -> None:
    """Finds nothing: for whoever does not ask for consent."""


@dataclass(frozen=True, slots=True)
class Format:
    """How a topic's records are read.

    Attributes:
        decode_with: the same, with what is found in the object that tells of the person as the consent. That is the
            message, or the row, or the profile's own part of a message about many. Slower: typed decoding skips
            what it does not know.
        repeats: whether a message lists memberships that did not change too: then what is old, or was seen, is
            left out by (profile, segment).
    """

    decode: Decode
    decode_with: Callable[[bytes, Find], list[Membership]]
    repeats: bool = False


MALFORMED_JSON = "malformed_json"
NOT_AN_OBJECT = "not_an_object"
MISSING_FIELD = "missing_field"
WRONG_TYPE = "wrong_type"
UNKNOWN_STATUS = "unknown_status"
TOO_COMPLEX = "too_complex"
DECODE_REASONS = (
    *(MALFORMED_JSON, TOO_COMPLEX, NOT_AN_OBJECT),
    *(MISSING_FIELD, WRONG_TYPE, UNKNOWN_STATUS),
)

MALFORMED_TIMESTAMP = "malformed_timestamp"
"""Not a reason to refuse a record: the timestamp is ignored."""

MOST_BRACKETS = 20_000
"""Of `[` and `{` together: a record of a megabyte with half a million lists holds the event loop for 0.1 seconds."""

MOST_COMMAS = 50_000
"""Of as many values, or members of objects, much more than any event has."""

_MOST_DEPTH = 1024
"""The parser's own bound."""

_ALL_BUT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


def refuse_too_complex(value: bytes) -> None:
    """Raise InvalidRecord for JSON of more lists and objects than may be made of one record.

    What stands within texts counts too: that needs no parser, and no event has so many of these either.
    """
    brackets = value.count(b"[") + value.count(b"{")
    if brackets <= MOST_BRACKETS and value.count(b",") <= MOST_COMMAS:
        return
    if brackets <= MOST_BRACKETS:
        raise InvalidRecord(TOO_COMPLEX, f"more than {MOST_COMMAS} commas")
    begin = value.translate(None, _ALL_BUT_BRACKETS)[: _MOST_DEPTH + 1]
    if not (b"]" in begin or b"}" in begin):
        raise InvalidRecord(MALFORMED_JSON, f"nested more than {_MOST_DEPTH} deep")
    raise InvalidRecord(TOO_COMPLEX, f"more than {MOST_BRACKETS} opening brackets")


_Time = Annotated[datetime, msgspec.Meta(tz=True)]


def seconds(timestamp: object) -> float | None:
    """RFC 3339 with an offset as seconds since the epoch; None for anything else."""
    try:
        return msgspec.convert(timestamp, _Time).timestamp()
    except (msgspec.ValidationError, OverflowError, ValueError):
        return None


def text_of(name: object) -> str | None:
    """An id as text: text itself, or a whole number of 64 bits in decimal; None for anything else."""
    if isinstance(name, str):
        return name
    # Longer numbers are floats to one of the parsers. A boolean is no number here.
    return str(name) if type(name) is int and -(2**63) <= name < 2**64 else None


MOST_PROBLEMS = 1_000
"""So many wrong parts of one message are looked into: a megabyte of them would hold the event loop."""


def with_problems(
    memberships: list[Membership], problems: Sequence[InvalidRecord], ignored: str | None = None
) -> list[Membership]:
    """The memberships of a message of which some were left out: each tells at most one of the reasons.

    A reason for something that was ignored is told last. Raises the first problem when no membership is left.
    """
    if problems and not memberships:
        raise problems[0]
    reasons = [problem.reason for problem in problems[: len(memberships)]]
    if ignored is not None:
        reasons.append(ignored)
    for membership, reason in zip(memberships, reasons, strict=False):
        membership.problem = reason
    return memberships


def parse_object(value: bytes) -> dict[str, Any]:
    """The record's JSON object. Raises InvalidRecord when it is none, or too complex to be one event."""
    refuse_too_complex(value)
    try:
        parsed = orjson.loads(value)
    except orjson.JSONDecodeError:
        # The library's message is not passed on: it may quote the record.
        raise InvalidRecord(MALFORMED_JSON, "the value is not JSON in UTF-8") from None
    if not isinstance(parsed, dict):
        raise InvalidRecord(NOT_AN_OBJECT, "the value is JSON, but not an object")
    return parsed
