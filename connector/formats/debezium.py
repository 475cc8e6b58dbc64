"""Debezium's change events of a relational table of memberships: a row is a profile in a segment.

An inserted row entered, a deleted one exited; a changed one enters anew, and what it held before and holds no more
exits first. Which columns hold what is the topic's setting. With and without the wrapper of `schema` and `payload`.

Typed decoding skips the schema and whatever else is not read; what does not fit it takes the general way, as in
the native format. What the change means is decided in one place.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from connector.core.model import Action
from connector.errors import InvalidRecord
from connector.formats.membership import (
    MALFORMED_TIMESTAMP,
    MISSING_FIELD,
    MOST_BRACKETS,
    UNKNOWN_STATUS,
    WRONG_TYPE,
    Find,
    Format,
    Membership,
    nothing,
    parse_object,
    refuse_too_complex,
    text_of,
)

_Row = dict[str, Any]

_LATEST_MS = 253_402_300_799_999
"""The last millisecond of the year 9999: a later time is none."""


class _Change(msgspec.Struct, gc=False):
    """What is read of a change. Unknown fields are ignored."""

    op: str | None = None
    before: _Row | None = None
    after: _Row | None = None
    ts_ms: int | None = None


class _Event(_Change, gc=False):
    """The usual event: a change, or the wrapper around one."""

    payload: _Change | None = None


_decode_usual = msgspec.json.Decoder(_Event).decode


def make(columns: Mapping[str, str]) -> Format:
    """The format of a table.

    Args:
        columns: the columns of `profile_id` and `segment`, and of each namespace.

    Raises:
        ValueError: a required column is missing, or there is no namespace, or the same one twice.
    """
    table = _Table(columns)
    return Format(table.decode, table.decode_any)


class _Table:
    """What the rows of one table mean."""

    def __init__(self, columns: Mapping[str, str]) -> None:
        for key in ("profile_id", "segment"):
            if key not in columns:
                raise ValueError(f"columns.{key} is missing")
        others = [key for key in columns if key not in {"profile_id", "segment"}]
        if not others:
            raise ValueError("columns names no namespace, such as email")
        self._profile_id = columns["profile_id"]
        self._segment = columns["segment"]
        self._namespaces = {key.lower(): columns[key] for key in others}
        if len(self._namespaces) < len(others):
            raise ValueError("columns names a namespace twice: upper and lower case are the same")

    def decode(self, value: bytes) -> list[Membership]:
        """Decode one event; see Decode for the promise."""
        if len(value) > MOST_BRACKETS:
            refuse_too_complex(value)
        if value.isascii():  # the typed decoder does not check the encoding of what it skips
            try:
                event = _decode_usual(value)
            except (msgspec.MsgspecError, RecursionError):
                return self.decode_any(value)
            if event.op is not None:
                return self._memberships(event.op, event.before, event.after, event.ts_ms)
            if (change := event.payload) is not None and change.op is not None:
                return self._memberships(change.op, change.before, change.after, change.ts_ms)
        return self.decode_any(value)

    def decode_any(self, value: bytes, consent: Find = nothing) -> list[Membership]:
        """The general way."""
        event = parse_object(value)
        if event.get("op") is None and "payload" in event:
            event = event["payload"]
            if event is None:
                return []  # a tombstone that the converter has wrapped
            if not isinstance(event, dict):
                raise InvalidRecord(WRONG_TYPE, "payload is not an object")
        op = event.get("op")
        if op is None:
            raise InvalidRecord(MISSING_FIELD, "op is missing")
        if not isinstance(op, str):
            raise InvalidRecord(WRONG_TYPE, "op is not a string")
        before, after = _row(event, "before"), _row(event, "after")
        some = self._memberships(op, before, after, event.get("ts_ms"))
        if some and after is not None:
            some[-1].consent = consent(after)  # the entry: an exit needs none
        return some

    def _memberships(
        self, op: str, before: _Row | None, after: _Row | None, ts_ms: object
    ) -> list[Membership]:
        if op in {"c", "r", "u"}:
            entry = self._membership(Action.ADD, after, "after")
            exit_ = None if before is None or op != "u" else self._exit(before, entry)
            some = [entry] if exit_ is None else [exit_, entry]
        elif op == "d":
            some = [self._membership(Action.DELETE, before, "before")]
        elif op in {"t", "m"}:  # a truncated table names no row, and a message is no row
            return []
        else:
            raise InvalidRecord(UNKNOWN_STATUS, "op is none of c, r, u, d")
        if ts_ms is not None:
            if type(ts_ms) is int and 0 <= ts_ms <= _LATEST_MS:
                for one in some:
                    one.at = ts_ms / 1000
            else:
                some[0].problem = MALFORMED_TIMESTAMP
        return some

    def _membership(self, action: Action, row: _Row | None, name: str) -> Membership:
        if row is None:
            raise InvalidRecord(MISSING_FIELD, f"{name} is missing")
        profile_id = row.get(self._profile_id)
        segment = row.get(self._segment)
        if type(profile_id) is not str or type(segment) is not str:
            profile_id = _text(profile_id, name, "profile_id")
            segment = _text(segment, name, "segment")
        return Membership(segment, action, self._identities(row), None, None, profile_id)

    def _exit(self, before: _Row, entry: Membership) -> Membership | None:
        """What an update ends: all of the row where its segment changed, else the identifiers that are gone.

        A database that does not log whole rows leaves out the old one, or fills it with nulls: then only the entry
        is known.
        """
        segment = text_of(before.get(self._segment))
        if segment is None:
            return None
        identities = self._identities(before)
        if segment == entry.segment:
            identities = _gone(identities, entry.identities)
            if not identities:
                return None
        profile_id = text_of(before.get(self._profile_id))
        return Membership(segment, Action.DELETE, identities, None, None, profile_id)

    def _identities(self, row: _Row) -> _Row:
        identities = {}
        for namespace, column in self._namespaces.items():
            value = row.get(column)
            if value is not None:
                identities[namespace] = value
        return identities


def _row(event: Mapping[str, Any], name: str) -> _Row | None:
    row = event.get(name)
    if row is None or isinstance(row, dict):
        return row
    raise InvalidRecord(WRONG_TYPE, f"{name} is not an object")


def _text(found: object, row: str, key: str) -> str:
    text = text_of(found)
    if text is not None:
        return text
    if found is None:
        raise InvalidRecord(MISSING_FIELD, f"{row} has no value in the column of {key}")
    raise InvalidRecord(WRONG_TYPE, f"the column of {key} in {row} holds neither text nor a number")


def _gone(old: Mapping[str, Any], new: Mapping[str, Any]) -> _Row:
    """The texts of each namespace that it does not hold any more; nothing else identifies anybody."""
    gone: _Row = {}
    for namespace, value in old.items():
        kept = new.get(namespace)
        if isinstance(value, str):
            if value != kept and not (isinstance(kept, list) and value in _texts(kept)):
                gone[namespace] = value
        elif isinstance(value, list):
            still = _texts(kept if isinstance(kept, list) else [kept])
            if left := [one for one in value if isinstance(one, str) and one not in still]:
                gone[namespace] = left
    return gone


def _texts(values: list[Any]) -> set[str]:
    return {one for one in values if isinstance(one, str)}
