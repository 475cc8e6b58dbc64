"""An identifier as TikTok's digest of it, by the sandbox's own reading of the rules.

Owns what is usable, how it is normalised and hashed. Only the model uses it; the connector has its own.
"""

import hashlib
import re
from functools import lru_cache
from typing import Final

import phonenumbers

_ZERO_UUID: Final = "00000000-0000-0000-0000-000000000000"
_EMPTY_WORDS: Final = ("", "null", "undefined", "none", _ZERO_UUID)
_DIGEST: Final = {
    "SHA256": re.compile(r"[0-9a-fA-F]{64}"),
    "MD5": re.compile(r"[0-9a-fA-F]{32}"),
}
_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_INTERNATIONAL: Final = re.compile(r"\+[1-9][0-9]{6,14}")
_PUNCTUATION: Final = re.compile(r"[\s().\[\]-]")


def digest_of(
    value: str,
    target: str,
    *,
    region: str | None = None,
    transformation: str = "auto",
    strip_plus: bool = False,
    strip_dots: bool = False,
) -> str | None:
    """Return the lower-case hex digest, or None if the value cannot be used.

    Args:
        target: EMAIL_SHA256 and so on: the kind and the algorithm.
        region: where phone numbers without + are at home.
        transformation: auto, always (the value is plain) or never (the value is a digest).
    """
    kind, algorithm = target.rsplit("_", 1)
    text = value.strip()
    if transformation != "always" and _is_digest(text, algorithm):
        digest = text.lower()
    elif transformation == "never":
        return None
    else:
        plain = _normal(text, kind, region, strip_plus=strip_plus, strip_dots=strip_dots)
        if plain is None:
            return None
        digest = _hash(plain, algorithm)
    return None if digest in _known_bad(algorithm) else digest


def _is_digest(text: str, algorithm: str) -> bool:
    return _DIGEST[algorithm].fullmatch(text) is not None


def _hash(text: str, algorithm: str) -> str:
    # "surrogatepass": JSON can hold half a character, which is no reason to fail.
    data = text.encode("utf-8", "surrogatepass")
    return hashlib.new(algorithm.lower(), data, usedforsecurity=False).hexdigest()


@lru_cache
def _known_bad(algorithm: str) -> frozenset[str]:
    return frozenset(_hash(word, algorithm) for word in _EMPTY_WORDS)


def _normal(
    text: str, kind: str, region: str | None, *, strip_plus: bool, strip_dots: bool
) -> str | None:
    if kind == "EMAIL":
        return _email(text, strip_plus=strip_plus, strip_dots=strip_dots)
    if kind == "PHONE":
        return _phone(text, region)
    device = text.lower()
    return device if _UUID.fullmatch(device) and device != _ZERO_UUID else None


def _email(text: str, *, strip_plus: bool, strip_dots: bool) -> str | None:
    if text.count("@") != 1 or re.search(r"\s", text):
        return None
    local, domain = text.lower().split("@")
    if strip_plus:
        local = local.split("+")[0]
    if strip_dots:
        local = local.replace(".", "")
    if not local or "." not in domain[1:-1]:
        return None
    return f"{local}@{domain}"


def _phone(text: str, region: str | None) -> str | None:
    bare = _PUNCTUATION.sub("", text)
    if bare.startswith("+"):
        return bare if _INTERNATIONAL.fullmatch(bare) else None
    if region is None or not re.fullmatch(r"[0-9]+", bare):
        return None
    try:
        number = phonenumbers.parse(bare, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number_for_region(number, region):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
