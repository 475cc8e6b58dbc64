"""What the audiences must become: a second, independent reading of the rules.

Given the raw bytes of each record in the order of its partition, it keeps each audience as plain sets of digests,
and knows which records are invalid. It shares no code with the connector, so that the two cannot agree on a
mistake; it is written to be read beside the rules, not to be quick.

Two points of the rules are read so: usable is judged before a route's restriction (a profile whose only usable
identifier a route does not take is filtered there), and null and "" count as if the namespace were not there.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from connector.sandbox.digests import digest_of

_ALIASES: Final = {
    "email_lc_sha256": "EMAIL_SHA256",
    "phone_sha256_E.164": "PHONE_SHA256",
    "IDFA": "IDFA_SHA256",
    "GAID": "AAID_SHA256",
}


class Identity(NamedTuple):
    """One line of the mapping: values of a source namespace become digests of the target."""

    source: str
    target: str
    default_region: str | None = None
    transformation: str = "auto"
    strip_plus: bool = False
    strip_dots: bool = False


class Route(NamedTuple):
    """Members of the segment belong into the audience, by these targets, or by all if none are named."""

    segment: str
    audience_id: str
    identities: tuple[str, ...] = ()


@dataclass
class Counts:
    """How many records were what."""

    accepted: int = 0
    filtered: int = 0
    invalid: int = 0

    @property
    def total(self) -> int:
        return self.accepted + self.filtered + self.invalid


class Invalid(Exception):  # noqa: N818  -- a verdict on a record
    """The record must be set aside."""


class Model:
    """The audiences as the records imply them.

    Attributes:
        audiences: audience id -> target -> digests; every routed audience and every type seen is there.
        counts: the verdicts.
        invalid: (partition, offset) of each invalid record.
    """

    def __init__(self, routes: Iterable[Route], identities: Iterable[Identity]) -> None:
        self._identities = [one._replace(target=_plain(one.target)) for one in identities]
        self._sources = {one.source.casefold() for one in self._identities}
        self._routes: dict[str, list[tuple[str, frozenset[str]]]] = {}
        self.audiences: dict[str, dict[str, set[str]]] = {}
        everything = frozenset(one.target for one in self._identities)
        for route in routes:
            allowed = frozenset(map(_plain, route.identities)) or everything
            self._routes.setdefault(route.segment, []).append((route.audience_id, allowed))
            self.audiences[route.audience_id] = {}
        self.counts = Counts()
        self.invalid: set[tuple[int, int]] = set()

    def apply(self, partition: int, offset: int, value: bytes | None) -> None:
        """Take in the next record of a partition."""
        try:
            accepted = value is not None and self._apply(value)
        except Invalid:
            self.counts.invalid += 1
            self.invalid.add((partition, offset))
            return
        if accepted:
            self.counts.accepted += 1
        else:
            self.counts.filtered += 1

    def _apply(self, value: bytes) -> bool:
        """Apply a record that has a value; False if no audience is concerned."""
        event = _decode(value)
        routes = self._routes.get(event["segment"])
        if routes is None:
            return False
        digests = self._digests(event["identities"])
        concerned = False
        for audience_id, allowed in routes:
            for target in allowed & digests.keys():
                concerned = True
                members = self.audiences[audience_id].setdefault(target, set())
                if event["status"] == "entered":
                    members |= digests[target]
                else:
                    members -= digests[target]
        return concerned

    def _digests(self, identities: Mapping[str, Any]) -> dict[str, set[str]]:
        """Return what can be used, by target.

        Raises:
            Invalid: there is nothing at all, or there was something and none of it can be used.
        """
        present: dict[str, list[Any]] = {}
        for namespace, given in identities.items():
            values = [one for one in _as_list(given) if one is not None and one != ""]
            if values:
                present.setdefault(namespace.casefold(), []).extend(values)
        if not present:
            raise Invalid
        if not present.keys() & self._sources:
            return {}
        found: dict[str, set[str]] = {}
        for identity in self._identities:
            for one in present.get(identity.source.casefold(), ()):
                digest = _digest(identity, one)
                if digest is not None:
                    found.setdefault(identity.target, set()).add(digest)
        if not found:
            raise Invalid
        return found


def _digest(identity: Identity, value: Any) -> str | None:
    if not isinstance(value, str):
        return None
    return digest_of(
        value,
        identity.target,
        region=identity.default_region,
        transformation=identity.transformation,
        strip_plus=identity.strip_plus,
        strip_dots=identity.strip_dots,
    )


def _decode(value: bytes) -> dict[str, Any]:
    """Return the event.

    Raises:
        Invalid: it has not the shape of one.
    """
    try:
        # Decoded first: the json module would guess UTF-16 and UTF-32 from bytes.
        event = json.loads(value.decode("utf-8"), parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise Invalid from None
    if not isinstance(event, dict):
        raise Invalid
    if not all(isinstance(event.get(name), str) for name in ("profile_id", "segment", "status")):
        raise Invalid
    if event["status"] not in {"entered", "exited"} or not isinstance(
        event.get("identities"), dict
    ):
        raise Invalid
    return event


def _refuse(constant: str) -> None:
    """NaN and Infinity are Python's, not JSON's."""
    raise ValueError(constant)


def _as_list(given: Any) -> Iterator[Any]:
    return iter(given) if isinstance(given, list) else iter((given,))


def _plain(target: str) -> str:
    return _ALIASES.get(target, target)
