"""From source identities to TikTok digests: what is usable, how it is hashed, and how rows are made.

Owns the rules about values; how a plain one is normalised is connector.core.normal_forms'. Pure: it never sees a
record, a route or a batch, and it keeps nothing of a person: a plain value lives in a local variable until it is
hashed. A digest is its bytes: hexadecimal is for those who write it down.
"""

import hashlib
from binascii import unhexlify
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from itertools import zip_longest
from typing import Any, NamedTuple, Protocol

from connector.core.kinds import DIGEST, PLAIN, UPPER, Counts, Kinds, Note
from connector.core.normal_forms import (
    DEVICE_ID,
    EMAIL,
    MALFORMED,
    NO_COUNTRY_CODE,
    ZERO_UUID,
    Rule,
    Unusable,
    phone,
    strict_email,
)
from connector.core.suspicion import (
    ALREADY_HASHED,
    BASE64_DIGEST,
    NO_DASHES,
    OTHER_DIGEST,
    ZERO_DEVICE_ID,
    suspicion,
)
from connector.errors import InvalidRecord

Digests = list[bytes | None]
"""One user's digests by slot: a slot is a position in the order of the configured targets."""


class Target(StrEnum):
    """The six identity types of TikTok's segment mapping; the values are its `id_schema` names."""

    EMAIL_SHA256 = "EMAIL_SHA256"
    PHONE_SHA256 = "PHONE_SHA256"
    IDFA_SHA256 = "IDFA_SHA256"
    AAID_SHA256 = "AAID_SHA256"
    IDFA_MD5 = "IDFA_MD5"
    AAID_MD5 = "AAID_MD5"

    @property
    def digits(self) -> int:
        """How long its digests are in hexadecimal."""
        return 32 if self.endswith("_MD5") else 64


class Transformation(StrEnum):
    """What a source's values are: digests and plain ones told apart by value, all plain, or all digests."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


class IdentityMapping(NamedTuple):
    """One configured way from a source namespace to a target."""

    source: str
    target: Target
    transformation: Transformation = Transformation.AUTO
    default_region: str | None = None
    strip_plus: bool = False
    strip_dots: bool = False


NOT_TEXT = "not_text"
NOT_A_DIGEST = "not_a_digest"
KNOWN_BAD_DIGEST = "known_bad_digest"
TOO_MANY_VALUES = "too_many_values"
UNMAPPED = "unmapped"
DROP_REASONS = (
    NOT_TEXT,
    MALFORMED,
    NO_COUNTRY_CODE,
    NO_DASHES,
    ZERO_DEVICE_ID,
    NOT_A_DIGEST,
    ALREADY_HASHED,
    OTHER_DIGEST,
    BASE64_DIGEST,
    KNOWN_BAD_DIGEST,
    TOO_MANY_VALUES,
    UNMAPPED,
)

NO_IDENTITIES = "no_identities"
NO_USABLE_IDENTITY = "no_usable_identity"
IDENTITY_REASONS = (NO_IDENTITIES, NO_USABLE_IDENTITY)
"""Why a record is set aside of which nobody can be made a row."""

MOST_VALUES = 1000
"""So many values of one namespace are looked at in a profile: more are no person's, and would hold the event loop."""

OTHER_SOURCE = "other"
"""Stands for every namespace that is not configured, so that a label can never grow without bound."""

Encode = Callable[[str], bytes]
"""A source value to its digest; raises Unusable."""

_NOTHINGS = ("", "null", "undefined", "none", ZERO_UUID)
_KNOWN_BAD = frozenset(
    algorithm(text.encode()).digest()
    for algorithm in (hashlib.sha256, hashlib.md5)
    for text in _NOTHINGS
)


def rule(mapping: IdentityMapping) -> Rule:
    """How this mapping's plain values are normalised."""
    if mapping.target is Target.EMAIL_SHA256:
        if mapping.strip_plus or mapping.strip_dots:
            return strict_email(strip_plus=mapping.strip_plus, strip_dots=mapping.strip_dots)
        return EMAIL
    if mapping.target is Target.PHONE_SHA256:
        return phone(mapping.default_region)
    return DEVICE_ID


class _Hash(Protocol):
    def digest(self) -> bytes: ...


def _nothing(_: int, __: int) -> None:
    """Notes nothing: for who does not count."""


class _PlainWay(NamedTuple):
    """The way of nearly all plain values of a mapping: they are in their normal form as they stand.

    Attributes:
        digest_length: of the target's digests in hexadecimal; a text that is so long is none of those values.
    """

    digest_length: int
    is_normal: Callable[[str], object]
    algorithm: Callable[[bytes], _Hash]


