"""Adobe Experience Platform's streaming segment export: one profile with all its mapped memberships.

Keys come with the prefix `xdm:` and without it; without wins. A message lists memberships that did not change, too.

Two ways lead to the same answer, as in the native format: typed decoding for the usual message, and a general one
which alone knows what is wrong. What is made of either is made in one place.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Annotated, Any

import msgspec

from connector.core.model import Action
from connector.errors import InvalidRecord
from connector.formats.membership import (
    MALFORMED_TIMESTAMP,
    MISSING_FIELD,
    MOST_BRACKETS,
    TOO_COMPLEX,
    UNKNOWN_STATUS,
    WRONG_TYPE,
    Find,
    Format,
    Membership,
    nothing,
    parse_object,
    refuse_too_complex,
    seconds,
    with_problems,
)

_ACTIONS = {"realized": Action.ADD, "existing": Action.ADD, "exited": Action.DELETE}
_NAMESPACES = {
    "email": "email",
    "emailsha256": "email",
    "email_sha256": "email",
    "email_lc_sha256": "email",
    "phone": "phone",
    "phonesha256": "phone",
    "phone_e.164": "phone",
    "phone_sha256": "phone",
    "phone_sha256_e.164": "phone",
}
"""Adobe's namespaces, in lower case, to the native ones; idfa, gaid and all others keep their names."""

_MOST = 10_000
"""Of memberships, and of identities, in one message: more are no profile's, and would hold the event loop."""


class _Status(msgspec.Struct, rename="camel", gc=False):
    status: str
    last_qualification_time: Annotated[datetime, msgspec.Meta(tz=True)] | None = None


class _Identity(msgspec.Struct, gc=False):
    id: str
    primary: bool = False


class _Address(msgspec.Struct, gc=False):
    address: str | None = None


class _Profile(msgspec.Struct, rename="camel", gc=False):
    """The usual message. Unknown fields are ignored."""

    segment_membership: dict[str, dict[str, _Status]]
    identity_map: dict[str, list[_Identity]] | None = None
    personal_email: _Address | None = None


_decode_usual = msgspec.json.Decoder(_Profile).decode

_Values = Iterable[tuple[str, object, bool]]
"""Each identity: its namespace, its value, and whether it is the profile's primary one."""


def decode(value: bytes) -> list[Membership]:
    """Decode one profile's message; see Decode for the promise.

    A membership that is not understood is left out, and its reason counted by another one's `problem`; the message
    is refused when none is left.
    """
    if len(value) > MOST_BRACKETS:
        refuse_too_complex(value)
    # The typed decoder checks no encoding of what it skips, and does not know the prefix, which escapes could hide.
    if value.isascii() and b"\\" not in value and b"xdm:" not in value:
        try:
            profile = _decode_usual(value)
        except (msgspec.MsgspecError, RecursionError):
            return _decode_any(value)
        if len(value) > MOST_BRACKETS:
            _refuse_too_many(profile.segment_membership, profile.identity_map or {})
        return _usual(profile)
    return _decode_any(value)


def _usual(profile: _Profile) -> list[Membership]:
    address = profile.personal_email.address if profile.personal_email else None
    of_map = profile.identity_map or {}
    profile_id, identities = _identities(
        ((name, one.id, one.primary) for name, some in of_map.items() for one in some), address
    )
    memberships = []
    problems: list[InvalidRecord] = []
    for some in profile.segment_membership.values():
        for segment, one in some.items():
            action = _ACTIONS.get(one.status)
            if action is None:
                problems.append(_unknown_status())
                continue
            time = one.last_qualification_time
            at = None if time is None else time.timestamp()
            memberships.append(Membership(segment, action, identities, None, None, profile_id, at))
    return with_problems(memberships, problems)


