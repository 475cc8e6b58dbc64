"""What is measured: streams of events, each with the audiences and identities that it is for.

Owns the events alone; the same seed makes the same ones. Knows neither Kafka's clients nor the connector, but for
the sandbox's generator, which makes the realistic ones.
"""

import random
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

import orjson

from connector.sandbox.generator import Event, Traffic, generate, segment_names
from connector.sandbox.model import Identity
from connector.sandbox.people import REGION

PARTITIONS: Final = 4
AUDIENCES: Final = 20
MANY_AUDIENCES: Final = 2_000

_PLAIN: Final = (
    Identity("email", "EMAIL_SHA256"),
    Identity("phone", "PHONE_SHA256"),
    Identity("idfa", "IDFA_SHA256"),
)
_REALISTIC: Final = (
    Identity("email", "EMAIL_SHA256"),
    Identity("crm_email", "EMAIL_SHA256"),
    Identity("phone", "PHONE_SHA256", REGION),
    Identity("idfa", "IDFA_SHA256"),
    Identity("gaid", "AAID_SHA256"),
)
_STATUS: Final = ("exited", "entered")
_HOT_SHARE: Final = 0.9
_OPPOSITE_SHARE: Final = 0.3
_RECENT: Final = 3_500
"""New changes among which one is taken back: with those taken back themselves, a second of 5,000 records."""


@dataclass(frozen=True)
class Workload:
    """One stream of events, and what the connector has to be configured for.

    Attributes:
        is_once: whether each profile comes once, so that every record has to become a row of a call.
    """

    name: str
    events: Callable[[int], Iterator[Event]]
    segments: Sequence[str]
    identities: Sequence[Identity] = _PLAIN
    is_once: bool = True


def _identities(number: int, rng: random.Random) -> dict[str, str]:
    """Three plain identifiers that nobody else has."""
    idfa = f"{rng.getrandbits(128):032x}"
    return {
        "email": f"person{number}@example.com",
        "phone": f"+1{2_120_000_000 + number}",
        "idfa": f"{idfa[:8]}-{idfa[8:12]}-{idfa[12:16]}-{idfa[16:20]}-{idfa[20:]}",
    }


def _digests(number: int, rng: random.Random) -> dict[str, str]:
    values = _identities(number, rng)
    return {name: sha256(value.encode()).hexdigest() for name, value in values.items()}


def _event(number: int, segment: int, status: str, identities: dict[str, str]) -> Event:
    value = {
        "profile_id": f"profile-{number}",
        "segment": f"segment-{segment}",
        "status": status,
        "timestamp": "2026-11-20T12:00:00Z",
        "identities": identities,
    }
    return Event(number % PARTITIONS, b"profile-%d" % number, orjson.dumps(value))


def _even(
    audiences: int,
    identities: Callable[[int, random.Random], dict[str, str]] = _identities,
    exits: int = 10,
) -> Callable[[int], Iterator[Event]]:
    """Every audience in turn, one in so many an exit (0: none), each profile once."""

    def events(count: int) -> Iterator[Event]:
        rng = random.Random(1)
        for number in range(count):
            turn, segment = divmod(number, audiences)
            status = _STATUS[not exits or turn % exits > 0]
            yield _event(number, segment, status, identities(number, rng))

    return events


def _hot(count: int) -> Iterator[Event]:
    rng = random.Random(1)
    for number in range(count):
        segment = 0 if rng.random() < _HOT_SHARE else rng.randrange(1, AUDIENCES)
        yield _event(number, segment, _STATUS[number % 10 > 0], _identities(number, rng))


def _churn(count: int) -> Iterator[Event]:
    """Three in ten take back a change of the last second, the others are of new profiles."""
    rng = random.Random(1)
    recent: deque[tuple[int, int, str, dict[str, str]]] = deque(maxlen=_RECENT)
    for number in range(count):
        if recent and rng.random() < _OPPOSITE_SHARE:
            place = rng.randrange(len(recent))
            who, segment, status, identities = recent[place]
            change = (who, segment, _STATUS[status == "exited"], identities)
            recent[place] = change
        else:
            change = (number, number % AUDIENCES, _STATUS[1], _identities(number, rng))
            recent.append(change)
        yield _event(*change)


def _realistic(count: int) -> Iterator[Event]:
    return generate(Traffic(count, max(1, count // 5), AUDIENCES, partitions=PARTITIONS))


def _numbered(audiences: int) -> list[str]:
    return [f"segment-{number}" for number in range(audiences)]


def _all() -> Iterator[Workload]:
    twenty = _numbered(AUDIENCES)
    yield Workload("plain", _even(AUDIENCES), twenty)
    yield Workload("hashed", _even(AUDIENCES, _digests), twenty)
    yield Workload("realistic", _realistic, segment_names(AUDIENCES), _REALISTIC, is_once=False)
    yield Workload("audiences", _even(MANY_AUDIENCES, exits=0), _numbered(MANY_AUDIENCES))
    yield Workload("hot", _hot, twenty)
    yield Workload("churn", _churn, twenty, is_once=False)


WORKLOADS: Final = {one.name: one for one in _all()}
