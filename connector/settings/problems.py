"""A problem of the configuration: where, and in which words. One line each.

Never a value, but for the names of what a policy denies: segments, destinations, labels and marketing actions.
"""

from collections.abc import Collection, Sequence
from difflib import SequenceMatcher
from typing import Any, NamedTuple

# Below this likeness a suggestion misleads more than a list of what is valid.
_ALIKE = 0.6
_LONGEST_KEY = 60


class Problem(NamedTuple):
    """What is wrong at a key; the path is `routes[2].segment`, or a file or a variable."""

    path: str
    text: str

    def __str__(self) -> str:
        line = f"{self.path}: {self.text}"
        # Keys and variables can hold anything; a terminal should not be given it.
        return "".join(character if character.isprintable() else "?" for character in line)


def nearest(word: str, options: Collection[str]) -> str | None:
    """The option most like the word, capitals or not; None when none is alike."""
    # A long text is no misspelt name, and comparing it would take its time.
    if len(word) > _LONGEST_KEY:
        return None
    likeness, option = max(
        (
            (SequenceMatcher(None, word.casefold(), option.casefold()).ratio(), option)
            for option in options
        ),
        default=(0.0, ""),
    )
    return option if likeness >= _ALIKE else None


def suggestion(word: str, options: Collection[str]) -> str:
    """'did you mean …?', or what is valid."""
    near = nearest(word, options)
    return f"did you mean {near}?" if near else f"valid here: {', '.join(options)}"


def joined(path: str, key: object) -> str:
    """The path of a key below this path; a key too long to be one is cut."""
    name = key if isinstance(key, str) else f"({type(key).__name__})"
    if len(name) > _LONGEST_KEY:
        name = name[:_LONGEST_KEY] + "…"
    return f"{path}.{name}" if path else name


_TEXT_OF_TYPE = {
    "string_type": 'must be text: put quotes around it, like "text"',
    "string_unicode": "must be text in UTF-8",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a whole number, and not so large",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "tuple_type": "must be a list",
    "too_short": "must have at least one entry",
    "string_too_short": "must not be empty",
    "path_type": "must be the path of a file",
    "greater_than": "must be more than {gt:g}",
    "greater_than_equal": "must be at least {ge:g}",
    "less_than_equal": "must be at most {le:g}",
}


def in_words(error: Any, value: object, choices: Sequence[str]) -> str:
    """Our words for one of pydantic's errors (its dictionary); its own could quote.

    Args:
        error: type and context, as `ValidationError.errors()` gives them.
        value: what was refused, for a suggestion only.
        choices: what a value of a closed set may be.
    """
    context = error.get("ctx", {})
    if value is None:
        return "has no value: give one, or leave the key out"
    if error["type"] == "value_error":
        return str(context["error"])
    if error["type"] == "literal_error":
        hint = nearest(value, choices) if isinstance(value, str) else None
        mean = f"; did you mean {hint}?" if hint else ""
        return f"must be one of {', '.join(choices)}{mean}"
    return _TEXT_OF_TYPE.get(error["type"], "is not a valid value").format(**context)