def _plain_way(mapping: IdentityMapping) -> _PlainWay:
    algorithm = hashlib.md5 if mapping.target.endswith("_MD5") else hashlib.sha256
    never = mapping.transformation is Transformation.NEVER
    is_normal = (lambda _: False) if never else rule(mapping).is_normal
    return _PlainWay(mapping.target.digits, is_normal, algorithm)


def encoder(mapping: IdentityMapping, note: Note = _nothing) -> Encode:
    """The whole way of this mapping's values: trim, recognise a digest, normalise, hash.

    A value that is already a digest of the target's length, in either case, is never hashed twice.

    Args:
        note: told what a value was, where its length says something else.
    """
    length, _, algorithm = _plain_way(mapping)
    normalise = rule(mapping).normalise
    may_be_digest = mapping.transformation is not Transformation.ALWAYS
    may_be_plain = mapping.transformation is not Transformation.NEVER
    is_device_id = not mapping.target.startswith(("EMAIL", "PHONE"))

    def encode(value: str) -> bytes:
        text = value.strip()
        if len(text) == length and may_be_digest:
            try:
                digest = unhexlify(text)
            except ValueError:
                pass  # a plain value may be as long
            else:
                if digest in _KNOWN_BAD:
                    raise Unusable(KNOWN_BAD_DIGEST)
                if text != text.lower():
                    note(len(value) == length, UPPER)
                elif len(value) != length:
                    note(PLAIN, DIGEST)
                return digest
        if not may_be_plain:
            raise Unusable(suspicion(text, length, is_device_id=False) or NOT_A_DIGEST)
        digest = plain(text)
        if len(value) == length:
            note(DIGEST, PLAIN)
        return digest

    def plain(text: str) -> bytes:
        try:
            return algorithm(normalise(text).encode()).digest()
        except UnicodeEncodeError:  # half of a surrogate pair, which JSON can hold
            raise Unusable(MALFORMED) from None
        except Unusable:
            closer = suspicion(text, length, is_device_id=is_device_id)
            if closer is None:
                raise
            raise Unusable(closer) from None

    return encode


