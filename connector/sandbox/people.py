"""Invented people and the many ways in which source systems write down what identifies them.

Owns the identifiers of a profile, all derived from its number, and the plain, dressed, hashed and broken forms of
a value. It knows the canonical form of each because it made it: nothing here normalises.
"""

import hashlib
import uuid
from collections.abc import Callable
from random import Random
from typing import Any, Final, NamedTuple

REGION: Final = "US"
"""Where the national phone numbers are at home."""

_GIVEN: Final = ("jane", "omar", "mei", "lucas", "ana", "ravi", "zoë", "sven", "aya", "tom")
_FAMILY: Final = (
    "doe",
    "haddad",
    "chen",
    "moreau",
    "silva",
    "patel",
    "roy",
    "müller",
    "mori",
    "fox",
)
_HOSTS: Final = ("example.com", "mail.example.org", "example.net", "shop.example.co.uk")
_AREAS: Final = (201, 202, 206, 212, 213, 215, 216, 303, 305, 312, 404, 408, 415, 503, 512, 617)
_LINES: Final = 10_000
_EXCHANGES: Final = 645  # 555 to 1199, written as three digits below
_PER_PERSON: Final = 4
"""Numbers of one kind that belong to one profile: two people never share one."""


class Value(NamedTuple):
    """One identifier: its canonical form, and its kind."""

    kind: str  # "email", "phone" or "device"
    canonical: str


class Person(NamedTuple):
    """What identifies one profile, by namespace; the first value of each is the main one."""

    profile_id: str
    values: dict[str, list[Value]]


def person(number: int, several: float) -> Person:
    """Return the person of this number, the same at each call.

    Args:
        several: the share of people with more than one e-mail address or phone number.
    """
    rng = Random(number)
    first = number * _PER_PERSON
    several_mails = 1 + (rng.random() < several) + (rng.random() < several / 4)
    several_phones = 1 + (rng.random() < several)
    kinds = rng.random()
    values: dict[str, list[Value]] = {}
    if kinds < 0.85:
        values["email"] = [_email(first + i) for i in range(several_mails)]
    if kinds > 0.35:
        values["phone"] = [_phone(first + i) for i in range(several_phones)]
    if 0.2 < kinds < 0.6:
        values["idfa"] = [_device(first)]
    elif kinds > 0.55:
        values["gaid"] = [_device(first + 1)]
    if 0.1 < kinds < 0.2:  # a second system that knows the same kind of thing
        values["crm_email"] = [_email(first + 3)]
    return Person(f"p-{number}", values)


def _email(number: int) -> Value:
    given, family = _GIVEN[number % 10], _FAMILY[number // 10 % 10]
    host = _HOSTS[number % len(_HOSTS)]
    return Value("email", f"{given}.{family}+{number}@{host}")


def _phone(number: int) -> Value:
    if number % 5 == 0:  # a British mobile number, always written with its country
        return Value("phone", f"+447{number:09d}")
    area = _AREAS[number % len(_AREAS)]
    line = number // len(_AREAS) % _LINES
    exchange = 555 + number // (len(_AREAS) * _LINES) % _EXCHANGES
    return Value("phone", f"+1{area}{200 + (exchange - 200) % 800}{line:04d}")


def _device(number: int) -> Value:
    digest = hashlib.blake2b(number.to_bytes(8, "big"), digest_size=16).digest()
    return Value("device", str(uuid.UUID(bytes=digest, version=4)))


def dressed(value: Value, rng: Random) -> str:
    """Return the value as people and forms write it: it means the same."""
    return rng.choice(_DRESSES[value.kind])(value.canonical)


def hashed(value: Value, rng: Random) -> str:
    """Return its digest, in lower or in upper case."""
    digest = hashlib.sha256(value.canonical.encode()).hexdigest()
    return digest if rng.random() < 0.5 else digest.upper()


def broken(value: Value, rng: Random) -> Any:
    """Return something in its place that identifies nobody."""
    return rng.choice(_BROKEN[value.kind])


def _national(digits: Callable[[str, str, str], str]) -> Callable[[str], str]:
    """Return a way to write an American number without its +; others are grouped, with it."""

    def write(canonical: str) -> str:
        if not canonical.startswith("+1"):
            return f"{canonical[:3]} {canonical[3:7]} {canonical[7:]}"
        return digits(canonical[2:5], canonical[5:8], canonical[8:])

    return write


_DRESSES: Final[dict[str, tuple[Callable[[str], str], ...]]] = {
    "email": (
        str.upper,
        str.title,
        lambda text: f"  {text}",
        lambda text: f"\t{text} \n",
        lambda text: f" {text.upper()} ",
    ),
    "phone": (
        _national(lambda area, exchange, line: f"+1 ({area}) {exchange}-{line}"),
        _national(lambda area, exchange, line: f"+1.{area}.{exchange}.{line}"),
        _national(lambda area, exchange, line: f"({area}) {exchange}-{line}"),
        _national(lambda area, exchange, line: f"{area}-{exchange}-{line}"),
        _national(lambda area, exchange, line: f"1 {area} {exchange} {line}"),
        _national(lambda area, exchange, line: f" {area}{exchange}{line} "),
    ),
    "device": (str.upper, lambda text: f" {text} ", lambda text: f"{text.upper()}\n"),
}

_NOT_TEXT: Final = (42, 3.5, True, {"value": "nested"}, ["nested"])
_BAD_DIGESTS: Final = tuple(
    hashlib.sha256(text.encode()).hexdigest()
    for text in ("", "null", "undefined", "none", str(uuid.UUID(int=0)))
)
_BROKEN: Final[dict[str, tuple[Any, ...]]] = {
    "email": (
        "nobody",
        "two@at@example.com",
        "white space@example.com",
        "@example.com",
        "somebody@localhost",
        *_BAD_DIGESTS,
        *_NOT_TEXT,
    ),
    "phone": ("+1234", "12345", "+0123456789", "+1234567890123456", "none", *_NOT_TEXT),
    "device": (
        str(uuid.UUID(int=0)),
        "5f3a2b18-9c4d-4e7f-b8e2",
        "5f3a2b189c4d4e7fb8e217d3a1e69b25",
        _BAD_DIGESTS[-1].upper(),
        *_NOT_TEXT,
    ),
}
