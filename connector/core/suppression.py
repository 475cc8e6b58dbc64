"""The suppression list: profiles, and identifiers of theirs, that are never to be added to an audience.

Owns the list in memory, as salted digests: no value can be read out of it, nor tried against it without its salt.
The newest entry of a profile is the whole truth about it. Pure: the salt is an argument, and where entries come
from is none of its business.

Keys have 64 bits. With ten million entries, one of sixty thousand million questions about somebody who is not on
the list is answered as if he were; and the chance that any two of them share a key is three in a million.
"""

import hashlib
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from connector.core.compact_map import KEY_BYTES, CompactMap
from connector.core.identity import Digests, Target


class Status(StrEnum):
    """What is to be with a profile: both of the first are never added; the list tells them apart for its count."""

    SUPPRESSED = "suppressed"
    ERASED = "erased"
    RELEASED = "released"


class SuppressionEntry(NamedTuple):
    """What the suppression topic says of one profile. Personal data: to be printed nowhere.

    Attributes:
        identities: namespace -> one value or a list, as in a membership; may be empty.
    """

    profile_id: str
    status: Status
    identities: Mapping[str, object]


class Counts(NamedTuple):
    """How many profiles are on the list.

    Attributes:
        without_identities: of both, those with no usable identifier: only their profile ids are blocked.
    """

    suppressed: int
    erased: int
    without_identities: int


_MARKS = {Status.SUPPRESSED: b"s", Status.ERASED: b"e"}


class SuppressionList:
    """`apply` each entry in the order of its partition; `has_profile`, `has`, `clear_row` before an addition.

    An entry with three identifiers takes about 80 bytes.

    Args:
        salt: up to 64 random bytes, new in each process.
    """

    def __init__(self, salt: bytes) -> None:
        self._profiles = CompactMap()  # to the status's mark and the keys of its identifiers
        self._identifiers = (
            CompactMap()
        )  # to how many profiles beside one name it: nothing for none
        self._marked = dict.fromkeys(_MARKS.values(), 0)
        self._without_identities = 0
        # Each takes in its first byte now: a copy of it then goes on behind the salt, at half the cost.
        self._of_profile, *self._of_slots = (
            hashlib.blake2b(bytes((kind,)), digest_size=KEY_BYTES, key=salt)
            for kind in range(1 + len(Target))
        )

    def __len__(self) -> int:
        """How many profiles are on the list."""
        return len(self._profiles)

    @property
    def counts(self) -> Counts:
        suppressed, erased = self._marked.values()
        return Counts(suppressed, erased, self._without_identities)

    def has_profile(self, profile_id: str | None) -> bool:
        """Whether this profile is suppressed or erased; one without an id is not."""
        return profile_id is not None and self._key_of(profile_id) in self._profiles

    def has(self, slot: int, digest: bytes) -> bool:
        """Whether an entry names this identifier: a digest, and its slot among the configured targets."""
        return self._key_in(slot, digest) in self._identifiers

    def clear_row(self, digests: Digests) -> int:
        """Take what is on the list out of a row, in place; how many identifiers that were."""
        cleared = 0
        for slot, digest in enumerate(digests):
            if digest is not None and self.has(slot, digest):
                digests[slot] = None
                cleared += 1
        return cleared

    def apply(self, entry: SuppressionEntry, rows: Sequence[Digests]) -> None:
        """Let this entry stand in place of what the profile had; the same entry again changes nothing.

        An identifier that the profile had and has not any more is let go, unless another profile names it.

        Args:
            rows: the entry's usable identifiers.
        """
        profile = self._key_of(entry.profile_id)
        self._release(profile)
        if entry.status is Status.RELEASED:
            return
        identifiers = {
            self._key_in(slot, digest)
            for row in rows
            for slot, digest in enumerate(row)
            if digest is not None
        }
        for identifier in identifiers:
            self._name(identifier)
        mark = _MARKS[entry.status]
        self._profiles.set(profile, mark + b"".join(identifiers))
        self._marked[mark] += 1
        self._without_identities += not identifiers

    def _release(self, profile: bytes) -> None:
        entry = self._profiles.pop(profile)
        if entry is None:
            return
        self._marked[entry[:1]] -= 1
        self._without_identities -= len(entry) == 1
        for begin in range(1, len(entry), KEY_BYTES):
            self._unname(entry[begin : begin + KEY_BYTES])

    def _name(self, identifier: bytes) -> None:
        others = self._identifiers.get(identifier)
        number = b"" if others is None else _number(int.from_bytes(others, "little") + 1)
        self._identifiers.set(identifier, number)

    def _unname(self, identifier: bytes) -> None:
        others = self._identifiers.pop(identifier)
        if others:
            self._identifiers.set(identifier, _number(int.from_bytes(others, "little") - 1))

    def _key_of(self, profile_id: str) -> bytes:
        key = self._of_profile.copy()
        key.update(profile_id.encode("utf-8", "surrogatepass"))
        return key.digest()

    def _key_in(self, slot: int, digest: bytes) -> bytes:
        key = self._of_slots[slot].copy()
        key.update(digest)
        return key.digest()


def _number(number: int) -> bytes:
    """In as few bytes as it takes: none for 0."""
    return number.to_bytes((number.bit_length() + 7) // 8, "little")
