"""Reads what people declare to the emulator: accounts, faults, the bodies of its own endpoints.

Its one promise: what is wrong is said in one line, with the place. TikTok's endpoints are not read here.
"""

from typing import Any, TypeVar

import msgspec
import orjson

T = TypeVar("T")


class Malformed(ValueError):  # noqa: N818
    """A declaration that cannot be used. Its text says what is wrong and where."""


def read_json(text: bytes, where: str) -> Any:
    """Return the JSON value.

    Raises:
        Malformed: it is not JSON.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise Malformed(f"{where}: not valid JSON: {error}") from None


def read_as(kind: type[T], value: Any, where: str) -> T:
    """Return a JSON value as the type it should be.

    Raises:
        Malformed: it is something else.
    """
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        what, _, path = str(error).partition(" - at `$")
        raise Malformed(f"{where}{path.rstrip('`')}: {what}") from None
