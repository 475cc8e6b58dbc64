"""What was handled last of each profile in each segment, to leave out what a message repeats.

Owns that memory for one partition: whoever forgets the partition throws it away. Pure; it keeps digests of keys
and identities, no value. What it does not know is news, so that forgetting costs a repetition and never a change.
"""

import hashlib
from collections.abc import Mapping
from itertools import islice

import orjson

_DIGEST_BYTES = 16
_AT_BYTES = 8
_MOST_MICROSECONDS = 2.0**62

_FORGET_PART = 16
"""This part of all is forgotten at once: a dict is slow at giving up its first entry again and again."""


class Recency:
    """The last time and content of up to `most` memberships; beyond, the least recently handled are forgotten.

    An entry takes 210 bytes, two digests and a time in a dict; a question takes 2 to 5 microseconds.

    Args:
        most: how many memberships are remembered.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._handled: dict[bytes, bytes] = {}

    def __len__(self) -> int:
        return len(self._handled)

    def is_news(
        self,
        profile_id: str | None,
        segment: str,
        at: float | None,
        identities: Mapping[str, object],
        action: str = "",
    ) -> bool:
        """Whether this is to be handled; if so, it is remembered as handled.

        It is not when it is older than what was handled, or equal in time, identities and action. Without a profile
        or a time nothing can be said, and it is news.
        """
        if profile_id is None or at is None or not abs(at * 1e6) < _MOST_MICROSECONDS:
            return True
        try:
            content = orjson.dumps((action, identities), option=orjson.OPT_SORT_KEYS)
        except TypeError:
            return True
        key = _digest(f"{len(profile_id)} {profile_id}{segment}".encode("utf-8", "surrogatepass"))
        time = round(at * 1e6)
        handled = self._handled.get(key)
        digest = _digest(content)
        if handled is not None:
            last = int.from_bytes(handled[:_AT_BYTES], "big", signed=True)
            if time < last or (time == last and digest == handled[_AT_BYTES:]):
                return False
            del self._handled[key]  # so that it goes to the end of the row
        elif len(self._handled) >= self._most:
            self._forget()
        self._handled[key] = time.to_bytes(_AT_BYTES, "big", signed=True) + digest
        return True

    def _forget(self) -> None:
        for key in list(islice(self._handled, max(1, self._most // _FORGET_PART))):
            del self._handled[key]


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=_DIGEST_BYTES).digest()
