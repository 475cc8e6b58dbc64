"""Twilio Segment's audiences: entries and exits as track or identify, and rows of reverse ETL as track.

The boolean under the audience's key says whether the profile is a member. Events are named as anybody likes: their
names count only where there is no boolean, as in legacy journeys and in rows.

Two ways lead to the same answer, as in the native format: typed decoding for the usual event, and a general one
which alone knows what is of a wrong type. What the event means is decided in one place.
"""

from collections.abc import Mapping
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
    text_of,
)

_Tree = dict[str, Any]

_CLASSES = frozenset({"audience", "journey_step"})
"""The computations whose boolean is a membership; a computed trait may be a boolean, too."""

_NAMES = {
    "Audience Entered": Action.ADD,
    "Audience Exited": Action.DELETE,
    "new": Action.ADD,
    "updated": Action.ADD,
    "deleted": Action.DELETE,
}
"""Names of track events that say what happened: of the audiences as they come, and of reverse ETL's rows."""

_WORDS = {"true": Action.ADD, "false": Action.DELETE}
_DEVICES = {"ios": "idfa", "android": "gaid"}

_MOST_TRAITS = 1_000
"""So many booleans of an identify without a key are taken for audiences: more are no person's."""


class _Settings(msgspec.Struct, rename="camel", gc=False):
    advertiser_id: str | None = None


class _Personas(msgspec.Struct, gc=False):
    computation_class: str | None = None
    computation_key: str | None = None
    external_audience_id: str | None = None
    audience_settings: _Settings | None = None


class _Traits(msgspec.Struct, gc=False):
    email: str | None = None
    phone: str | None = None


class _Device(msgspec.Struct, rename="camel", gc=False):
    type: str | None = None
    advertising_id: str | None = None


class _Context(msgspec.Struct, gc=False):
    personas: _Personas | None = None
    traits: _Traits | None = None
    device: _Device | None = None


class _Event(msgspec.Struct, rename="camel", gc=False):
    """What is read of an event. Unknown fields are ignored."""

    type: str
    event: str | None = None
    user_id: str | None = None
    anonymous_id: str | None = None
    timestamp: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    properties: _Tree | None = None
    traits: _Tree | None = None
    context: _Context | None = None


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
        time = event.timestamp
        return _memberships(event, None if time is None else time.timestamp())
    return _decode_any(value)


def _memberships(event: _Event, at: float | None) -> list[Membership]:
    """What the event means; nothing when it is of another kind."""
    if event.type == "track":
        said, path = event.properties or {}, "properties"
    elif event.type == "identify":
        said, path = event.traits or {}, "traits"
    else:
        return []
    personas = event.context.personas if event.context else None
    if personas is None:
        key = None
    elif personas.computation_class and personas.computation_class not in _CLASSES:
        return []
    else:
        key = personas.computation_key
    if key:
        action = _action(event, said.get(key), path)
    elif key := _audience_key(event):
        # A row's boolean is what it held before it was deleted.
        is_gone = event.type == "track" and event.event == "deleted"
        action = Action.DELETE if is_gone else _action(event, said.get(key), path)
    else:
        return _without_key(event, personas, at)
    membership = Membership(
        key, action, _identities(event, said), None, None, event.user_id or event.anonymous_id, at
    )
    if personas is not None:
        membership.audience_id = personas.external_audience_id
        if personas.audience_settings is not None:
            membership.advertiser_id = personas.audience_settings.advertiser_id
    return [membership]


def _audience_key(event: _Event) -> str | None:
    key = event.properties.get("audience_key") if event.properties else None
    if key is None or isinstance(key, str):
        return key
    raise InvalidRecord(WRONG_TYPE, "properties.audience_key is not a string")


def _action(event: _Event, said: object, path: str) -> Action:
    """What the value under the audience's key says, or the event's name where there is none."""
    if said is True:
        return Action.ADD
    if said is False:
        return Action.DELETE
    if isinstance(said, str):
        action = _WORDS.get(said)
        if action is None:
            raise InvalidRecord(
                UNKNOWN_STATUS, f"the text under the audience's key in {path} is not true or false"
            )
        return action
    if said is not None:
        raise InvalidRecord(
            WRONG_TYPE, f"the value under the audience's key in {path} is not a boolean"
        )
    action = _NAMES.get(event.event or "") if event.type == "track" else None
    if action is None:
        raise InvalidRecord(MISSING_FIELD, f"{path} has no value under the audience's key")
    return action


