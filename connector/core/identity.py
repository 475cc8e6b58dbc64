"""From source identities to TikTok digests: what is usable, how it is normalised, and how rows are made.

Owns the rules about values. Pure: it never sees a record, a route or a batch, and it keeps nothing of a
person: a plain value lives in a local variable until it is hashed.

Sources: TikTok's audience documents and help centre contradict each other on e-mail (plus tags, dots);
lower case and trimming are what all of them share, the rest is an option. A digest is lower-case hex.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from itertools import zip_longest
from typing import NamedTuple

from connector.core.kinds import Counts, Kinds
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


class Unusable(Exception):  # noqa: N818
    """A value that cannot become a digest. Carries a reason of DROP_REASONS, never the value."""


NOT_TEXT = "not_text"
MALFORMED = "malformed"
NOT_A_DIGEST = "not_a_digest"
KNOWN_BAD_DIGEST = "known_bad_digest"
TOO_MANY_VALUES = "too_many_values"
NO_COUNTRY_CODE = "no_country_code"
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

_MOST_PHONE_TEXT = 250
"""The bound of the library that parses national numbers; a longer text is no number of anybody."""

_MOST_PHONE_DIGITS = 32
"""No number has more with all its prefixes; a longer one only takes the library long to refuse."""

_LEAST_PHONE_DIGITS = 7
"""Fewer are hardly a number that lacks its country code."""

Normalise = Callable[[str], str]
"""Trimmed text to its normal form; raises Unusable."""

Encode = Callable[[str], str]
"""A source value to its digest; raises Unusable."""

_EMAIL = re.compile(r"[^@\s]+@[^@\s][^@\s.]*\.[^@\s]+").fullmatch
"""One way to match: the first dot inside the domain. With several ways a megabyte of dots takes hours."""

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}").fullmatch
_E164 = re.compile(r"\+[1-9][0-9]{6,14}").fullmatch
_HEX = re.compile(r"[0-9a-f]+").fullmatch
_SPACES = "".join(char for char in map(chr, range(0x3001)) if char.isspace())
_DASHES = "-\u2010\u2011\u2012\u2013\u2014\u2212"
_PUNCTUATION = str.maketrans("", "", _SPACES + _DASHES + "()[]{}.")
_ZERO_UUID = "00000000-0000-0000-0000-000000000000"
_NOTHINGS = ("", "null", "undefined", "none", _ZERO_UUID)
_KNOWN_BAD = frozenset(
    algorithm(text.encode()).hexdigest()
    for algorithm in (hashlib.sha256, hashlib.md5)
    for text in _NOTHINGS
)


def normalise_email(text: str) -> str:
    text = text.lower()
    if _EMAIL(text) is None:
        raise Unusable(MALFORMED)
    return text


def normalise_device_id(text: str) -> str:
    text = text.lower()
    if _UUID(text) is None:
        raise Unusable(MALFORMED)
    if text == _ZERO_UUID:
        raise Unusable(ZERO_DEVICE_ID)
    return text


def strict_email(*, strip_plus: bool, strip_dots: bool) -> Normalise:
    """The e-mail rule of TikTok's portal page: without the plus tag, without dots in the local part."""

    def normalise(text: str) -> str:
        local, at, domain = normalise_email(text).partition("@")
        if strip_plus:
            local = local.partition("+")[0]
        if strip_dots:
            local = local.replace(".", "")
        if not local:
            raise Unusable(MALFORMED)
        return local + at + domain

    return normalise


def phone(default_region: str | None) -> Normalise:
    """E.164 with the plus sign. A number without it needs a default region to be valid in."""

    def normalise(text: str) -> str:
        if _E164(text) is not None:
            return text
        if len(text) > _MOST_PHONE_TEXT:
            raise Unusable(MALFORMED)
        bare = text.translate(_PUNCTUATION)
        if bare.startswith("+"):
            if _E164(bare) is not None:
                return bare
        elif _is_short_number(bare):
            if default_region is not None:
                return _national(bare, default_region)
            if len(bare) >= _LEAST_PHONE_DIGITS:
                raise Unusable(NO_COUNTRY_CODE)
        raise Unusable(MALFORMED)

    return normalise


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


def normaliser(mapping: IdentityMapping) -> Normalise:
    """The rule for this mapping's plain values."""
    if mapping.target is Target.EMAIL_SHA256:
        if mapping.strip_plus or mapping.strip_dots:
            return strict_email(strip_plus=mapping.strip_plus, strip_dots=mapping.strip_dots)
        return normalise_email
    if mapping.target is Target.PHONE_SHA256:
        return phone(mapping.default_region)
    return normalise_device_id


