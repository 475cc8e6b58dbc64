"""What of a log line may be written: of our own what the catalogue of lines allows, of a library's its words, masked.

Owns the allow-list and the shapes that are masked. An error is told by its type and where it was raised: its text
and its locals may quote a record.
"""

import re
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from connector.telemetry.lines import KEYS, LINES, Shape

Facts = dict[str, Any]

MASK = "[masked]"

_WORD = re.compile(r"\S+")

_PERSONAL = re.compile(
    r"\+\(?[0-9](?:[ ().-]{0,2}[0-9]){6,14}"  # a phone number as E.164 has it
    r"|\b[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\b"  # a device id
    r"|[0-9A-Za-z+=]{32,}"  # a digest, a token
)
"""What no text of ours should hold: names are configured, words chosen by us."""

_SUSPECT = re.compile(r"@|\\x")
"""Likewise, in any word: an e-mail address, and a digest as Python writes bytes."""

_PHONE = re.compile(r"\+?\(?[0-9](?:[ ()-]{0,2}[0-9]){9,14}")
_TELLING = re.compile(r"@|\\x|[0-9A-Fa-f]{12}|[0-9]{6}")
_LONGEST_WORD = 40
"""What might be an identifier, a digest, a token or bytes of a record in words that others chose."""

_MOST_TEXT = 1000
"""Of a text so much is looked at, and written: looking takes its time."""

_ID = re.compile(r"[0-9]{1,32}").fullmatch
_REQUEST_ID = re.compile(r"(?![0-9a-f]{32}$)[0-9A-Za-z]{1,40}").fullmatch
"""TikTok's have 32 to 35 characters in capitals. A SHA-256 digest has 64; an MD5 digest of ours is in lower case."""

_MOST_PLACES = 8


def ours(event: object, facts: Mapping[str, Any]) -> Facts:
    """A line of our own: its name, and of what stands beside it what the catalogue allows in the shape it says."""
    line = LINES.get(event) if isinstance(event, str) else None
    allowed = () if line is None else line.keys
    kept = {
        "event": library_text(event) if line is None else line.event,
        **{key: _SHAPES[KEYS[key].shape](facts[key]) for key in allowed if key in facts},
        **_error(facts.get("exc_info")),
    }
    return kept | _dropped(len(facts.keys() - {*allowed, "exc_info"}))


def of_library(event: object, error: object, extra: int) -> Facts:
    """A library's line.

    Args:
        event: its message.
        error: what logging calls exc_info.
        extra: how many things of its own it wanted to say beside the message.
    """
    return {"event": library_text(event), **_error(error), **_dropped(extra)}


def library_text(message: object) -> str:
    """Of a library's message, the first line, masked: asyncio quotes exceptions further down, warnings source code."""
    text = _PHONE.sub(MASK, _cut(str(message).partition("\n")[0]))
    return _WORD.sub(_unless_telling, text)


def _unless_telling(word: re.Match[str]) -> str:
    return MASK if len(word[0]) > _LONGEST_WORD or _TELLING.search(word[0]) else word[0]


def _cut(text: str) -> str:
    """A long text, up to a space: half an identifier is not known for one."""
    return text if len(text) <= _MOST_TEXT else text[:_MOST_TEXT].rpartition(" ")[0] + " ..."


def _dropped(keys: int) -> Facts:
    return {"dropped_keys": keys} if keys else {}


def _error(error: object) -> Facts:
    """Of an exception, its type and where it was raised."""
    if error is True:
        error = sys.exc_info()
    if isinstance(error, tuple):
        error = error[1]
    if not isinstance(error, BaseException):
        return {}
    return {"error_type": type(error).__name__, "error_at": [*_places(error)][-_MOST_PLACES:]}


def _places(error: BaseException) -> Iterator[str]:
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        yield f"{code.co_filename.rpartition('/')[2]}:{trace.tb_lineno} {code.co_name}"
        trace = trace.tb_next


def _number(value: object) -> object:
    return value if isinstance(value, int | float) else MASK


def _text(value: object) -> object:
    if value is None:
        return None
    if not isinstance(value, str):
        return MASK
    text = _cut(value)
    if _SUSPECT.search(text):
        text = _WORD.sub(lambda word: MASK if _SUSPECT.search(word[0]) else word[0], text)
    return _PERSONAL.sub(MASK, text)


def _texts(value: object) -> object:
    return [_text(one) for one in value] if isinstance(value, list | tuple) else MASK


def _id(value: object) -> object:
    return value if isinstance(value, str) and _ID(value) else MASK


def _request_id(value: object) -> object:
    return value if isinstance(value, str) and _REQUEST_ID(value) else MASK


_SHAPES: Mapping[Shape, Callable[[object], object]] = {
    Shape.NUMBER: _number,
    Shape.TEXT: _text,
    Shape.TEXTS: _texts,
    Shape.ID: _id,
    Shape.REQUEST_ID: _request_id,
}
