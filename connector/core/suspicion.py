"""What a refused value looks like: the mistakes of a whole source, which otherwise show only as a low match rate.

Owns the forms of hashed values that no target takes. Changes nothing about what is usable: it is asked only when
a value has been refused already, and names the reason more closely. Pure, and keeps nothing.
"""

import re

ALREADY_HASHED = "already_hashed"
OTHER_DIGEST = "other_digest"
BASE64_DIGEST = "base64_digest"
NO_DASHES = "no_dashes"
ZERO_DEVICE_ID = "zero_device_id"

_HEX = re.compile(r"[0-9a-fA-F]+").fullmatch
_LENGTHS = frozenset((32, 40, 56, 64, 96, 128))
"""Hexadecimal digits of MD5, SHA-1 and the SHA-2 family."""

_BASE64 = re.compile(r"[\w+/-]{42}[AEIMQUYcgkosw048]=|[\w+/-]{21}[AQgw]==", re.ASCII).fullmatch
"""32 or 16 bytes in either alphabet: the last character before the padding has no bits to spare."""

_BASE64_LENGTHS = (24, 44)

_RANDOM_UUID = re.compile(r"[0-9a-fA-F]{12}4[0-9a-fA-F]{3}[89abAB][0-9a-fA-F]{15}").fullmatch
"""Of version 4, as device ids are; of MD5 digests, one in 64 looks so."""

_ZERO = "0" * 32


def suspicion(text: str, length: int, *, is_device_id: bool) -> str | None:
    """What a refused value seems to be.

    Args:
        text: trimmed.
        length: of the target's digests.
        is_device_id: whether a plain device id may stand here.
    """
    if len(text) in _LENGTHS:
        if _HEX(text) is None:
            return None
        if is_device_id and text == _ZERO:
            return ZERO_DEVICE_ID
        if is_device_id and _RANDOM_UUID(text) is not None:
            return NO_DASHES
        return ALREADY_HASHED if len(text) == length else OTHER_DIGEST
    is_base64 = len(text) in _BASE64_LENGTHS and _BASE64(text) is not None
    return BASE64_DIGEST if is_base64 else None