def encoder(mapping: IdentityMapping, note: Callable[[bool], object] = bool) -> Encode:
    """The whole way of this mapping's values: trim, recognise a digest, normalise, hash.

    A value that is already a digest of the target's length passes, lower-cased, and is never hashed twice.
    It comes back as the very same object, so that it can be told from a plain one at no cost, or is noted.

    Args:
        note: called when a digest is not passed on as it was given, with whether it was in upper case.
    """
    algorithm = hashlib.md5 if mapping.target.endswith("_MD5") else hashlib.sha256
    length = algorithm().digest_size * 2
    normalise = normaliser(mapping)
    may_be_digest = mapping.transformation is not Transformation.ALWAYS
    may_be_plain = mapping.transformation is not Transformation.NEVER
    is_device_id = not mapping.target.startswith(("EMAIL", "PHONE"))

    def encode(value: str) -> str:
        text = value.strip()
        if len(text) == length and may_be_digest:
            is_lower = _HEX(text) is not None
            digest = text if is_lower else text.lower()
            if is_lower or _HEX(digest) is not None:
                if digest in _KNOWN_BAD:
                    raise Unusable(KNOWN_BAD_DIGEST)
                if digest is not value:
                    note(not is_lower)
                return digest
        if not may_be_plain:
            raise Unusable(suspicion(text, length, is_device_id=False) or NOT_A_DIGEST)
        try:
            return algorithm(normalise(text).encode()).hexdigest()
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
        self._sources = tuple(zip(namespaces, slots, encoders, kinds.counts, strict=True))
        short = zip(namespaces, encoders, kinds.units, strict=True)
        self._short = tuple(short) if kinds.has_patterns else ()

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
            for namespace, encode, unit in self._short:
                value = identities.get(namespace)
                if type(value) is str:
                    digest = encode(value)
                    row.append(digest)
                    if digest is value:
                        pattern += unit
                else:
                    row.append(None)
                    pattern -= unit
        except Unusable:
            return self._rows_of_any(identities)
        if kinds.sizes[pattern] == len(identities) > 0:
            kinds.profiles[pattern] += 1
            if kinds.odd:
                kinds.settle()
            return [row]
        return self._rows_of_any(identities)

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
        try:
            if type(value) is not str:
                raise Unusable(NOT_TEXT)  # noqa: TRY301  one place counts
            digest = encode(value)
        except Unusable as unusable:
            self.dropped[namespace, str(unusable)] += 1
            return None
        counts[digest is value] += 1
        return digest

    def _rows_of_any(self, identities: Mapping[str, object]) -> list[Digests]:
        """The general path: lists, namespaces in any case, several sources for one target."""
        self.kinds.odd.clear()  # the short way may have noted some before it gave up
        values = self._by_namespace(identities)
        columns: list[Digests] = [[] for _ in self.targets]
        for namespace, slot, encode, counts in self._sources:
            for value in values.get(namespace, ()):
                absent = value is None or value == ""
                digest = None if absent else self._encode(namespace, encode, counts, value)
                columns[slot].append(digest)
        self.kinds.settle()
        return [list(row) for row in zip_longest(*columns) if any(row)]

    def _by_namespace(self, identities: Mapping[str, object]) -> dict[str, list[object]]:
        """The values that are looked at; the others are counted."""
        values: dict[str, list[object]] = {}
        unmapped = 0
        for name, value in identities.items():
            namespace = name.lower()
            if namespace in self._namespaces:
                some = value if isinstance(value, list) else [value]
                values.setdefault(namespace, []).extend(some)
            elif _present(value):
                unmapped += 1
        if unmapped:
            self.dropped[OTHER_SOURCE, UNMAPPED] += unmapped
        for namespace, every in values.items():
            if len(every) > MOST_VALUES:
                self._count_beyond(namespace, every[MOST_VALUES:])
                del every[MOST_VALUES:]
        return values

    def _count_beyond(self, namespace: str, values: list[object]) -> None:
        present = len(values) - values.count(None) - values.count("")
        if present:
            uses = sum(source == namespace for source, *_ in self._sources)
            self.dropped[namespace, TOO_MANY_VALUES] += present * uses


def _present(value: object) -> bool:
    """Whether a namespace holds anything: null and "" mean absent, also as all that a list holds."""
    if not isinstance(value, list):
        return value is not None and value != ""
    for one in value:  # noqa: SIM110  a generator for each of thousands of short lists is slow
        if one is not None and one != "":
            return True
    return False
