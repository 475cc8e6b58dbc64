"""The load of a run: generated events, some of them marked and a few poisoned, fed at an even pace.

Owns what has been fed, and feeds the model with the same bytes. Runs in a thread, so that no misfortune holds it up.

* A *marked* event carries an identifier of its own, in a type of its own: its place, written as a digest.
  So a row that arrives at TikTok twice can be told from a change that was made twice.
* A *poisoned* event is of a few profiles whose e-mail address the emulator refuses in any batch. Each of their events
  has the same two identifiers and no other, so none of the two may ever be a member.
"""

import hashlib
import json
import random
import threading
import time
import uuid
import zlib
from collections.abc import Iterator
from typing import Any

from confluent_kafka import Producer

from connector.sandbox.generator import Event, Traffic, generate
from connector.sandbox.model import Identity
from tests.end_to_end.deployment import IDENTITIES, Deployment

MARK_TYPE = "AAID_SHA256"
LOAD_IDENTITIES = (
    *(one for one in IDENTITIES if one.target != MARK_TYPE),
    Identity("visit", MARK_TYPE),
)

_MARKED_SHARE = 0.1
_POISONED_PROFILES = 10
_SECONDS_BETWEEN_POISON = 3.0
_TICK_SECONDS = 0.05
_PATIENCE = 60.0

Place = tuple[int, int]
"""The partition and the offset of a record."""


def mark_of(place: Place) -> str:
    """The digest that stands for a record."""
    partition, offset = place
    return f"{partition:08x}{offset:056x}"


def place_of(mark: str) -> Place:
    """The record that a digest stands for."""
    return int(mark[:8], 16), int(mark[8:], 16)


class Load:
    """Feeds from `start` to `stop`.

    Attributes:
        poisoned: of each poisoned profile and segment the last record; its letter must be there.
        poisonous: all poisoned records; each may have a letter.
        poison: the digests that the emulator must refuse.
    """

    def __init__(self, deployment: Deployment, seed: int, seconds: float, rate: int) -> None:
        self.poisoned: dict[tuple[int, str], Place] = {}
        self.poisonous: set[Place] = set()
        self.poison = [_sha256(_email(number)) for number in range(_POISONED_PROFILES)]
        self._deployment = deployment
        self._rate = rate
        self._chance = random.Random(seed)
        total = int(seconds * rate)
        segments = len(deployment.segments)
        # More than will be needed: what is fed is bounded by the time.
        self._events = generate(
            Traffic(events=2 * total, profiles=total // 8, segments=segments, seed=seed)
        )
        self._acknowledged = [0] * len(deployment.offsets)
        self._failures: list[str] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._feed, name="load", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Feed no more; fails when anything was not written as it was meant to be."""
        self._stopping.set()
        self._thread.join(_PATIENCE)
        assert not self._thread.is_alive(), "the load does not end"
        assert not self._failures, self._failures[0]
        assert self._acknowledged == self._deployment.offsets, "not all events were written"

    def _feed(self) -> None:
        try:
            self._feed_evenly(self._producer())
        except Exception as error:  # noqa: BLE001  a thread's failure is told by stop()
            self._failures.append(f"the load ended: {type(error).__name__}: {error}")

    def _feed_evenly(self, producer: Producer) -> None:
        begun = time.monotonic()
        events = self._with_poison(self._events)
        fed = 0
        while not self._stopping.is_set():
            due = int((time.monotonic() - begun) * self._rate)
            for _, event in zip(range(due - fed), events, strict=False):
                self._write(producer, event)
                fed += 1
            producer.poll(0)
            time.sleep(_TICK_SECONDS)
        producer.flush(_PATIENCE)

    def _producer(self) -> Producer:
        settings: dict[str, Any] = {
            "bootstrap.servers": self._deployment.cluster.bootstrap_servers,
            "log_level": 0,
            "linger.ms": 5,
            "compression.type": "lz4",
            # The broker is killed under it: each event must be there once, in its order.
            "enable.idempotence": True,
            "queue.buffering.max.messages": 2_000_000,
            "reconnect.backoff.max.ms": 500,
        }
        return Producer(settings)

    def _with_poison(
        self, events: Iterator[Event]
    ) -> Iterator[tuple[Event, tuple[int, str] | None]]:
        """All events, and so many seconds' worth apart one that is poisoned."""
        every = int(_SECONDS_BETWEEN_POISON * self._rate)
        for number, event in enumerate(events):
            if number % every == every // 2:
                who = self._chance.randrange(_POISONED_PROFILES)
                segment = self._chance.choice(self._deployment.segments)
                yield self._poisoned(who, segment), (who, segment)
            yield event, None

    def _poisoned(self, who: int, segment: str) -> Event:
        key = b"poison-%d" % who
        device = uuid.uuid5(uuid.NAMESPACE_OID, _email(who))
        event = {
            "profile_id": key.decode(),
            "segment": segment,
            "status": self._chance.choice(("entered", "exited")),
            "identities": {"email": _email(who), "idfa": str(device)},
        }
        partition = zlib.crc32(key) % len(self._deployment.offsets)
        return Event(partition, key, json.dumps(event).encode())

    def _write(self, producer: Producer, one: tuple[Event, tuple[int, str] | None]) -> None:
        (partition, key, value), poisoned = one
        offsets = self._deployment.offsets
        place = (partition, offsets[partition])
        if poisoned is not None:
            self.poisoned[poisoned] = place
            self.poisonous.add(place)
        elif value is not None and self._chance.random() < _MARKED_SHARE:
            value = _marked(value, mark_of(place))
        producer.produce(
            self._deployment.topic,
            value=value,
            key=key,
            partition=partition,
            on_delivery=self._delivered,
        )
        if poisoned is None:
            self._deployment.model.apply(*place, value)
        offsets[partition] += 1

    def _delivered(self, error: Any, message: Any) -> None:
        if error is not None:
            self._failures.append(f"an event was not written: {error}")
            return
        partition = message.partition()
        if message.offset() != self._acknowledged[partition]:
            self._failures.append("an event was written twice, or out of order")
        self._acknowledged[partition] += 1


def _marked(value: bytes, mark: str) -> bytes:
    """The same event with one identifier more; unchanged where it is no event with identifiers."""
    try:
        event = json.loads(value.decode())
    except ValueError:
        return value
    if not isinstance(event, dict) or not isinstance(event.get("identities"), dict):
        return value
    if not event["identities"]:
        return value
    event["identities"]["visit"] = mark
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()


def _email(number: int) -> str:
    return f"poison.{number}@example.invalid"


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
