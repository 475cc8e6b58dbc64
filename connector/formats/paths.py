"""JMESPath expressions over a record: what they may be, what they cost, and a person's consent that one of them finds.

A path of fields, such as `user.id`, its comparison with a text, one path or else another, and an object of these are
followed here, at a small part of the library's cost; all others are the library's. The expressions are the operator's,
the data is anybody's: what an expression does with it is bounded, and never an exception of the library.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError
from jmespath.functions import Functions
from jmespath.visitor import TreeInterpreter

from connector.errors import InvalidRecord
from connector.formats.membership import TOO_COMPLEX, WRONG_TYPE, Find, Format, Membership

_MOST_COMMAS = 10_000
"""In a record that the library looks through: each element of a list costs it a microsecond and each expression."""

_STEPS = frozenset({"subexpression", "index_expression"})


def problem_of(path: str) -> str | None:
    """What is wrong with an expression, in words for whoever wrote it; None when it can be used."""
    try:
        return next(_problems(jmespath.compile(path).parsed), None)
    except (JMESPathError, RecursionError):
        return "is not a JMESPath expression"


class Path:
    """One expression, ready to be asked: `find`.

    Args:
        key: what the configuration calls it; for what is said of it.

    Attributes:
        find: raises InvalidRecord when the expression cannot be evaluated on this object.
        needs_library: whether it costs more than a few steps.

    Raises:
        ValueError: the expression cannot be used; the text begins with the key.
    """

    def __init__(self, key: str, path: str) -> None:
        if (problem := problem_of(path)) is not None:
            raise ValueError(f"{key} {problem}")
        try:
            quick = _quick(jmespath.compile(path).parsed)
        except RecursionError:
            quick = None
        self.needs_library = quick is None
        self.find: Find = _searching(key, path) if quick is None else quick


def refuse_too_much(value: bytes) -> None:
    """Raise InvalidRecord for a record that is too much for the library to look through."""
    if value.count(b",") > _MOST_COMMAS:
        raise InvalidRecord(TOO_COMPLEX, f"more than {_MOST_COMMAS} commas")


def with_consent(shape: Format, path: str) -> Format:
    """The format, with what stands at the path as each person's consent.

    Where the path cannot be evaluated, nothing stands: that is no consent, and never a reason to refuse a record.

    Raises:
        ValueError: the path cannot be used.
    """
    at = Path("consent", path)

    def find(person: dict[str, Any]) -> Any:
        try:
            return at.find(person)
        except InvalidRecord:
            return None

    def decode(value: bytes) -> list[Membership]:
        if at.needs_library:
            refuse_too_much(value)
        return shape.decode_with(value, find)

    return Format(decode, shape.decode_with, repeats=shape.repeats)


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


def _quick(tree: Mapping[str, Any]) -> Find | None:
    """The expression without the library, where it is of the usual kinds."""
    kind, children = tree["type"], tree["children"]
    if (steps := _plain(tree)) is not None:
        return _following(steps)
    if kind == "key_val_pair":
        return _quick(children[0])
    if kind == "comparator" and tree["value"] == "eq":
        return _comparing(*children)
    if kind in {"or_expression", "multi_select_dict"}:
        parts = [part for child in children if (part := _quick(child)) is not None]
        if len(parts) == len(children):
            names = [child.get("value") for child in children]
            return _choosing(*parts) if kind == "or_expression" else _building(names, parts)
    return None


def _comparing(left: Mapping[str, Any], right: Mapping[str, Any]) -> Find | None:
    find = _quick(left)
    if find is None or right["type"] != "literal" or not isinstance(right["value"], str):
        return None
    text = right["value"]
    return lambda event: find(event) == text


def _choosing(first: Find, second: Find) -> Find:
    def choose(event: dict[str, Any]) -> Any:
        found = first(event)
        # What JMESPath takes for false: 0 is not.
        is_false = found is None or found is False or found in ("", [], {})
        return second(event) if is_false else found

    return choose


def _building(names: Sequence[str], parts: Sequence[Find]) -> Find:
    pairs = list(zip(names, parts, strict=True))
    return lambda event: {name: find(event) for name, find in pairs}


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


def _following(steps: Sequence[str | int]) -> Find:
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


def _searching(key: str, path: str) -> Find:
    # The library's own search makes an interpreter for each question, at the same cost again.
    tree, interpreter = jmespath.compile(path).parsed, TreeInterpreter()

    def search(event: dict[str, Any]) -> Any:
        try:
            return interpreter.visit(tree, event)
        except Exception:  # noqa: BLE001  a function on the wrong data raises anything, and quotes it
            raise InvalidRecord(
                WRONG_TYPE, f"{key}: its expression cannot be evaluated on this record"
            ) from None

    return search
