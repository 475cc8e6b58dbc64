"""Segment-membership events as a customer-data platform would send them, the broken ones included.

Owns which event comes when: who (Zipf), which segment (Zipf), entering or leaving, and which part of it is out
of the ordinary. Same parameters, same events. Knows the native event format, and nothing of what becomes of it.

What the format's rules leave open is not generated (a record whose only values are null, for example): the events
are for comparing two readings of the rules, and an open point would make them differ.
"""

import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from random import Random
from typing import Any, Final, NamedTuple

from connector.sandbox.people import Person, Value, broken, dressed, hashed, person

_NAMES: Final = (
    "high-value",
    "churned",
    "cart-abandoners",
    "newsletter",
    "loyalty-gold",
    "first-purchase",
    "lapsed-90-days",
    "app-installed",
    "video-viewers",
    "free-trial",
    "big-spenders",
    "holiday-shoppers",
    "store-visitors",
    "wishlist",
    "refunded",
    "students",
)
_START: Final = datetime(2026, 11, 20, 12, tzinfo=UTC)


@dataclass(frozen=True)
class EventShares:
    """Which part of the events is out of the ordinary, 0..1 each.

    Attributes:
        invalid: not an event at all.
        tombstones: without a value.
        unrouted: of a segment that nobody asked for.
        exits: of the events of somebody who is a member, those that end it; the others are repeats.
        foreign: with nothing but a namespace that nobody maps.
    """

    invalid: float = 0.01
    tombstones: float = 0.005
    unrouted: float = 0.05
    exits: float = 0.6
    foreign: float = 0.01


@dataclass(frozen=True)
class ValueShares:
    """Which part of the identifiers is written in another way than plainly, 0..1 each.

    Attributes:
        dressed: with spaces, capitals, punctuation, or without the country.
        hashed: as a digest.
        broken: identifying nobody.
        absent: accompanied by a null or an empty string.
        unknown: accompanied by a namespace that nobody maps.
        several: of people, those with more than one value of a kind.
        shared: of people, those who go by somebody else's identifiers. The order of such events across
            partitions is not defined, so the model is exact only without.
    """

    dressed: float = 0.2
    hashed: float = 0.2
    broken: float = 0.03
    absent: float = 0.05
    unknown: float = 0.1
    several: float = 0.15
    shared: float = 0.0


@dataclass(frozen=True)
class Traffic:
    """What to generate."""

    events: int = 100_000
    profiles: int = 20_000
    segments: int = 20
    seed: int = 1
    partitions: int = 4
    event_shares: EventShares = field(default_factory=EventShares)
    value_shares: ValueShares = field(default_factory=ValueShares)


class Event(NamedTuple):
    """One record to come, and the partition its key belongs to."""

    partition: int
    key: bytes
    value: bytes | None


