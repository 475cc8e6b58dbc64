"""JSON of any shape, by a mapping: a JMESPath expression for each part of a membership.

Owns what these expressions may be, and what they cost: a plain path of fields, such as `user.id`, is followed here,
at a small part of the library's cost; all others are the library's. The expressions are the operator's, the data is
anybody's: what an expression does with it is bounded, and never an exception of the library.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError
from jmespath.functions import Functions
from jmespath.visitor import TreeInterpreter

from connector.core.model import Action
from connector.errors import InvalidRecord
from connector.formats.membership import (
    MALFORMED_TIMESTAMP,
    MISSING_FIELD,
    TOO_COMPLEX,
    UNKNOWN_STATUS,
    WRONG_TYPE,
    Format,
    Membership,
    parse_object,
    seconds,
    text_of,
    with_problems,
)

Find = Callable[[dict[str, Any]], Any]
"""An event to what stands at a path; None where nothing does. Raises InvalidRecord when it cannot be evaluated."""

_MOST_COMMAS = 10_000
"""In a record that the library looks through: each element of a list costs it a microsecond and each expression."""

_MOST_SEGMENTS = 10_000
"""Of one event: each is a membership."""

_STEPS = frozenset({"subexpression", "index_expression"})


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


def problem_of(path: str) -> str | None:
    """What is wrong with an expression, in words for whoever wrote it; None when it can be used."""
    try:
        return next(_problems(jmespath.compile(path).parsed), None)
    except (JMESPathError, RecursionError):
        return "is not a JMESPath expression"


def make(mapping: CustomMapping) -> Format:
    """The format of events with this mapping.

    Raises:
        ValueError: an expression or the status values cannot be used; the text begins with the key.
    """
    return Format(_Mapped(mapping).decode)


class _Mapped:
    """What events mean by one mapping."""

    def __init__(self, mapping: CustomMapping) -> None:
        paths = {
            "profile_id": mapping.profile_id,
            "segment": mapping.segment,
            "status.path": mapping.status,
            **({} if mapping.timestamp is None else {"timestamp": mapping.timestamp}),
            **{f"identities.{name}": path for name, path in mapping.identities.items()},
        }
        for key, path in paths.items():
            if (problem := problem_of(path)) is not None:
                raise ValueError(f"mapping.{key} {problem}")
        finds = {key: _find(key, path) for key, path in paths.items()}
        self._is_plain = all(_plain(jmespath.compile(path).parsed) for path in paths.values())
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

    def decode(self, value: bytes) -> list[Membership]:
        """Decode one event; see Decode for the promise."""
        if not self._is_plain and value.count(b",") > _MOST_COMMAS:
            raise InvalidRecord(TOO_COMPLEX, f"more than {_MOST_COMMAS} commas")
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
        if type(segment) is str:
            return [Membership(segment, action, identities, problem, None, profile_id, at)]
        segments, problems = _segments(segment)
        memberships = [
            Membership(one, action, identities, None, None, profile_id, at) for one in segments
        ]
        if problem is not None and memberships:
            memberships[-1].problem = problem
        return with_problems(memberships, problems)

    def _action(self, event: dict[str, Any]) -> Action:
        status = self._status(event)
        action = None
        if isinstance(status, str | int | float):
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


def _problems(tree: Mapping[str, Any]) -> Iterator[str]:
    """What the library would find out with the first event only."""
    kind = tree["type"]
    children = tree["children"]
    if kind == "slice":
        if children[2] == 0:
            yield "has a slice with a step of 0"
        return
    if kind == "function_expression":
        function = Functions.FUNCTION_TABLE.get(tree["value"])
        if function is None:
            yield f"calls {tree['value']}(), a function that JMESPath does not have"
        else:
            wanted = function["signature"]
            takes_more = bool(wanted) and wanted[-1].get("variadic", False)
            if len(children) < len(wanted) or (len(children) > len(wanted) and not takes_more):
                yield f"calls {tree['value']}() with {len(children)} arguments"
    for child in children:
        yield from _problems(child)


def _find(key: str, path: str) -> Find:
    tree = jmespath.compile(path).parsed
    steps = _plain(tree)
    if steps is not None:
        return _follow(steps)
    interpreter = (
        TreeInterpreter()
    )  # the library's own search makes one for each question, at the same cost again

    def search(event: dict[str, Any]) -> Any:
        try:
            return interpreter.visit(tree, event)
        except Exception:  # noqa: BLE001  a function on the wrong data raises anything, and quotes it
            raise InvalidRecord(
                WRONG_TYPE, f"{key}: its expression cannot be evaluated on this record"
            ) from None

    return search


def _plain(tree: Mapping[str, Any]) -> list[str | int] | None:
    """The fields and positions of a path that consists of nothing else."""
    kind = tree["type"]
    if kind in {"field", "index"}:
        return [tree["value"]]
    if kind in _STEPS:
        parts = [_plain(child) for child in tree["children"]]
        if all(part is not None for part in parts):
            return [step for part in parts if part is not None for step in part]
    return None


def _follow(steps: Sequence[str | int]) -> Find:
    def follow(event: dict[str, Any]) -> Any:
        found: Any = event
        for step in steps:
            if type(found) is dict:
                found = found.get(step)
            elif type(found) is list and type(step) is int:
                found = found[step] if -len(found) <= step < len(found) else None
            else:
                return None
        return found

    return follow
