"""mParticle's audience membership changes: many profiles in a message, and many audiences of each.

An audience is named by its number, and by its name besides. What an identity's `encoding` says is not read: a
digest is told by its form, and one that suits no target is dropped, and counted, where identities are judged.

Two ways lead to the same answer, as in the native format: typed decoding for the usual message, and a general one
which alone knows what is wrong. A profile, an audience or an identity that is wrong does not hold up the others.
"""

from collections.abc import Iterator
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
    text_of,
    with_problems,
)

_KIND = "audience_membership_change_request"
_ACTIONS = {"add": Action.ADD, "delete": Action.DELETE, "attribute_update": None}
"""None: the membership did not change."""

_NAMESPACES = {
    "email": "email",
    "mobile_number": "phone",
    "phone_number_2": "phone",
    "phone_number_3": "phone",
    "ios_advertising_id": "idfa",
    "google_advertising_id": "gaid",
}
"""mParticle's types of identities to the native ones; all others keep their names."""

_Tree = dict[str, Any]
_Path = tuple[str | int, ...]
"""Where something stands: the names of fields and the places in lists. Written out for what is wrong alone."""

_LATEST_MS = 253_402_300_799_999
"""The last millisecond of the year 9999: a later time is none."""


class _Identity(msgspec.Struct, gc=False):
    type: str
    value: str


class _Audience(msgspec.Struct, gc=False):
    audience_id: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
    action: str
    audience_name: str | None = None


class _Profile(msgspec.Struct, gc=False):
    audiences: list[_Audience]
    mpid: str | None = None
    user_identities: list[_Identity] | None = None
    device_identities: list[_Identity] | None = None


class _Request(msgspec.Struct, gc=False):
    """The usual message. Unknown fields are ignored."""

    type: str
    user_profiles: list[_Profile] | None = None
    timestamp_ms: Annotated[int, msgspec.Meta(ge=0, le=_LATEST_MS)] | None = None


_decode_usual = msgspec.json.Decoder(_Request).decode


class _Unusual(Exception):  # noqa: N818
    """The message is of the usual types, but not all that it says is understood."""


def decode(value: bytes) -> list[Membership]:
    """Decode one request; see Decode for the promise."""
    if len(value) > MOST_BRACKETS:
        refuse_too_complex(value)
    # The typed decoder checks neither encoding nor escapes of what it skips.
    if value.isascii() and b"\\u" not in value:
        try:
            return _usual(_decode_usual(value))
        except (msgspec.MsgspecError, RecursionError, _Unusual):
            pass
    return _decode_any(value)


def _usual(request: _Request) -> list[Membership]:
    memberships: list[Membership] = []
    if request.type != _KIND or not request.user_profiles:
        return memberships
    at = None if request.timestamp_ms is None else request.timestamp_ms / 1000
    for profile in request.user_profiles:
        identities: _Tree = {}
        for some in (profile.user_identities, profile.device_identities):
            for one in some or ():
                _put(identities, one.type, one.value)
        for audience in profile.audiences:
            action = _ACTIONS.get(audience.action, ...)
            if action is ...:
                raise _Unusual
            if action is not None:
                memberships.append(
                    Membership(
                        str(audience.audience_id),
                        action,
                        identities,
                        None,
                        audience.audience_name,
                        profile.mpid,
                        at,
                    )
                )
    return memberships


def _put(identities: _Tree, kind: str, value: object) -> None:
    """Add an identity under its native namespace: one value, or a list of several."""
    namespace = _NAMESPACES.get(kind)
    if namespace is None:
        lower = kind.lower()
        namespace = _NAMESPACES.get(lower, lower)
    if namespace not in identities:
        identities[namespace] = value
    elif isinstance(before := identities[namespace], list):
        before.append(value)
    else:
        identities[namespace] = [before, value]


