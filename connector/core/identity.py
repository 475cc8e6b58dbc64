"""From source identities to TikTok digests: what is usable, how it is hashed, and how rows are made.

Owns the rules about values; how a plain one is normalised is connector.core.normal_forms'. Pure: it never sees a
record, a route or a batch, and it keeps nothing of a person: a plain value lives in a local variable until it is
hashed. A digest is lower-case hex.
"""

import hashlib
from binascii import unhexlify
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from itertools import zip_longest
from typing import Any, NamedTuple, Protocol

from connector.core.kinds import PLAIN, Counts, Kinds
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

Digests = list[str | None]
"""One user's digests by slot: a slot is a position in the order of the configured targets."""


class Target(StrEnum):
    """The six identity types of TikTok's segment mapping; the values are its `id_schema` names."""

    EMAIL_SHA256 = "EMAIL_SHA256"
    PHONE_SHA256 = "PHONE_SHA256"
    IDFA_SHA256 = "IDFA_SHA256"
    AAID_SHA256 = "AAID_SHA256"
    IDFA_MD5 = "IDFA_MD5"
    AAID_MD5 = "AAID_MD5"


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

Encode = Callable[[str], str]
"""A source value to its digest; raises Unusable."""

_NOTHINGS = ("", "null", "undefined", "none", ZERO_UUID)
_KNOWN_BAD = frozenset(
    algorithm(text.encode()).hexdigest()
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
    @property
    def digest_size(self) -> int: ...
    def hexdigest(self) -> str: ...


class _PlainWay(NamedTuple):
    """The way of nearly all plain values of a mapping: in their normal form but for capitals and spaces around.

    Attributes:
        digest_length: a text that is so long is none of them.
    """

    digest_length: int
    is_normal: Callable[[str], object]
    algorithm: Callable[[bytes], _Hash]


def _plain_way(mapping: IdentityMapping) -> _PlainWay:
    algorithm = hashlib.md5 if mapping.target.endswith("_MD5") else hashlib.sha256
    never = mapping.transformation is Transformation.NEVER
    is_normal = (lambda _: False) if never else rule(mapping).is_normal
    return _PlainWay(algorithm(b"").digest_size * 2, is_normal, algorithm)


def _is_hex(text: str) -> bool:
    try:
        unhexlify(text)
    except ValueError:
        return False
    return True


def encoder(mapping: IdentityMapping, note: Callable[[bool], object] = bool) -> Encode:
    """The whole way of this mapping's values: trim, recognise a digest, normalise, hash.

    A value that is already a digest of the target's length passes, lower-cased, and is never hashed twice.
    It comes back as the very same object, so that it can be told from a plain one at no cost, or is noted.

    Args:
        note: called when a digest is not passed on as it was given, with whether it was in upper case.
    """
    length, is_normal, algorithm = _plain_way(mapping)
    normalise = rule(mapping).normalise
    may_be_digest = mapping.transformation is not Transformation.ALWAYS
    may_be_plain = mapping.transformation is not Transformation.NEVER
    is_device_id = not mapping.target.startswith(("EMAIL", "PHONE"))

    def encode(value: str) -> str:
        text = value.strip()
        if len(text) == length and may_be_digest and _is_hex(text):
            lower = text.lower()
            digest = text if text == lower else lower
            if digest in _KNOWN_BAD:
                raise Unusable(KNOWN_BAD_DIGEST)
            if digest is not value:
                note(digest is lower)
            return digest
        if not may_be_plain:
            raise Unusable(suspicion(text, length, is_device_id=False) or NOT_A_DIGEST)
        plain = text.lower()
        try:
            return algorithm((plain if is_normal(plain) else normalise(text)).encode()).hexdigest()
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
        namespaces = [mapping.source.lower() for mapping in mappings]
        self._namespaces = frozenset(namespaces)
        # Two sources of one target make two rows of single values, and one source of two is counted twice.
        one_to_one = len(self.targets) == len(mappings) == len(self._namespaces)
        self.kinds = Kinds(namespaces, has_patterns=one_to_one)
        self._ways = [(mapping.source.lower(), mapping.target) for mapping in mappings]
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
        short = tuple(
            (namespace, unit, *way, encode)
            for namespace, unit, way, encode in zip(
                namespaces, kinds.units, ways, encoders, strict=True
            )
        )
        self._short = short if kinds.has_patterns else ()

    @property
    def sources(self) -> frozenset[str]:
        """The configured namespaces, lower-cased: all that `dropped` names beside "other"."""
        return self._namespaces

    def rows(self, identities: Mapping[str, object]) -> list[Digests]:
        """Make the rows of a profile: values of several namespaces are zipped by position.

        Returns an empty list when nothing is usable; `judge` then says what that means.
        One plain or hashed string under each name is the usual case and has the short way; whatever is
        unusual in any respect takes the general one, which alone counts.
        """
        row: Digests = []
        kinds = self.kinds
        pattern = kinds.all_plain
        try:
            for namespace, unit, digest_length, is_normal, algorithm, encode in self._short:
                value = identities.get(namespace)
                if value is None:
                    row.append(None)
                    pattern -= unit
                    continue
                if type(value) is not str:
                    return self._rows_of_any(identities)
                text = value.strip()
                if len(text) != digest_length and is_normal(plain := text.lower()):
                    row.append(algorithm(plain.encode()).hexdigest())
                else:
                    digest = encode(value)
                    row.append(digest)
                    if digest is value:
                        pattern += unit
        except (Unusable, UnicodeEncodeError):
            return self._rows_of_any(identities)
        size = kinds.sizes[pattern]
        if size == 0 or (size < len(identities) and not self._leaves_out_the_rest(identities)):
            return self._rows_of_any(identities)
        kinds.profiles[pattern] += 1
        if kinds.odd:
            kinds.settle()
        return [row]

    def _leaves_out_the_rest(self, identities: Mapping[str, object]) -> bool:
        """Count what no mapping takes; False, without counting, when a mapped namespace is written in capitals."""
        unmapped = 0
        for name, value in identities.items():
            if name not in self._namespaces:
                if name.lower() in self._namespaces:
                    return False
                unmapped += _present(value)
        if unmapped:
            self.dropped[OTHER_SOURCE, UNMAPPED] += unmapped
        return True

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

    def _encode(self, namespace: str, encode: Encode, counts: Counts, value: object) -> str | None:
        if value is None or value == "":
            return None
        try:
            if type(value) is not str:
                raise Unusable(NOT_TEXT)  # noqa: TRY301  one place counts
            digest = encode(value)
        except Unusable as unusable:
            self.dropped[namespace, str(unusable)] += 1
            return None
        counts[digest is value] += 1
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
                if type(one) is str and one.isascii():
                    text = one.strip()
                    if len(text) != digest_length and is_normal(plain := text.lower()):
                        column.append(algorithm(plain.encode()).hexdigest())
                        counts[PLAIN] += 1
                        continue
                column.append(self._encode(namespace, encode, counts, one))
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
