"""Reads the body of a regular segment/mapping call quickly; what is not regular is left to the general path.

Works by column: the digests of one id_schema position are joined and read as one hex number, so that the
work per identifier is a few operations in C. It may refuse anything (None), but must not accept what the
general path would not: a property test compares the two.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Literal

import msgspec

from connector.sandbox.emulator.api_calls import Gathered, MappingCall
from connector.sandbox.emulator.tiktok_facts import DIGEST_BYTES, MAX_ROWS, id_type


class _Entry(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    id: str | msgspec.UnsetType = msgspec.UNSET
    # A tuple, for it is hashed: in nearly every call all entries name the same audiences.
    audience_ids: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET


class _Body(msgspec.Struct, forbid_unknown_fields=True):
    advertiser_ids: list[str]
    id_schema: list[str]
    batch_data: list[list[_Entry]]
    action: Literal["add", "delete"] = "add"


class _Irregular(Exception):  # noqa: N818
    """Something for the general path to look at."""


_decoder = msgspec.json.Decoder(_Body)


def read_regular(body: bytes) -> MappingCall | None:
    """Return the call if every part of it is well-formed, else None."""
    try:
        return _read(_decoder.decode(body))
    except (msgspec.MsgspecError, UnicodeDecodeError, _Irregular):
        return None


def _read(body: _Body) -> MappingCall:
    schema = [id_type(spelling) for spelling in body.id_schema]
    rows = body.batch_data
    _demand(
        bool(schema)
        and len(set(schema)) == len(schema)
        and bool(body.advertiser_ids)
        and all(body.advertiser_ids)
        and 0 < len(rows) <= MAX_ROWS
        and set(map(len, rows)) == {len(schema)}
    )
    gathered = Gathered()
    named: set[tuple[str, ...]] = set()
    holes = False
    for kind, column in zip(schema, zip(*rows, strict=True), strict=True):
        _demand(kind is not None)
        assert kind is not None  # noqa: S101  -- for mypy: _demand has raised
        present = [entry for entry in column if entry.id is not msgspec.UNSET]
        holes = holes or len(present) < len(column)
        named |= _take(column, present, kind, gathered)
    if holes:
        _demand(all(any(entry.audience_ids for entry in row) for row in rows))
    return gathered.call(
        body.advertiser_ids, body.action, len(rows), _rows_by_audience(rows, named)
    )


def _take(
    column: Sequence[_Entry], present: list[_Entry], kind: str, gathered: Gathered
) -> set[tuple[str, ...]]:
    """Take one column's identifiers; return the different lists of audiences in it."""
    if len(present) < len(column):
        absent = {entry.audience_ids for entry in column if entry.id is msgspec.UNSET}
        _demand(absent == {msgspec.UNSET})
    digests = _digests([entry.id for entry in present], DIGEST_BYTES[kind])
    groups: dict[tuple[str, ...], list[bytes]] = {}
    lists = {entry.audience_ids for entry in present}
    if len(lists) == 1:
        groups = {_audiences(lists.pop()): digests}
    else:
        for entry, digest in zip(present, digests, strict=True):
            groups.setdefault(_audiences(entry.audience_ids), []).append(digest)
    for audience_ids, group in groups.items():
        _demand(all(audience_ids))
        gathered.add(audience_ids, kind, group)
    return set(groups)


def _digests(ids: list[str | msgspec.UnsetType], size: int) -> list[bytes]:
    texts = [text for text in ids if isinstance(text, str)]
    joined = "".join(texts)
    _demand(set(map(len, texts)) <= {2 * size})
    try:
        raw = bytes.fromhex(joined)
    except ValueError:
        raise _Irregular from None
    _demand(raw.hex() == joined)  # not upper case, and not the white space that fromhex skips
    return [raw[start : start + size] for start in range(0, len(raw), size)]


def _audiences(value: tuple[str, ...] | msgspec.UnsetType) -> tuple[str, ...]:
    if isinstance(value, msgspec.UnsetType) or not value:
        raise _Irregular
    return value


def _rows_by_audience(rows: list[list[_Entry]], named: set[tuple[str, ...]]) -> Counter[str]:
    if len(named) == 1:  # every row holds an entry, and every entry names these
        return Counter(dict.fromkeys(next(iter(named)), len(rows)))
    counts: Counter[str] = Counter()
    for row in rows:
        counts.update({name for entry in row for name in entry.audience_ids or ()})
    return counts


def _demand(condition: bool) -> None:  # noqa: FBT001
    if not condition:
        raise _Irregular
