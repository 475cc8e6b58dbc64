"""What every input shape is decoded to: memberships, and the reasons why a record is none.

Owns the seam between formats and the intake. A format is one function of this shape in one file; it is pure,
and on any bytes it returns memberships or raises InvalidRecord.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from connector.core.model import Action
from connector.errors import InvalidRecord


class Membership(msgspec.Struct, gc=False):
    """One profile entered or left one segment.

    Attributes:
        identities: namespace -> one value or a list; of any JSON type, for the identities to judge.
        problem: a closed reason for something that was ignored, to be counted; None usually.
    """

    segment: str
    action: Action
    identities: Mapping[str, Any]
    problem: str | None = None


Decode = Callable[[bytes], list[Membership]]
"""A record's value to its memberships; raises InvalidRecord with one of DECODE_REASONS and nothing else."""

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