class _Problems:
    """What was left out of a message, so far as it is looked into."""

    def __init__(self) -> None:
        self.found: list[InvalidRecord] = []

    def missing(self, path: _Path) -> None:
        if len(self.found) < MOST_PROBLEMS:
            self.found.append(InvalidRecord(MISSING_FIELD, f"{_written(path)} is missing"))

    def wrong_type(self, path: _Path, what: str) -> None:
        if len(self.found) < MOST_PROBLEMS:
            self.found.append(InvalidRecord(WRONG_TYPE, f"{_written(path)} is {what}"))

    def unknown_action(self, path: _Path) -> None:
        if len(self.found) < MOST_PROBLEMS:
            detail = f"{_written(path)} is none of {', '.join(_ACTIONS)}"
            self.found.append(InvalidRecord(UNKNOWN_STATUS, detail))


def _written(path: _Path) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


def _decode_any(value: bytes, consent: Find = nothing) -> list[Membership]:
    request = parse_object(value)
    kind = request.get("type")
    if kind is None:
        raise InvalidRecord(MISSING_FIELD, "type is missing")
    if not isinstance(kind, str):
        raise InvalidRecord(WRONG_TYPE, "type is not a string")
    if kind != _KIND:
        return []
    problems = _Problems()
    memberships = [
        membership
        for path, profile in _objects(request, (), "user_profiles", problems)
        for membership in _of_profile(path, profile, problems, consent)
    ]
    time = request.get("timestamp_ms")
    if time is None:
        return with_problems(memberships, problems.found)
    if type(time) is not int or not 0 <= time <= _LATEST_MS:
        return with_problems(memberships, problems.found, MALFORMED_TIMESTAMP)
    for membership in memberships:
        membership.at = time / 1000
    return with_problems(memberships, problems.found)


FORMAT = Format(decode, _decode_any)


def _of_profile(
    path: _Path, profile: _Tree, problems: _Problems, consent: Find
) -> list[Membership]:
    if profile.get("audiences") is None:
        problems.missing((*path, "audiences"))
        return []
    identities: _Tree = {}
    memberships = []
    mpid = text_of(profile.get("mpid"))
    for where, audience in _objects(profile, path, "audiences", problems):
        found = _of_audience(where, audience, problems)
        if found is not None:
            segment, action, alias = found
            memberships.append(Membership(segment, action, identities, None, alias, mpid))
    if memberships:  # whose identities are of no interest otherwise
        for name in ("user_identities", "device_identities"):
            for where, one in _objects(profile, path, name, problems):
                kind = _text(one, where, "type", problems)
                if kind is not None:
                    _put(identities, kind, one.get("value"))
        said = consent(profile)
        for membership in memberships:
            membership.consent = said
    return memberships


def _of_audience(
    path: _Path, audience: _Tree, problems: _Problems
) -> tuple[str, Action, str | None] | None:
    """Which audience, what happened, and what it is also called; None when nothing happened, or nothing right."""
    number = audience.get("audience_id")
    segment = text_of(number)
    if segment is None:
        if number is None:
            problems.missing((*path, "audience_id"))
        else:
            problems.wrong_type((*path, "audience_id"), "neither a whole number nor text")
        return None
    said = _text(audience, path, "action", problems)
    if said is None:
        return None
    if said not in _ACTIONS:
        problems.unknown_action((*path, "action"))
        return None
    alias = audience.get("audience_name")
    if alias is not None and not isinstance(alias, str):
        problems.wrong_type((*path, "audience_name"), "not a string")
        return None
    action = _ACTIONS[said]
    return None if action is None else (segment, action, alias)


def _text(tree: _Tree, path: _Path, name: str, problems: _Problems) -> str | None:
    found = tree.get(name)
    if isinstance(found, str):
        return found
    if found is None:
        problems.missing((*path, name))
    else:
        problems.wrong_type((*path, name), "not a string")
    return None


def _objects(
    tree: _Tree, path: _Path, name: str, problems: _Problems
) -> Iterator[tuple[_Path, _Tree]]:
    """The objects of a list that may be absent, each with its path."""
    found = tree.get(name)
    if found is None:
        return
    if not isinstance(found, list):
        problems.wrong_type((*path, name), "not a list")
        return
    for index, one in enumerate(found):
        if isinstance(one, dict):
            yield (*path, name, index), one
        else:
            problems.wrong_type((*path, name, index), "not an object")