class IdentityMap:
    """The configured identities: makes rows of digests from a profile's identities, and counts what it drops.

    Attributes:
        targets: the distinct targets in configured order; a slot is an index into it.
        dropped: how many identifiers were dropped, by (configured source or "other", reason).
        kinds: how many were usable, by configured source and what they were.
    """

    def __init__(self, mappings: Sequence[IdentityMapping]) -> None:
        self.targets = tuple(dict.fromkeys(mapping.target for mapping in mappings))
        self.dropped: Counter[tuple[str, str]] = Counter()
        self._ways = [(mapping.source.lower(), mapping.target) for mapping in mappings]
        namespaces = [namespace for namespace, _ in self._ways]
        self._namespaces = frozenset(namespaces)
        self._no_digests: Digests = [None] * len(self.targets)
        self.kinds = Kinds(namespaces)
        self.set_options(mappings)

    def set_options(self, mappings: Sequence[IdentityMapping]) -> None:
        """Encode by these options from now on. The counts go on.

        Raises ValueError unless the sources and targets are those that it was made with, in the same order.
        """
        if [(mapping.source.lower(), mapping.target) for mapping in mappings] != self._ways:
            raise ValueError("other sources or targets")
        kinds = self.kinds
        encoders = [encoder(one, kinds.note_for(place)) for place, one in enumerate(mappings)]
        namespaces = [namespace for namespace, _ in self._ways]
        slots = [self.targets.index(target) for _, target in self._ways]
        ways = [_plain_way(mapping) for mapping in mappings]
        self._sources = tuple(
            (namespace, slot, counts, *way, encode)
            for namespace, slot, counts, way, encode in zip(
                namespaces, slots, kinds.counts, ways, encoders, strict=True
            )
        )
        self._short = {
            namespace: (slot, slots.count(slot) == 1, unit, *way, encode)
            for namespace, slot, unit, way, encode in zip(
                namespaces, slots, kinds.units, ways, encoders, strict=True
            )
            if kinds.has_patterns
        }

    @property
    def sources(self) -> frozenset[str]:
        """The configured namespaces, lower-cased: all that `dropped` names beside "other"."""
        return self._namespaces

    def rows(self, identities: Mapping[str, object]) -> list[Digests]:
        """Make the rows of a profile: values of several namespaces are zipped by position.

        Returns an empty list when nothing is usable; `judge` then says what that means.
        At most one text for each target is the usual case and has the short way; whatever is unusual in any
        respect takes the general one, which alone counts what is dropped.
        """
        row = self._no_digests.copy()
        short = self._short
        pattern = unmapped = 0
        try:
            for name, value in identities.items():
                way = short.get(name)
                if way is None:
                    if name.lower() in self._namespaces:
                        return self._rows_of_any(identities)
                    unmapped += _present(value)
                    continue
                slot, is_alone, unit, digest_length, is_normal, algorithm, encode = way
                if type(value) is not str or not (is_alone or row[slot] is None):
                    if value is None and is_alone:
                        continue
                    return self._rows_of_any(identities)
                if len(value) == digest_length:
                    row[slot] = encode(value)
                    pattern += unit + unit
                else:
                    plain = is_normal(value)
                    row[slot] = algorithm(value.encode()).digest() if plain else encode(value)
                    pattern += unit
        except Unusable:
            return self._rows_of_any(identities)
        if not pattern:
            return self._rows_of_any(identities)
        if unmapped:
            self.dropped[OTHER_SOURCE, UNMAPPED] += unmapped
        kinds = self.kinds
        kinds.profiles[pattern] += 1
        if kinds.odd:
            kinds.settle()
        return [row]

    def judge(self, identities: Mapping[str, object]) -> None:
        """Say why there are no rows: return when only unmapped namespaces are present.

        Raises:
            InvalidRecord: there is no identity at all, or a mapped one and none usable.
        """
        mapped = {
            namespace
            for name, value in identities.items()
            if (namespace := name.lower()) in self._namespaces and _present(value)
        }
        if mapped:
            names = ", ".join(sorted(mapped))
            raise InvalidRecord(NO_USABLE_IDENTITY, f"no usable value under: {names}")
        if not any(map(_present, identities.values())):
            raise InvalidRecord(NO_IDENTITIES, "identities holds no value")

    def _encode(
        self, namespace: str, encode: Encode, counts: Counts, digest_length: int, value: object
    ) -> bytes | None:
        if value is None or value == "":
            return None
        try:
            if type(value) is not str:
                raise Unusable(NOT_TEXT)  # noqa: TRY301  one place counts
            digest = encode(value)
        except Unusable as unusable:
            self.dropped[namespace, str(unusable)] += 1
            return None
        counts[len(value) == digest_length] += 1
        return digest

    def _rows_of_any(self, identities: Mapping[str, Any]) -> list[Digests]:
        """The general path: lists, namespaces in any case, several sources for one target."""
        self.kinds.odd.clear()  # the short way may have noted some before it gave up
        values = identities
        if not identities.keys() <= self._namespaces:
            values = self._merged(identities)
        columns: list[Digests] = [[] for _ in self.targets]
        for namespace, slot, counts, digest_length, is_normal, algorithm, encode in self._sources:
            value = values.get(namespace)
            if value is None and namespace not in values:
                continue
            column = columns[slot]
            for one in self._first_of(namespace, value) if type(value) is list else (value,):
                if type(one) is str and len(one) != digest_length and is_normal(one):
                    column.append(algorithm(one.encode()).digest())
                    counts[PLAIN] += 1
                else:
                    column.append(self._encode(namespace, encode, counts, digest_length, one))
        if self.kinds.odd:
            self.kinds.settle()
        return [list(row) for row in zip_longest(*columns) if any(row)]

    def _merged(self, identities: Mapping[str, Any]) -> dict[str, Any]:
        """By mapped namespace, written in any case; the values of the others are counted."""
        values: dict[str, Any] = {}
        unmapped = 0
        for name, value in identities.items():
            namespace = name if name in self._namespaces else name.lower()
            if namespace in self._namespaces:
                if namespace in values:
                    values[namespace] = [*_listed(values[namespace]), *_listed(value)]
                else:
                    values[namespace] = value
            elif _present(value):
                unmapped += 1
        if unmapped:
            self.dropped[OTHER_SOURCE, UNMAPPED] += unmapped
        return values

    def _first_of(self, namespace: str, values: list[object]) -> list[object]:
        """Those that are looked at; the others are counted."""
        if len(values) <= MOST_VALUES:
            return values
        self._count_beyond(namespace, values[MOST_VALUES:])
        return values[:MOST_VALUES]

    def _count_beyond(self, namespace: str, values: list[object]) -> None:
        present = len(values) - values.count(None) - values.count("")
        if present:
            self.dropped[namespace, TOO_MANY_VALUES] += present


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


def _present(value: object) -> bool:
    """Whether a namespace holds anything: null and "" mean absent, also as all that a list holds."""
    if not isinstance(value, list):
        return value is not None and value != ""
    for one in value:  # noqa: SIM110  a generator for each of thousands of short lists is slow
        if one is not None and one != "":
            return True
    return False
