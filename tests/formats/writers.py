"""One history of memberships, written in every format as its source product would write it.

Owns who enters and leaves what, and how each format says so. Shares no code with the decoders.
"""

import base64
import hashlib
import json
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from random import Random
from typing import Any, Final, NamedTuple

from tests.kafka_broker import Message

PARTITIONS: Final = 2
ADVERTISER: Final = "7000000000000000001"
_START: Final = 1_795_000_000
_MOST_AT_ONCE: Final = 8
"""Changes in one message of a format that has many."""

Tree = dict[str, Any]


class Change(NamedTuple):
    """A person enters or leaves one of the segments.

    Attributes:
        version: which e-mail address the person goes by.
        at: seconds since the epoch.
    """

    person: int
    segment: int
    entered: bool
    version: int
    at: int


Step = tuple[Change, ...]
"""What happens to one person at one moment."""


class Place(NamedTuple):
    """A segment as a format names it, and its audience."""

    segment: str
    audience: str


Write = Callable[[Sequence[Step], Sequence[Place]], Iterator[Message]]


def history(people: int, segments: int, steps: int, seed: int) -> list[Step]:
    """Entries and exits, some repeated; people who move to another segment; people whose address changes."""
    rng = Random(seed)
    member: dict[int, set[int]] = {person: set() for person in range(people)}
    version = dict.fromkeys(range(people), 0)
    found: list[Step] = []
    for number in range(steps):
        person, segment = rng.randrange(people), rng.randrange(segments)
        now, mine, at = version[person], member[person], _START + number
        chance = rng.random()
        if mine and chance < 0.1:
            version[person] += 1
            left = [Change(person, one, entered=False, version=now, at=at) for one in sorted(mine)]
            found.append((*left, *(one._replace(entered=True, version=now + 1) for one in left)))
        elif mine and segment not in mine and chance < 0.3:
            old = min(mine)
            mine.remove(old)
            mine.add(segment)
            left_one = Change(person, old, entered=False, version=now, at=at)
            found.append((left_one, left_one._replace(segment=segment, entered=True)))
        else:
            entered = segment not in mine or chance > 0.9
            (mine.add if entered else mine.discard)(segment)
            found.append((Change(person, segment, entered, now, at),))
    return found


def identities(person: int, version: int) -> dict[str, str]:
    """Under the native namespaces; a device is of one make."""
    device = str(uuid.UUID(int=(person + 1) << 64))
    return {
        "email": f"person-{person}-{version}@example.com",
        "phone": f"+1213373{person:04d}",
        ("idfa" if person % 2 else "gaid"): device,
    }


def profile(person: int) -> str:
    return f"p-{person}"


def as_native(change: Change, place: Place) -> bytes:
    """The change as the model reads it."""
    return _json(_native(change, place))


def native(steps: Sequence[Step], places: Sequence[Place]) -> Iterator[Message]:
    for change in _each(steps):
        yield _message(change.person, _native(change, places[change.segment]))


def segment(steps: Sequence[Step], places: Sequence[Place]) -> Iterator[Message]:
    """Tracks, and of every third person identifies."""
    for change in _each(steps):
        who = identities(change.person, change.version)
        place = places[change.segment]
        device = {"type": "ios", "advertisingId": who.get("idfa")}
        if "gaid" in who:
            device = {"type": "android", "advertisingId": who["gaid"]}
        event: Tree = {
            "userId": profile(change.person),
            "timestamp": _time(change.at),
            "context": {
                "personas": {
                    "computation_class": "audience",
                    "computation_key": place.segment,
                    "external_audience_id": place.audience,
                    "audience_settings": {"advertiserId": ADVERTISER},
                },
                "traits": {"email": who["email"], "phone": who["phone"]},
                "device": device,
            },
        }
        said: Tree = {place.segment: change.entered}
        if change.person % 3 == 2:
            event |= {"type": "identify", "traits": said}
        else:
            name = "Audience Entered" if change.entered else "Audience Exited"
            properties = {"audience_key": place.segment, **said}
            event |= {"type": "track", "event": name, "properties": properties}
        yield _message(change.person, event)


