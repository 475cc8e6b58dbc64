"""The normal form of each kind of plain identifier: the text that is hashed.

Owns these forms. Knows no mapping and no digest, and keeps nothing.

Sources: TikTok's audience documents and help centre contradict each other on e-mail (plus tags, dots);
lower case and trimming are what all of them share, the rest is an option.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

from connector.core.suspicion import ZERO_DEVICE_ID

MALFORMED = "malformed"
NO_COUNTRY_CODE = "no_country_code"

ZERO_UUID = "00000000-0000-0000-0000-000000000000"

_MOST_PHONE_TEXT = 250
"""The bound of the library that parses national numbers; a longer text is no number of anybody."""

_MOST_PHONE_DIGITS = 32
"""No number has more with all its prefixes; a longer one only takes the library long to refuse."""

_LEAST_PHONE_DIGITS = 7
"""Fewer are hardly a number that lacks its country code."""


class Unusable(Exception):  # noqa: N818
    """A value that cannot become a digest. Carries a reason of DROP_REASONS, never the value."""


Normalise = Callable[[str], str]
"""Trimmed text to its normal form; raises Unusable."""


class Rule(NamedTuple):
    """How one kind of plain values is normalised.

    Attributes:
        is_normal: true only of text that is its own normal form as it stands; false of some such text too. Nearly
            all values are told by it, at a fraction of the cost.
        normalise: the whole rule, for all values without spaces around.
    """

    is_normal: Callable[[str], object]
    normalise: Normalise


_SPACES = "".join(char for char in map(chr, range(0x3001)) if char.isspace())
_DASHES = "-\u2010\u2011\u2012\u2013\u2014\u2212"
_PUNCTUATION = str.maketrans("", "", _SPACES + _DASHES + "()[]{}.")


def _email(but: str, local_but: str = "") -> Callable[[str], re.Match[str] | None]:
    r"""Match addresses with none of these characters, nor of those others in the local part.

    There is one way to match: the first dot inside the domain. With several ways a megabyte of dots takes hours.
    The characters are spelled out: a set of them is looked up, `\s` is a call for each of them.
    """
    local, inside, domain = f"[^@{but}{local_but}]", f"[^@{but}.]", f"[^@{but}]"
    return re.compile(rf"{local}+@{domain}{inside}*\.{domain}+").fullmatch


_UNUSUAL = "A-Z\x00-\x20\x7f-\U0010ffff"
"""Capitals, spaces and all that is not ASCII: in lower case some of it is something else."""

_is_email = _email(_SPACES)
_is_e164 = re.compile(r"\+[1-9][0-9]{6,14}").fullmatch
_ZEROS = ZERO_UUID.encode()
_DIGITS_TO_ZERO = bytes.maketrans(b"123456789abcdef", b"0" * 15)


def _is_device_id(text: str) -> bool:
    """Whether it is a UUID in lower case, and not the one that stands for none."""
    if not text.isascii() or text == ZERO_UUID:
        return False
    return text.encode().translate(_DIGITS_TO_ZERO) == _ZEROS


def _normalise_email(text: str) -> str:
    text = text.lower()
    if _is_email(text) is None:
        raise Unusable(MALFORMED)
    return text


def _normalise_device_id(text: str) -> str:
    text = text.lower()
    if not _is_device_id(text):
        raise Unusable(ZERO_DEVICE_ID if text == ZERO_UUID else MALFORMED)
    return text


EMAIL = Rule(_email(_UNUSUAL), _normalise_email)
DEVICE_ID = Rule(_is_device_id, _normalise_device_id)


def strict_email(*, strip_plus: bool, strip_dots: bool) -> Rule:
    """The e-mail rule of TikTok's portal page: without the plus tag, without dots in the local part."""

    def normalise(text: str) -> str:
        local, at, domain = _normalise_email(text).partition("@")
        if strip_plus:
            local = local.partition("+")[0]
        if strip_dots:
            local = local.replace(".", "")
        if not local:
            raise Unusable(MALFORMED)
        return local + at + domain

    return Rule(_email(_UNUSUAL, "+" * strip_plus + "." * strip_dots), normalise)


def phone(default_region: str | None) -> Rule:
    """E.164 with the plus sign. A number without it needs a default region to be valid in."""

    def normalise(text: str) -> str:
        if _is_e164(text) is not None:
            return text
        if len(text) > _MOST_PHONE_TEXT:
            raise Unusable(MALFORMED)
        bare = text.translate(_PUNCTUATION)
        if bare.startswith("+"):
            if _is_e164(bare) is not None:
                return bare
        elif _is_short_number(bare):
            if default_region is not None:
                return _national(bare, default_region)
            if len(bare) >= _LEAST_PHONE_DIGITS:
                raise Unusable(NO_COUNTRY_CODE)
        raise Unusable(MALFORMED)

    return Rule(_is_e164, normalise)


def _is_short_number(text: str) -> bool:
    return len(text) <= _MOST_PHONE_DIGITS and text.isdecimal()


def _national(text: str, region: str) -> str:
    import phonenumbers  # noqa: PLC0415  50 ms that most deployments never need

    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        raise Unusable(MALFORMED) from None
    if not phonenumbers.is_valid_number_for_region(number, region):
        raise Unusable(MALFORMED)
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