def _without_key(event: _Event, personas: _Personas | None, at: float | None) -> list[Membership]:
    """Each boolean trait of an identify, by its name: an audience is a trait, and routes say which one is meant.

    Raises InvalidRecord where an audience is meant for certain.
    """
    if (personas and (personas.computation_class or personas.external_audience_id)) or (
        event.type == "track" and event.event in _NAMES
    ):
        raise InvalidRecord(
            MISSING_FIELD,
            "context.personas.computation_key and properties.audience_key are missing",
        )
    traits = event.traits or {}
    if event.type == "track" or not traits:
        return []
    booleans = [(name, is_member) for name, is_member in traits.items() if type(is_member) is bool]
    if not booleans:
        return []
    if len(booleans) > _MOST_TRAITS:
        raise InvalidRecord(
            TOO_COMPLEX, f"traits has more than {_MOST_TRAITS} booleans, and no key"
        )
    identities = _identities(event, traits)
    profile_id = event.user_id or event.anonymous_id
    return [
        Membership(
            name,
            Action.ADD if is_member else Action.DELETE,
            identities,
            None,
            None,
            profile_id,
            at,
        )
        for name, is_member in booleans
    ]


def _identities(event: _Event, said: Mapping[str, Any]) -> _Tree:
    """E-mail and phone of the event's own traits or of the context's, else of a row's columns; and the device."""
    identities: _Tree = {}
    context = event.context
    traits = context.traits if context else None
    email, phone = (traits.email, traits.phone) if traits else (None, None)
    if event.type == "identify":
        email, phone = said.get("email") or email, said.get("phone") or phone
    if email := email or said.get("email"):
        identities["email"] = email
    if phone := phone or said.get("phone"):
        identities["phone"] = phone
    device = context.device if context else None
    if device and device.advertising_id:
        kind = device.type or ""
        namespace = _DEVICES.get(kind) or _DEVICES.get(kind.lower(), "advertisingid")
        identities[namespace] = device.advertising_id
    return identities


def _decode_any(value: bytes, consent: Find = nothing) -> list[Membership]:
    tree = parse_object(value)
    kind = _text(tree, "", "type")
    if kind is None:
        raise InvalidRecord(MISSING_FIELD, "type is missing")
    if kind not in {"track", "identify"}:
        return []
    timestamp = tree.get("timestamp")
    at = seconds(timestamp) if isinstance(timestamp, str) else None
    event = _Event(
        type=kind,
        event=_text(tree, "", "event"),
        user_id=text_of(tree.get("userId")),
        anonymous_id=text_of(tree.get("anonymousId")),
        properties=_object(tree, "", "properties"),
        traits=_object(tree, "", "traits"),
        context=_context(_object(tree, "", "context") or {}),
    )
    memberships = _memberships(event, at)
    if memberships and timestamp is not None and at is None:
        memberships[0].problem = MALFORMED_TIMESTAMP
    if memberships:
        said = consent(tree)
        for membership in memberships:
            membership.consent = said
    return memberships


FORMAT = Format(decode, _decode_any)


def _context(context: _Tree) -> _Context:
    """The context with its types checked, but for the identifiers', which are judged later."""
    personas = _object(context, "context.", "personas")
    traits = _object(context, "context.", "traits")
    device = _object(context, "context.", "device")
    return _Context(
        None if personas is None else _personas(personas, "context.personas."),
        None if traits is None else _Traits(traits.get("email"), traits.get("phone")),
        None
        if device is None
        else _Device(_text(device, "context.device.", "type"), device.get("advertisingId")),
    )


def _personas(personas: _Tree, path: str) -> _Personas:
    settings = _object(personas, path, "audience_settings")
    return _Personas(
        _text(personas, path, "computation_class"),
        _text(personas, path, "computation_key"),
        _id(personas, path, "external_audience_id"),
        None
        if settings is None
        else _Settings(_id(settings, f"{path}audience_settings.", "advertiserId")),
    )


def _object(tree: _Tree, path: str, name: str) -> _Tree | None:
    found = tree.get(name)
    if found is None or isinstance(found, dict):
        return found
    raise InvalidRecord(WRONG_TYPE, f"{path}{name} is not an object")


def _text(tree: _Tree, path: str, name: str) -> str | None:
    found = tree.get(name)
    if found is None or isinstance(found, str):
        return found
    raise InvalidRecord(WRONG_TYPE, f"{path}{name} is not a string")


def _id(tree: _Tree, path: str, name: str) -> str | None:
    found = tree.get(name)
    text = text_of(found)
    if text is None and found is not None:
        raise InvalidRecord(WRONG_TYPE, f"{path}{name} is neither text nor a whole number")
    return text
