"""RudderStack's events for TikTok audiences: a record of one user, and an audience list of many.

The audience stands in `context.externalId`, where the last one of TikTok's counts. An event whose external ids are
all of other destinations is none of ours.

Two ways lead to the same answer, as in the native format: typed decoding for the usual event, and a general one
which alone knows what is wrong. A user of a list that is wrong does not hold up the others.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Annotated, Any

import msgspec

from connector.core.model import Action
from connector.errors import InvalidRecord
from connector.formats.membership import (
    MALFORMED_TIMESTAMP,
    MISSING_FIELD,
    MOST_BRACKETS,
    MOST_PROBLEMS,
    UNKNOWN_STATUS,
    WRONG_TYPE,
    Find,
    Format,
    Membership,
    nothing,
    parse_object,
    refuse_too_complex,
    seconds,
    text_of,
    with_problems,
)

_Tree = dict[str, Any]

_ACTIONS = {"insert": Action.ADD, "update": Action.ADD, "delete": Action.DELETE}
_LISTS = {"add": Action.ADD, "remove": Action.DELETE}
"""In this order, so that who stands in both lists ends as removed."""

_NAMESPACES = {
    "EMAIL_SHA256": "email",
    "PHONE_SHA256": "phone",
    "IDFA_SHA256": "idfa",
    "IDFA_MD5": "idfa",
    "AAID_SHA256": "gaid",
    "AAID_MD5": "gaid",
}
_OTHER_CASES = {name.lower(): namespace for name, namespace in _NAMESPACES.items()}

_AUDIENCE = "TIKTOK_AUDIENCE"


class _ExternalId(msgspec.Struct, gc=False):
    type: str
    id: str | None = None


class _Context(msgspec.Struct, rename="camel", gc=False):
    external_id: list[_ExternalId]


_Users = list[dict[str, str | None]] | None


class _ListData(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    add: _Users = None
    remove: _Users = None


class _Properties(msgspec.Struct, rename="camel", gc=False):
    list_data: _ListData


class _Event(msgspec.Struct, rename="camel", gc=False):
    """The usual event of either kind. Unknown fields are ignored."""

    type: str
    context: _Context
    action: str | None = None
    user_id: str | None = None
    identifiers: dict[str, str | None] | None = None
    properties: _Properties | None = None
    timestamp: Annotated[datetime, msgspec.Meta(tz=True)] | None = None


_decode_usual = msgspec.json.Decoder(_Event).decode


def decode(value: bytes) -> list[Membership]:
    """Decode one event; see Decode for the promise."""
    if len(value) > MOST_BRACKETS:
        refuse_too_complex(value)
    # The typed decoder checks neither encoding nor escapes of what it skips.
    if value.isascii() and b"\\u" not in value:
        try:
            event = _decode_usual(value)
        except (msgspec.MsgspecError, RecursionError):
            return _decode_any(value)
        memberships = _usual(event)
        if memberships is not None:
            return memberships
    return _decode_any(value)


def _usual(event: _Event) -> list[Membership] | None:
    """What the event says; None when that is for the general way to find out."""
    audience = None
    for one in event.context.external_id:
        if one.type.startswith(_AUDIENCE):
            audience = _audience(one.type, one.id) or audience
    if not audience:
        return None
    at = None if event.timestamp is None else event.timestamp.timestamp()
    if event.type == "record":
        action = _ACTIONS.get(event.action or "")
        if action is None or event.identifiers is None:
            return None
        return [_membership(audience, action, event.identifiers, event.user_id, at)]
    if event.type == "audienceList" and event.properties is not None:
        lists = event.properties.list_data
        return [
            _membership(audience, action, user, None, at)
            for users, action in ((lists.add, Action.ADD), (lists.remove, Action.DELETE))
            for user in users or ()
        ]
    return None


def _membership(
    audience: str,
    action: Action,
    identifiers: Mapping[str, object],
    user_id: str | None,
    at: float | None,
) -> Membership:
    """One user in the audience, with the identifiers under native namespaces: one value, or a list of several."""
    identities: _Tree = {}
    for name, value in identifiers.items():
        if value is None or value == "":
            continue
        namespace = _NAMESPACES.get(name)
        if namespace is None:
            lower = name.lower()
            namespace = _OTHER_CASES.get(lower, lower)
        if namespace not in identities:
            identities[namespace] = value
        elif isinstance(before := identities[namespace], list):
            before.append(value)
        elif before != value:  # one device in plain may stand under both of its keys
            identities[namespace] = [before, value]
    return Membership(audience, action, identities, None, None, user_id, at, audience)


def _audience(kind: str, id_: str | None) -> str | None:
    """The audience's id, when the external id is one of TikTok's audiences."""
    if kind == _AUDIENCE:
        return id_
    return kind.removeprefix(f"{_AUDIENCE}-") if kind.startswith(f"{_AUDIENCE}-") else None


def _decode_any(value: bytes, consent: Find = nothing) -> list[Membership]:
    event = parse_object(value)
    kind = _text(event, "type").lower()
    if kind not in {"record", "audiencelist"}:
        return []
    audience = _named_audience(event)
    if audience is None:
        return []
    timestamp = event.get("timestamp")
    at = seconds(timestamp) if isinstance(timestamp, str) else None
    problems: list[InvalidRecord] = []
    if kind == "record":
        memberships = [_of_record(event, audience, at)]
        memberships[0].consent = consent(event)
    else:
        memberships = []
        for user, membership in _of_lists(event, audience, at, problems):
            membership.consent = consent(user)
            memberships.append(membership)
    is_malformed = timestamp is not None and at is None
    return with_problems(memberships, problems, MALFORMED_TIMESTAMP if is_malformed else None)


FORMAT = Format(decode, _decode_any)


def _named_audience(event: _Tree) -> str | None:
    """The audience of the event; None when its external ids are all of other destinations."""
    context = event.get("context")
    if context is not None and not isinstance(context, dict):
        raise InvalidRecord(WRONG_TYPE, "context is not an object")
    path = "context.externalId"
    some = context.get("externalId") if context else None
    if isinstance(some, dict):
        some = [some]
    if some is None or some == []:
        raise InvalidRecord(MISSING_FIELD, f"{path} is missing")
    if not isinstance(some, list):
        raise InvalidRecord(WRONG_TYPE, f"{path} is not a list")
    audience = None
    is_ours = False
    for index, one in enumerate(some):
        if not isinstance(one, dict):
            raise InvalidRecord(WRONG_TYPE, f"{path}[{index}] is not an object")
        kind = one.get("type")
        if not isinstance(kind, str):
            raise InvalidRecord(WRONG_TYPE, f"{path}[{index}].type is not a string")
        if kind == _AUDIENCE or kind.startswith(f"{_AUDIENCE}-"):
            is_ours = True
            id_ = one.get("id")
            if id_ is not None and text_of(id_) is None:
                raise InvalidRecord(
                    WRONG_TYPE, f"{path}[{index}].id is neither text nor a whole number"
                )
            audience = _audience(kind, text_of(id_)) or audience
    if is_ours and not audience:
        raise InvalidRecord(MISSING_FIELD, f"{path} names no audience by its id")
    return audience


def _of_record(event: _Tree, audience: str, at: float | None) -> Membership:
    action = _ACTIONS.get(_text(event, "action").lower())
    if action is None:
        raise InvalidRecord(UNKNOWN_STATUS, f"action is none of {', '.join(_ACTIONS)}")
    identifiers = _object(event, "", "identifiers")
    return _membership(audience, action, identifiers, text_of(event.get("userId")), at)


def _of_lists(
    event: _Tree, audience: str, at: float | None, problems: list[InvalidRecord]
) -> Iterator[tuple[_Tree, Membership]]:
    """Each user of the lists, and what the event says of them."""
    path = "properties.listData"
    lists = _object(_object(event, "", "properties"), "properties.", "listData")
    if lists.keys() - _LISTS.keys():
        problems.append(InvalidRecord(UNKNOWN_STATUS, f"{path} has another list than add, remove"))
    for name, action in _LISTS.items():
        users = lists.get(name)
        if users is None:
            continue
        if not isinstance(users, list):
            problems.append(InvalidRecord(WRONG_TYPE, f"{path}.{name} is not a list"))
            continue
        for index, user in enumerate(users):
            if isinstance(user, dict):
                yield user, _membership(audience, action, user, None, at)
            elif len(problems) < MOST_PROBLEMS:
                problems.append(
                    InvalidRecord(WRONG_TYPE, f"{path}.{name}[{index}] is not an object")
                )


def _text(tree: _Tree, name: str) -> str:
    found = tree.get(name)
    if isinstance(found, str):
        return found
    if found is None:
        raise InvalidRecord(MISSING_FIELD, f"{name} is missing")
    raise InvalidRecord(WRONG_TYPE, f"{name} is not a string")


def _object(tree: _Tree, path: str, name: str) -> _Tree:
    found = tree.get(name)
    if isinstance(found, dict):
        return found
    if found is None:
        raise InvalidRecord(MISSING_FIELD, f"{path}{name} is missing")
    raise InvalidRecord(WRONG_TYPE, f"{path}{name} is not an object")