def segment_names(count: int) -> list[str]:
    """Return so many segments, the most popular first."""
    return [
        name if round_ == 0 else f"{name}-{round_ + 1}"
        for round_ in range(-(-count // len(_NAMES)))
        for name in _NAMES
    ][:count]


def generate(traffic: Traffic) -> Iterator[Event]:
    """Yield the events in order, as many as asked for."""
    return _Generator(traffic).events()


class _Generator:
    def __init__(self, traffic: Traffic) -> None:
        self._traffic = traffic
        self._rng = Random(traffic.seed)
        self._segments = segment_names(traffic.segments)
        self._members: set[tuple[int, str]] = set()
        self._people: dict[int, Person] = {}
        self._faces = self._choose_faces()

    def events(self) -> Iterator[Event]:
        traffic, rng = self._traffic, self._rng
        who = _zipf(traffic.profiles)
        what = _zipf(len(self._segments))
        remaining = traffic.events
        numbers, places = range(traffic.profiles), range(len(self._segments))
        while remaining > 0:
            block = min(remaining, 10_000)
            profiles = rng.choices(numbers, cum_weights=who, k=block)
            segments = rng.choices(places, cum_weights=what, k=block)
            for profile, segment in zip(profiles, segments, strict=True):
                key = b"p-%d" % profile
                value = self._value(profile, self._segments[segment])
                yield Event(zlib.crc32(key) % traffic.partitions, key, value)
            remaining -= block

    def _value(self, profile: int, segment: str) -> bytes | None:
        shares, rng = self._traffic.event_shares, self._rng
        chance = rng.random()
        if chance < shares.tombstones:
            return None
        chance -= shares.tombstones
        if chance < shares.invalid:
            return rng.choice(_INVALID)(self._event(profile, segment, "entered"))
        chance -= shares.invalid
        if chance < shares.unrouted:
            return _encode(self._event(profile, f"not-routed-{profile % 3}", "entered"))
        chance -= shares.unrouted
        if chance < shares.foreign:
            event = self._event(profile, segment, "entered")
            return _encode({**event, "identities": {"loyalty_card": f"L{profile}"}})
        return _encode(self._event(profile, segment, self._status(profile, segment)))

    def _status(self, profile: int, segment: str) -> str:
        """Follow who is a member: exits mostly follow entries, and some repeat or come first."""
        membership = (profile, segment)
        if membership in self._members:
            leaves = self._rng.random() < self._traffic.event_shares.exits
        else:
            leaves = self._rng.random() < 0.02
        (self._members.discard if leaves else self._members.add)(membership)
        return "exited" if leaves else "entered"

    def _event(self, profile: int, segment: str, status: str) -> dict[str, Any]:
        rng = self._rng
        event: dict[str, Any] = {
            "profile_id": f"p-{profile}",
            "segment": segment,
            "status": status,
            "identities": self._identities(self._person(profile)),
        }
        chance = rng.random()
        if chance < 0.9:
            event["timestamp"] = (_START + timedelta(milliseconds=rng.randrange(10**8))).isoformat()
        elif chance < 0.91:
            event["timestamp"] = "yesterday"
        if chance > 0.95:
            event["source"] = {"system": "web", "batch": profile % 7}
        return event

    def _identities(self, who: Person) -> dict[str, Any]:
        rng, shares = self._rng, self._traffic.value_shares
        found: dict[str, Any] = {}
        for namespace, values in who.values.items():
            if found and rng.random() < 0.1:  # not every system knows all of it
                continue
            written: list[Any] = [self._written(value) for value in values]
            if rng.random() < shares.absent:
                written.append(rng.choice((None, "")))
            name = namespace.upper() if rng.random() < 0.02 else namespace
            found[name] = written[0] if len(written) == 1 else written
        if rng.random() < shares.unknown:
            found["loyalty_card"] = f"L{who.profile_id}"
        return found

    def _written(self, value: Value) -> Any:
        shares, rng = self._traffic.value_shares, self._rng
        chance = rng.random() - shares.dressed
        if chance < 0:
            return dressed(value, rng)
        chance -= shares.hashed
        if chance < 0:
            return hashed(value, rng)
        if chance < shares.broken:
            return broken(value, rng)
        return value.canonical

    def _person(self, profile: int) -> Person:
        known = self._people.get(profile)
        if known is None:
            known = person(self._faces.get(profile, profile), self._traffic.value_shares.several)
            self._people[profile] = known
        return known

    def _choose_faces(self) -> dict[int, int]:
        """Choose who goes by somebody else's identifiers."""
        rng, profiles = self._rng, self._traffic.profiles
        shared = self._traffic.value_shares.shared
        if not shared:
            return {}
        return {one: rng.randrange(profiles) for one in range(profiles) if rng.random() < shared}


def _zipf(count: int) -> Sequence[float]:
    """Return cumulated weights: the second is half as frequent as the first, and so on, flattened a little."""
    return list(accumulate(1 / rank**0.9 for rank in range(1, count + 1)))


def _encode(event: Any) -> bytes:
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()


def _without(name: str) -> Callable[[dict[str, Any]], bytes]:
    return lambda event: _encode({key: value for key, value in event.items() if key != name})


def _with(**changed: Any) -> Callable[[dict[str, Any]], bytes]:
    return lambda event: _encode({**event, **changed})


_INVALID: Final[tuple[Callable[[dict[str, Any]], bytes], ...]] = (
    lambda _: b"",
    lambda _: b"not json",
    lambda _: b"\xff\xfe\x00",
    lambda event: _encode(event)[:-5],
    lambda event: _encode(event).replace(b'"', b'"\xc3', 1),
    lambda event: _encode(event) + b"}",
    lambda event: _encode(event).decode().encode("utf-16"),
    lambda event: _encode([event]),
    lambda _: b"null",
    _without("profile_id"),
    _without("segment"),
    _without("status"),
    _without("identities"),
    _with(profile_id=7),
    _with(segment=None),
    _with(status="joined"),
    _with(status=True),
    _with(identities="jane@example.com"),
    _with(identities=[]),
    _with(identities={}),
)