def adobe_xdm(steps: Sequence[Step], places: Sequence[Place]) -> Iterator[Message]:
    """Each message has all memberships of the profile; every fifth one comes twice."""
    known: dict[int, dict[str, Tree]] = {}
    for number, change in enumerate(_each(steps)):
        memberships = known.setdefault(change.person, {})
        memberships[places[change.segment].segment] = {
            "lastQualificationTime": _time(change.at),
            "status": "realized" if change.entered else "exited",
        }
        who = identities(change.person, change.version)
        email, phone = who["email"], who["phone"]
        if change.person % 3 == 0:
            named = {"email_lc_sha256": _sha256(email), "phone_sha256_E.164": _sha256(phone)}
        else:
            named = {"Email": email, "Phone": phone}
        named |= {name.upper(): who[name] for name in ("idfa", "gaid") if name in who}
        identity_map = {name: [{"id": one}] for name, one in named.items()}
        prefix = "xdm:" if change.person % 4 == 0 else ""
        event = {
            f"{prefix}segmentMembership": {"ups": memberships},
            f"{prefix}identityMap": {"ecid": [{"id": f"{change.person:038d}"}], **identity_map},
        }
        for _ in range(2 if number % 5 == 0 else 1):
            yield _message(change.person, event)


def mparticle(steps: Sequence[Step], places: Sequence[Place]) -> Iterator[Message]:
    """Requests with many profiles, and several audiences of each."""
    types = {"email": "email", "phone": "mobile_number"}
    devices = {"idfa": "ios_advertising_id", "gaid": "google_advertising_id"}

    def some(who: Mapping[str, str], of: Mapping[str, str]) -> list[Tree]:
        return [
            {"type": of[name], "encoding": "raw", "value": one}
            for name, one in who.items()
            if name in of
        ]

    for changes in _batches(_each(steps), lambda change: change.person % PARTITIONS):
        profiles = []
        for (person, version), own in groupby(changes, lambda one: (one.person, one.version)):
            who = identities(person, version)
            audiences = [
                {
                    "audience_id": int(places[one.segment].segment),
                    "audience_name": f"audience {places[one.segment].segment}",
                    "action": "add" if one.entered else "delete",
                }
                for one in own
            ]
            profiles.append(
                {
                    "mpid": profile(person),
                    "user_identities": some(who, types),
                    "device_identities": some(who, devices),
                    "audiences": audiences,
                }
            )
        request = {
            "type": "audience_membership_change_request",
            "timestamp_ms": changes[-1].at * 1000,
            "user_profiles": profiles,
        }
        yield _message(changes[0].person, request)


def rudderstack_records(steps: Sequence[Step], places: Sequence[Place]) -> Iterator[Message]:
    for number, change in enumerate(_each(steps)):
        entry = "update" if number % 3 == 0 else "insert"
        event = {
            "type": "record",
            "action": entry if change.entered else "delete",
            "userId": profile(change.person),
            "identifiers": _rudderstack(change),
            "context": {"externalId": [{"type": f"TIKTOK_AUDIENCE-{places[change.segment][0]}"}]},
        }
        yield _message(change.person, event)


def rudderstack_lists(steps: Sequence[Step], places: Sequence[Place]) -> Iterator[Message]:
    """A list says nothing of the order within it: nobody stands in one twice."""
    by_list = _batches(
        _each(steps),
        lambda change: (change.person % PARTITIONS, change.segment),
        lambda change: change.person,
    )
    for changes in by_list:
        lists = {
            name: [_rudderstack(one) for one in changes if one.entered == entered]
            for name, entered in (("add", True), ("remove", False))
        }
        external = {"type": "TIKTOK_AUDIENCE", "id": places[changes[0].segment].segment}
        event = {
            "type": "audienceList",
            "timestamp": _time(changes[-1].at),
            "properties": {"listData": lists},
            "context": {"externalId": [external], "destinationFields": "EMAIL_SHA256"},
        }
        yield _message(changes[0].person, event)


def debezium(steps: Sequence[Step], places: Sequence[Place]) -> Iterator[Message]:
    """Rows that are inserted, deleted (with a tombstone) and, where an exit and an entry go together, updated."""

    def row(change: Change | None) -> Tree | None:
        if change is None:
            return None
        who = identities(change.person, change.version)
        return {
            "user_id": change.person,
            "list": places[change.segment].segment,
            "mail": who["email"],
            "phone": who["phone"],
            "idfa": who.get("idfa"),
            "gaid": who.get("gaid"),
        }

    for number, step in enumerate(steps):
        half = len(step) // 2
        pairs = list(zip(step[:half], step[half:], strict=True)) if half else [(step[0], step[0])]
        for old, new in pairs:
            if half:
                op, before, after = "u", row(old), row(new)
            elif new.entered:
                op, before, after = "cr"[number % 2], None, row(new)
            else:
                op, before, after = "d", row(old), None
            event = {"op": op, "before": before, "after": after, "ts_ms": new.at * 1000}
            yield _message(new.person, event)
            if op == "d":
                yield _message(new.person, None)


