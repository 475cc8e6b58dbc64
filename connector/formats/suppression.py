"""The suppression topic's entries: one JSON object in UTF-8 for one profile, that it is never to be added again.

Owns that shape alone; it makes no memberships, and no topic of memberships may name it as its format.
"""

from typing import Any

from connector.core.suppression import Status, SuppressionEntry
from connector.errors import InvalidRecord
from connector.formats.membership import (
    MISSING_FIELD,
    UNKNOWN_STATUS,
    WRONG_TYPE,
    parse_object,
)

_STATUSES = {status.value: status for status in Status}


def decode(value: bytes) -> SuppressionEntry:
    """Decode one entry. Unknown fields are ignored; absent and null identities mean that there are none.

    Raises InvalidRecord with one of connector.formats.membership.DECODE_REASONS and nothing else.
    """
    tree = parse_object(value)
    profile_id = _text(tree, "profile_id")
    status = _STATUSES.get(_text(tree, "status"))
    if status is None:
        raise InvalidRecord(UNKNOWN_STATUS, f"status is none of {', '.join(_STATUSES)}")
    identities = tree.get("identities")
    if identities is None:
        identities = {}
    if not isinstance(identities, dict):
        raise InvalidRecord(WRONG_TYPE, "identities is not an object")
    return SuppressionEntry(profile_id, status, identities)


def _text(tree: dict[str, Any], name: str) -> str:
    if name not in tree:
        raise InvalidRecord(MISSING_FIELD, f"{name} is missing")
    found = tree[name]
    if not isinstance(found, str):
        raise InvalidRecord(WRONG_TYPE, f"{name} is not a string")
    return found