def _decode_any(value: bytes, consent: Find = nothing) -> list[Membership]:
    event = parse_object(value)
    segments = _object(event, "segmentMembership")
    if segments is None:
        raise InvalidRecord(MISSING_FIELD, "segmentMembership is missing")
    of_map = _object(event, "identityMap") or {}
    address = _get(_object(event, "personalEmail") or {}, "address")
    if len(value) > MOST_BRACKETS:
        _refuse_too_many(segments, of_map)
    profile_id, identities = _identities(_values(of_map), address)
    said = consent(event)
    memberships = []
    problems = []
    for some in segments.values():
        if not isinstance(some, dict):
            problems.append(
                InvalidRecord(WRONG_TYPE, "a namespace of segmentMembership is no object")
            )
            continue
        for segment, one in some.items():
            try:
                action, at, problem = _status(one)
            except InvalidRecord as invalid:
                problems.append(invalid)
                continue
            memberships.append(
                Membership(
                    segment, action, identities, problem, None, profile_id, at, None, None, said
                )
            )
    return with_problems(memberships, problems)


FORMAT = Format(decode, _decode_any, repeats=True)


def _status(one: object) -> tuple[Action, float | None, str | None]:
    """What a membership says, when, and what is wrong with that time."""
    if not isinstance(one, dict):
        raise InvalidRecord(WRONG_TYPE, "a membership is not an object")
    status = _get(one, "status")
    if status is None:
        raise InvalidRecord(MISSING_FIELD, "a membership's status is missing")
    if not isinstance(status, str):
        raise InvalidRecord(WRONG_TYPE, "a membership's status is not a string")
    action = _ACTIONS.get(status)
    if action is None:
        raise _unknown_status()
    time = _get(one, "lastQualificationTime")
    at = seconds(time) if isinstance(time, str) else None
    return action, at, MALFORMED_TIMESTAMP if at is None and time is not None else None


def _unknown_status() -> InvalidRecord:
    return InvalidRecord(
        UNKNOWN_STATUS, "a membership's status is none of realized, existing, exited"
    )


def _refuse_too_many(segments: Mapping[str, Any], identity_map: Mapping[str, Any]) -> None:
    for tree in (segments, identity_map):
        if sum(len(some) for some in tree.values() if isinstance(some, dict | list)) > _MOST:
            raise InvalidRecord(TOO_COMPLEX, f"more than {_MOST} memberships or identities")


def _identities(values: _Values, address: object) -> tuple[str | None, dict[str, Any]]:
    """The profile's id, and its identities by native namespaces: one value, or a list of several.

    The profile's address counts where no identity is an e-mail: identities are what the profile is known by. An id
    of another namespace than ecid is unique only together with it.
    """
    identities: dict[str, Any] = {}
    ecid = first_primary = None
    for name, value, is_primary in values:
        if value is None or value == "":
            continue
        source = name.lower()
        namespace = _NAMESPACES.get(source, source)
        if namespace not in identities:
            identities[namespace] = value
        elif isinstance(before := identities[namespace], list):
            before.append(value)
        else:
            identities[namespace] = [before, value]
        if ecid is None and source == "ecid" and isinstance(value, str):
            ecid = value
        elif is_primary and first_primary is None and isinstance(value, str):
            first_primary = f"{source}:{value}"
    if address is not None and "email" not in identities:
        identities["email"] = address
    return ecid or first_primary, identities


def _values(identity_map: Mapping[str, Any]) -> Iterator[tuple[str, object, bool]]:
    """All identities of a map of any shape: what is no identity is for the identities to judge."""
    for name, some in identity_map.items():
        for one in some if isinstance(some, list) else [some]:
            if isinstance(one, dict):
                yield name, _get(one, "id"), _get(one, "primary") is True
            else:
                yield name, one, False


def _get(tree: Mapping[str, Any], name: str) -> Any:
    """The field under its name, or else under that with the prefix."""
    return tree[name] if name in tree else tree.get(f"xdm:{name}")


def _object(event: Mapping[str, Any], name: str) -> dict[str, Any] | None:
    found = _get(event, name)
    if found is None or isinstance(found, dict):
        return found
    raise InvalidRecord(WRONG_TYPE, f"{name} is not an object")
