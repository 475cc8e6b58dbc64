"""JSON of any shape, by a mapping: a JMESPath expression for each part of a membership.

Owns what the parts mean. What expressions may be, and what they cost, is connector.formats.paths' business.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from connector.core.model import Action
from connector.errors import InvalidRecord
from connector.formats.membership import (
    MALFORMED_TIMESTAMP,
    MISSING_FIELD,
    TOO_COMPLEX,
    UNKNOWN_STATUS,
    WRONG_TYPE,
    Find,
    Format,
    Membership,
    nothing,
    parse_object,
    seconds,
    text_of,
    with_problems,
)
from connector.formats.paths import Path, problem_of, refuse_too_much

_SCALARS = (str, int, float)
_MOST_SEGMENTS = 10_000
"""Of one event: each is a membership."""


@dataclass(frozen=True)
class CustomMapping:
    """Where the parts of an event stand, as JMESPath expressions.

    Attributes:
        segment: an id, or a list of them: a membership each.
        entered: the values of `status` that mean that the profile entered: text, numbers, booleans.
        exited: those that mean that it exited.
        timestamp: RFC 3339.
        identities: by namespace; one value or a list.
    """

    profile_id: str
    segment: str
    status: str
    entered: tuple[object, ...]
    exited: tuple[object, ...]
    timestamp: str | None
    identities: Mapping[str, str]


def make(mapping: CustomMapping) -> Format:
    """The format of events with this mapping.

    Raises:
        ValueError: an expression or the status values cannot be used; the text begins with the key.
    """
    decode = _Mapped(mapping).decode
    return Format(decode, decode)


class _Mapped:
    """What events mean by one mapping."""

    def __init__(self, mapping: CustomMapping) -> None:
        expressions = {
            "profile_id": mapping.profile_id,
            "segment": mapping.segment,
            "status.path": mapping.status,
            **({} if mapping.timestamp is None else {"timestamp": mapping.timestamp}),
            **{f"identities.{name}": path for name, path in mapping.identities.items()},
        }
        for key, one in expressions.items():
            if (problem := problem_of(one)) is not None:
                raise ValueError(f"mapping.{key} {problem}")
        paths = {key: Path(key, one) for key, one in expressions.items()}
        finds = {key: one.find for key, one in paths.items()}
        self._needs_library = any(one.needs_library for one in paths.values())
        self._profile_id = finds["profile_id"]
        self._segment = finds["segment"]
        self._status = finds["status.path"]
        self._timestamp = finds.get("timestamp")
        self._identities = {
            name.lower(): finds[f"identities.{name}"] for name in mapping.identities
        }
        if len(self._identities) < len(mapping.identities):
            raise ValueError(
                "mapping.identities names a namespace twice: upper and lower case are the same"
            )
        self._actions = _actions(mapping)

    def decode(self, value: bytes, consent: Find = nothing) -> list[Membership]:
        """Decode one event; see Decode for the promise."""
        if self._needs_library:
            refuse_too_much(value)
        event = parse_object(value)
        profile_id = self._profile_id(event)
        if type(profile_id) is not str:
            profile_id = _text(profile_id, "profile_id")
        segment = self._segment(event)
        action = self._action(event)
        identities = {}
        for namespace, find in self._identities.items():
            found = find(event)
            if found is not None:
                identities[namespace] = found
        at, problem = self._time(event)
        said = consent(event)
        if type(segment) is str:
            return [
                Membership(
                    segment, action, identities, problem, None, profile_id, at, None, None, said
                )
            ]
        segments, problems = _segments(segment)
        memberships = [
            Membership(one, action, identities, None, None, profile_id, at, None, None, said)
            for one in segments
        ]
        if problem is not None and memberships:
            memberships[-1].problem = problem
        return with_problems(memberships, problems)

    def _action(self, event: dict[str, Any]) -> Action:
        status = self._status(event)
        action = None
        if isinstance(status, _SCALARS):
            action = self._actions.get((type(status) is bool, status))
        elif status is None:
            raise InvalidRecord(MISSING_FIELD, "status: nothing stands at its path")
        else:
            raise InvalidRecord(WRONG_TYPE, "status is a list or an object")
        if action is None:
            raise InvalidRecord(UNKNOWN_STATUS, "status is none of those of entered and exited")
        return action

    def _time(self, event: dict[str, Any]) -> tuple[float | None, str | None]:
        """When it happened, and what is wrong with that: a time never refuses a record."""
        if self._timestamp is None:
            return None, None
        try:
            time = self._timestamp(event)
        except InvalidRecord:
            return None, MALFORMED_TIMESTAMP
        if time is None:
            return None, None
        at = seconds(time) if isinstance(time, str) else None
        return at, None if at is not None else MALFORMED_TIMESTAMP


def _actions(mapping: CustomMapping) -> dict[tuple[bool, object], Action]:
    """By status value, with whether it is a boolean: true is not 1."""
    actions: dict[tuple[bool, object], Action] = {}
    for key, words, action in (
        ("entered", mapping.entered, Action.ADD),
        ("exited", mapping.exited, Action.DELETE),
    ):
        for word in words:
            if not isinstance(word, str | int | float):
                raise ValueError(f"mapping.status.{key} holds what is no text, number or boolean")  # noqa: TRY004
            if actions.setdefault((type(word) is bool, word), action) is not action:
                raise ValueError("mapping.status has the same value under entered and exited")
    return actions


def _text(found: object, key: str) -> str:
    text = text_of(found)
    if text is not None:
        return text
    if found is None:
        raise InvalidRecord(MISSING_FIELD, f"{key}: nothing stands at its path")
    raise InvalidRecord(WRONG_TYPE, f"{key} is neither text nor a whole number")


def _segments(found: object) -> tuple[list[str], list[InvalidRecord]]:
    """The segments, and why others were left out."""
    if not isinstance(found, list):
        return [_text(found, "segment")], []
    if len(found) > _MOST_SEGMENTS:
        raise InvalidRecord(TOO_COMPLEX, f"segment is a list of more than {_MOST_SEGMENTS}")
    segments = [text for one in found if (text := text_of(one)) is not None]
    wrong = InvalidRecord(WRONG_TYPE, "segment is a list with what is neither text nor a number")
    return segments, [wrong] * (len(found) - len(segments))
