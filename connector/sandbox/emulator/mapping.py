"""Judges the body of a segment/mapping call: bytes in, a MappingCall or a Violation out, never an exception.

Two paths. The quick one (mapping_quick) reads what is regular in every respect; whatever it does not
take comes here, to the general one, which is complete by itself and names the position of the first fault.
Whether the token may, and whether the audiences exist, is judged elsewhere.
"""

from collections import Counter
from typing import Any

import orjson

from connector.sandbox.emulator.api_calls import Gathered, MappingCall
from connector.sandbox.emulator.mapping_quick import read_regular
from connector.sandbox.emulator.tiktok_facts import (
    DIGEST_BYTES,
    MAX_ROWS,
    Code,
    Refused,
    Violation,
    id_type,
    malformed,
)

# TikTok may ignore a field it does not know. Here it is refused: a misspelt "action" would turn a delete into an add.
_FIELDS = {"advertiser_ids", "action", "id_schema", "batch_data"}
_ENTRY_FIELDS = {"id", "audience_ids"}


def parse_mapping(body: bytes) -> MappingCall | Violation:
    """Return the call, or why TikTok would refuse it by its shape alone."""
    return read_regular(body) or parse_mapping_generally(body)


def parse_mapping_generally(body: bytes) -> MappingCall | Violation:
    """Do the same without the quick path: slower, same result."""
    try:
        return _parse(json_object(body))
    except Refused as refused:
        return refused.violation


def json_object(body: bytes) -> dict[str, Any]:
    """Return the JSON object in the body of a call.

    Raises:
        Refused: the body is something else.
    """
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise malformed("body", f"not valid JSON (at character {error.pos})") from None
    if not isinstance(value, dict):
        raise malformed("body", "must be a JSON object")
    return value


def _parse(body: dict[str, Any]) -> MappingCall:
    _only_fields(body, _FIELDS, "body")
    advertiser_ids = string_list(body.get("advertiser_ids"), "advertiser_ids")
    action = body.get("action", "add")
    if action not in ("add", "delete"):
        raise malformed("action", "must be add or delete")
    schema = _schema(body.get("id_schema"))
    rows = body.get("batch_data")
    if not isinstance(rows, list) or not rows:
        raise malformed("batch_data", "must be a non-empty list of rows")
    if len(rows) > MAX_ROWS:
        raise Refused(
            Code.TOO_MANY_IDS,
            f"batch_data: {len(rows)} rows in one request, at most {MAX_ROWS} are allowed",
        )
    gathered = Gathered()
    rows_by_audience: Counter[str] = Counter()
    for number, row in enumerate(rows):
        rows_by_audience.update(_row(row, f"batch_data[{number}]", schema, gathered))
    return gathered.call(advertiser_ids, action, len(rows), rows_by_audience)


def _schema(value: Any) -> list[str]:
    schema: list[str] = []
    for position, spelling in enumerate(string_list(value, "id_schema")):
        kind = id_type(spelling)
        if kind is None:
            raise malformed(f"id_schema[{position}]", f"must be one of {', '.join(DIGEST_BYTES)}")
        if kind in schema:
            raise malformed(f"id_schema[{position}]", "is a type that stands in it twice")
        schema.append(kind)
    return schema


def _row(row: Any, where: str, schema: list[str], gathered: Gathered) -> set[str]:
    """Take a row's identifiers and return the audiences it names."""
    if not isinstance(row, list):
        raise malformed(where, "must be a list with one entry per id_schema position")
    if len(row) != len(schema):
        raise malformed(where, f"has {len(row)} entries, id_schema has {len(schema)}")
    audiences: set[str] = set()
    for position, (entry, kind) in enumerate(zip(row, schema, strict=True)):
        place = f"{where}[{position}]"
        if not isinstance(entry, dict):
            raise malformed(place, "must be {} or an object with id and audience_ids")
        if entry:
            _only_fields(entry, _ENTRY_FIELDS, place)
            digest = _digest(entry.get("id"), kind, f"{place}.id")
            audience_ids = string_list(entry.get("audience_ids"), f"{place}.audience_ids")
            gathered.add(audience_ids, kind, [digest])
            audiences.update(audience_ids)
    if not audiences:
        raise malformed(where, "holds no identifier: every entry is {}")
    return audiences


def _digest(value: Any, kind: str, where: str) -> bytes:
    length = 2 * DIGEST_BYTES[kind]
    rule = f"must be {length} lower-case hex digits for {kind}"
    if not isinstance(value, str):
        raise malformed(where, f"{rule}, is not a string")
    if len(value) != length:
        raise malformed(where, f"{rule}, has {len(value)} characters")
    try:
        digest = bytes.fromhex(value)
    except ValueError:
        raise malformed(where, f"{rule}, has other characters") from None
    if digest.hex() != value:  # upper case, and the white space that fromhex skips
        raise malformed(where, f"{rule}, has other characters")
    return digest


def _only_fields(value: dict[str, Any], known: set[str], where: str) -> None:
    unknown = len(value.keys() - known)
    if unknown:
        raise malformed(
            where, f"has {unknown} unknown field(s), known are {', '.join(sorted(known))}"
        )


def string_list(value: Any, where: str) -> list[str]:
    """Return the value if it is a non-empty list of non-empty strings.

    Raises:
        Refused: it is something else.
    """
    if not isinstance(value, list) or not value:
        raise malformed(where, "must be a non-empty list of strings")
    for position, item in enumerate(value):
        if not isinstance(item, str) or not item:
            raise malformed(f"{where}[{position}]", "must be a non-empty string")
    return value
