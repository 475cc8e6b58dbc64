"""A table from 64-bit keys to a few bytes each, for millions of them: a fifth of what a dict of them takes.

Owns the layout in memory alone; what keys and values stand for is its user's. It grows by linear hashing: one
bucket is split at a time, so that no addition holds the event loop, however large the table is.

A bucket is one immutable string of records, each the key, the length of its value, and the value. Bytes of up to
512 are what Python's allocator packs best, and they are searched at the speed of memory.
"""

from collections.abc import Iterator

KEY_BYTES = 8

_BUCKET_BYTES = 256
"""The mean that growth keeps: less takes more memory for each record, more takes longer to search."""

_LONG = 255
"""In place of a length: it stands in the next three bytes."""


class CompactMap:
    """What a dict offers, for keys of eight bytes that nobody else can choose, such as digests with a secret.

    It never shrinks: what was taken away leaves room for what comes.
    """

    __slots__ = ("_buckets", "_mask", "_size", "_stored")

    def __init__(self) -> None:
        self._buckets = [b""]
        self._mask = 0  # as many bits of a key as tell all buckets apart
        self._size = 0
        self._stored = 0

    def __len__(self) -> int:
        return self._size

    def __contains__(self, key: bytes) -> bool:
        """Whether the key is there.

        The bucket is searched without regard to where records begin. So a key that is not there is found in one
        case of 2^64 for each byte that is stored; whatever changes the table looks closer.
        """
        number = int.from_bytes(key, "little") & self._mask
        if number >= len(self._buckets):
            number &= self._mask >> 1
        return self._buckets[number].find(key) >= 0  # `in` tries first whether the key is a number

    def get(self, key: bytes) -> bytes | None:
        """The value; None when the key is not there."""
        bucket = self._buckets[self._number(key)]
        _, at, end = _find(bucket, key)
        return bucket[at:end] if end else None

    def set(self, key: bytes, value: bytes = b"") -> None:
        """Put the value, of less than 16 MiB, in place of what the key had."""
        number = self._number(key)
        bucket = self._buckets[number]
        begin, _, end = _find(bucket, key)
        if end:
            bucket = bucket[:begin] + bucket[end:]
        else:
            self._size += 1
        length = len(value)
        head = length.to_bytes() if length < _LONG else b"\xff" + length.to_bytes(3, "little")
        record = key + head + value
        self._buckets[number] = bucket + record
        self._stored += len(record) - (end - begin)
        if self._stored > len(self._buckets) * _BUCKET_BYTES:
            self._split()

    def pop(self, key: bytes) -> bytes | None:
        """Take the key away; its value, or None when it was not there."""
        number = self._number(key)
        bucket = self._buckets[number]
        begin, at, end = _find(bucket, key)
        if not end:
            return None
        self._buckets[number] = bucket[:begin] + bucket[end:]
        self._size -= 1
        self._stored -= end - begin
        return bucket[at:end]

    def _number(self, key: bytes) -> int:
        """Which bucket has the key: its lowest bits, one fewer where that bucket is yet to be made."""
        number = int.from_bytes(key, "little") & self._mask
        return number if number < len(self._buckets) else number & self._mask >> 1

    def _split(self) -> None:
        """Make one bucket more, of what belongs there by one bit more of its keys."""
        made = len(self._buckets)
        if made > self._mask:
            self._mask = self._mask << 1 | 1
        old = made & self._mask >> 1
        bucket = self._buckets[old]
        stay: list[bytes] = []
        go: list[bytes] = []
        for begin, _, end in _records(bucket):
            key = int.from_bytes(bucket[begin : begin + KEY_BYTES], "little")
            (go if key & self._mask == made else stay).append(bucket[begin:end])
        self._buckets[old] = b"".join(stay)
        self._buckets.append(b"".join(go))


def _find(bucket: bytes, key: bytes) -> tuple[int, int, int]:
    """Where the key's record begins, where its value does, and where both end; 0 when there is none."""
    if bucket.find(key) >= 0:
        for record in _records(bucket):
            if bucket.startswith(key, record[0]):
                return record
    return 0, 0, 0


def _records(bucket: bytes) -> Iterator[tuple[int, int, int]]:
    """Of each record where it begins, where its value does, and where both end."""
    end = 0
    while end < len(bucket):
        begin = end
        at = begin + KEY_BYTES + 1
        length = bucket[at - 1]
        if length == _LONG:
            at += 3
            length = int.from_bytes(bucket[at - 3 : at], "little")
        end = at + length
        yield begin, at, end