def debezium_wrapped(steps: Sequence[Step], places: Sequence[Place]) -> Iterator[Message]:
    """The same as Kafka Connect's JSON converter writes it with its schema."""
    for one in debezium(steps, places):
        if one.value is None:
            yield one
        else:
            wrapped = b'{"schema": {"type": "struct", "fields": []}, "payload": %b}' % one.value
            yield one._replace(value=wrapped)


def custom(steps: Sequence[Step], places: Sequence[Place]) -> Iterator[Message]:
    """Several segments in one event, where a step has them alike."""
    for step in steps:
        for (entered, version), alike in groupby(step, lambda one: (one.entered, one.version)):
            changes = list(alike)
            who = identities(step[0].person, version)
            kind: object = "joined" if entered else "left"
            event = {
                "user": {
                    "id": step[0].person,
                    "email": who["email"],
                    "phones": [{"number": who["phone"]}],
                    "devices": {name: who[name] for name in ("idfa", "gaid") if name in who},
                },
                "audiences": [places[one.segment].segment for one in changes],
                "change": {"kind": entered if step[0].person % 3 == 0 else kind},
                "meta": {"time": _time(step[0].at)},
            }
            yield _message(step[0].person, event)


def in_binary(write: Write) -> Write:
    """The same with a CloudEvents envelope in the headers."""

    def write_it(steps: Sequence[Step], places: Sequence[Place]) -> Iterator[Message]:
        for number, one in enumerate(write(steps, places)):
            headers = (
                ("ce_specversion", b"1.0"),
                ("ce_id", b"%d" % number),
                ("ce_source", b"/crm"),
                ("ce_type", b"com.example.membership"),
                ("ce_time", _time(_START).encode()),
                ("content-type", b"application/json"),
            )
            yield one._replace(headers=headers)

    return write_it


def in_structured(write: Write) -> Write:
    """The same within CloudEvents, every third one as Base64."""

    def write_it(steps: Sequence[Step], places: Sequence[Place]) -> Iterator[Message]:
        for number, one in enumerate(write(steps, places)):
            value = one.value or b"null"
            if number % 3 == 2:
                data: Tree = {"data_base64": base64.b64encode(value).decode()}
            else:
                data = {"datacontenttype": "application/json", "data": json.loads(value)}
            attributes = {"specversion": "1.0", "id": str(number), "source": "/crm", "type": "t"}
            header = ("Content-Type", b"application/cloudevents+json; charset=UTF-8")
            yield one._replace(value=_json(attributes | data), headers=(header,))

    return write_it


def _each(steps: Iterable[Step]) -> Iterator[Change]:
    return (change for step in steps for change in step)


def _batches(
    changes: Iterable[Change],
    where: Callable[[Change], object],
    once: Callable[[Change], object] = lambda _: object(),
) -> Iterator[list[Change]]:
    """Changes by where they go, in order; no batch has two of which `once` is the same."""
    waiting: dict[object, list[Change]] = {}
    for change in changes:
        batch = waiting.setdefault(where(change), [])
        if len(batch) == _MOST_AT_ONCE or once(change) in map(once, batch):
            yield waiting.pop(where(change))
            batch = waiting.setdefault(where(change), [])
        batch.append(change)
    yield from waiting.values()


def _native(change: Change, place: Place) -> Tree:
    return {
        "profile_id": profile(change.person),
        "segment": place.segment,
        "status": "entered" if change.entered else "exited",
        "timestamp": _time(change.at),
        "identities": identities(change.person, change.version),
    }


def _rudderstack(change: Change) -> Tree:
    names = {"email": "EMAIL", "phone": "PHONE", "idfa": "IDFA", "gaid": "AAID"}
    who = identities(change.person, change.version)
    digest = _sha256 if change.person % 3 == 0 else str
    return {f"{names[name]}_SHA256": digest(one) for name, one in who.items()}


def _message(person: int, event: Tree | None) -> Message:
    """Some events have what only the general way of decoding reads."""
    if event is not None and person % 5 == 0:
        event = event | {"comment": "\u00fc"}
    key = profile(person).encode()
    return Message(None if event is None else _json(event), key, partition=person % PARTITIONS)


def _json(tree: Tree) -> bytes:
    return json.dumps(tree, ensure_ascii=False).encode()


def _time(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")


def _sha256(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()
