"""A seeded driver of misfortune: kills, stops, freezes and adds connectors, breaks the broker, and walks through faults.

Owns what happens when, and counts it. Knows the connector as a process, and what an emulator and a broker can be
told. The same seed plans the same misfortunes; when exactly they strike is the machine's.
"""

import random
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from tests.chaos.faults import FAULTS, Deck, Fault
from tests.chaos.replicas import AT_MOST, Replicas, wait_for_calls
from tests.end_to_end.deployment import TOKEN, Deployment, Emulator, until
from tests.kafka_broker import Broker

MAPPING = "segment/mapping"

_FAULT_SECONDS = 6.0


class Outage(NamedTuple):
    """When a connector was killed, or the broker was gone or frozen: nothing could be committed then.

    Attributes:
        committed: what was, by partition.
    """

    begun: float
    ended: float
    committed: Mapping[int, int]


class Driver:
    """One run's misfortunes: `strike` once, `calm` at the end.

    Args:
        kills: whether connectors may be killed.
        long_freezes: whether they may be frozen for longer than their session.
        evenly: whether each misfortune comes as often as each other; else kills come most often.
        faults_a_strike: how many faults are set with each misfortune.

    Attributes:
        counts: how often each misfortune happened.
        settings: how often each fault was set.
        struck: how many calls each fault has struck, once it is calm.
        outages: when connectors were killed, and the broker killed or frozen.
        kills_in_mid_call: how many connectors were killed that had calls under way just before.
    """

    def __init__(
        self,
        chance: random.Random,
        deployment: Deployment,
        emulator: Emulator,
        broker: Broker,
        *,
        kills: bool,
        long_freezes: bool,
        evenly: bool,
        faults_a_strike: int,
    ) -> None:
        self.counts: Counter[str] = Counter()
        self.settings: Counter[str] = Counter()
        self.struck: Counter[str] = Counter()
        self.outages: list[Outage] = []
        self.kills_in_mid_call = 0
        self.replicas = Replicas(deployment, chance)
        self._chance = chance
        self._deployment = deployment
        self._emulator = emulator
        self._broker = broker
        self._audiences = [str(one) for one in deployment.model.audiences]
        self._faults = Deck(FAULTS, chance)
        self._faults_a_strike = faults_a_strike
        self._set: list[tuple[str, int]] = []
        cards = self._cards(kills=kills, long_freezes=long_freezes)
        self._kinds = set(cards)
        # In a fixed order: the deck's shuffling is the seed's.
        self._misfortunes = Deck(list(dict.fromkeys(cards)) if evenly else cards, chance)

    def _cards(self, *, kills: bool, long_freezes: bool) -> list[Callable[[], None]]:
        """What one round of misfortunes consists of."""
        return [
            *([self.kill_a_connector] * 5 if kills else []),
            *([self.freeze_a_connector_past_its_session] * 8 if long_freezes else []),
            *[self.stop_a_connector] * 2,
            *[self.add_a_connector] * 4,
            self.freeze_a_connector,
            self.kill_the_broker,
            self.freeze_the_broker,
            self.refuse_connections,
            self.revoke_the_token,
            self.delete_an_audience,
        ]

    @property
    def has_done_all(self) -> bool:
        """Whether each misfortune has happened."""
        return len(self.counts) == len(self._kinds)

    def strike(self) -> None:
        """Let one misfortune happen, set the next faults, and see to it that a connector runs."""
        misfortune = self._misfortunes.next()
        misfortune()
        self.counts[misfortune.__name__] += 1
        self.replicas.keep_running()
        for _ in range(self._faults_a_strike):
            self.set_a_fault()

    def calm(self) -> None:
        """No more misfortunes: everything that was broken is mended, one connector is left."""
        struck = {one["id"]: one["hits"] for one in self._emulator.listing("faults")["faults"]}
        for name, number in self._set:
            self.struck[name] += struck[number]
            self._emulator.clear_faults(number)
        self._token("restore")
        for audience in self._audiences:
            self._audience(audience, "restore")
        self.replicas.leave(1)
        self.replicas.keep_running()

    def kill_a_connector(self) -> None:
        """Kill one, if it can be had, while it waits for TikTok's answers."""
        one = self.replicas.any()
        held = {"delay": 1.0, "count": 50, "duration_seconds": 2.0}
        self._set_fault(Fault("delay", held, 50))
        self.kills_in_mid_call += wait_for_calls(one, 3.0)
        at = time.time()
        self.replicas.kill(one)
        self.outages.append(Outage(at, at, self._deployment.committed()))

    def stop_a_connector(self) -> None:
        self.replicas.stop(self.replicas.any())

    def add_a_connector(self) -> None:
        if len(self.replicas) < AT_MOST:
            self.replicas.start()

    def freeze_a_connector(self) -> None:
        self.replicas.freeze(self.replicas.any(), self._chance.uniform(0.2, 1.5))

    def freeze_a_connector_past_its_session(self) -> None:
        """Another one has its partitions when it goes on."""
        committed, begun = self._deployment.committed(), time.time()
        self.replicas.freeze(self.replicas.any(), self._chance.uniform(4, 7))
        self.outages.append(Outage(begun, time.time(), committed))

    def kill_the_broker(self) -> None:
        committed, begun = self._deployment.committed(), time.time()
        self._broker.kill()
        time.sleep(self._chance.uniform(0, 4))
        self._broker.restart()
        partitions = len(self._deployment.offsets)
        until(
            lambda: len(self._broker.partitions(self._deployment.topic)) == partitions,
            30,
            "the broker to know its topics again",
        )
        self.outages.append(Outage(begun, time.time(), committed))

    def freeze_the_broker(self) -> None:
        committed, begun = self._deployment.committed(), time.time()
        self._broker.freeze()
        time.sleep(self._chance.uniform(1, 6))
        self._broker.thaw()
        self.outages.append(Outage(begun, time.time(), committed))

    def refuse_connections(self) -> None:
        seconds = round(self._chance.uniform(0.5, 3), 2)
        self._emulator.post("refuse", {"seconds": seconds})
        time.sleep(seconds)
        until(self._emulator.answers, 10, "the emulator to listen again")

    def revoke_the_token(self) -> None:
        self._token("revoke")
        time.sleep(self._chance.uniform(0.5, 2))
        self._token("restore")

    def delete_an_audience(self) -> None:
        audience = self._chance.choice(self._audiences)
        self._audience(audience, "delete")
        time.sleep(self._chance.uniform(0.5, 2))
        self._audience(audience, "restore")

    def set_a_fault(self) -> None:
        """Set the next one: for a few calls, not always the very next."""
        fault = self._faults.next()
        count = self._chance.randint(1, fault.most)
        probability = self._chance.uniform(0.2, 1.0)
        self.settings[fault.name] += 1
        self._set_fault(
            fault._replace(
                effect={
                    **fault.effect,
                    "count": count,
                    "probability": probability,
                    "duration_seconds": _FAULT_SECONDS,
                }
            )
        )

    def _set_fault(self, fault: Fault) -> None:
        listed: dict[str, Any] = self._emulator.post(
            "faults", {"endpoint": MAPPING, **fault.effect}
        )
        self._set.append((fault.name, listed["faults"][-1]["id"]))

    def _token(self, action: str) -> None:
        self._emulator.post("tokens", {"token": TOKEN, "action": action})

    def _audience(self, audience: str, action: str) -> None:
        self._emulator.post(
            "audiences", {"audience_id": audience, "action": action, "members": "keep"}
        )
