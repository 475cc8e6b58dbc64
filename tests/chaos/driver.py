"""A seeded driver of misfortune: kills, stops, freezes and adds connectors, breaks the broker, and walks through faults.

Owns what happens when, and counts it. Knows the connector as a process, and what an emulator and a broker can be
told. The same seed plans the same misfortunes; when exactly they strike is the machine's.
"""

import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from tests.end_to_end.deployment import (
    TOKEN,
    Deployment,
    Emulator,
    Process,
    free_port,
    until,
)
from tests.kafka_broker import Broker

_MAPPING = "segment/mapping"
_REPLICAS_AT_MOST = 3

_FAULTS: tuple[dict[str, Any], ...] = (
    {"code": 40100},
    {"code": 40133},
    {"code": 50000},
    {"status": 500},
    {"status": 429},
    {"reset": "before"},
    {"reset": "after"},
    {"timeout": 2.5, "applied": True},
    {"timeout": 2.5, "applied": False},
    {"delay": 0.8},
    {"body": "truncated"},
    {"body": "html"},
    {"body": "empty"},
    {"trickle": 0.5},
    {"partial": True},
)


class Driver:
    """One run's misfortunes: `strike` once, `calm` at the end."""

    def __init__(
        self, seed: int, deployment: Deployment, emulator: Emulator, broker: Broker
    ) -> None:
        self.counts: Counter[str] = Counter()
        self.kills_in_mid_call = 0
        self._random = random.Random(seed)
        self._deployment = deployment
        self._emulator = emulator
        self._broker = broker
        self._replicas: list[Process] = []
        self._audiences = [str(one) for one in deployment.model.audiences]
        self._misfortunes: list[tuple[int, Callable[[], None]]] = [
            (6, self.kill_a_connector),
            (3, self.stop_a_connector),
            (3, self.add_a_connector),
            (1, self.kill_the_broker),
            (1, self.freeze_the_broker),
            (2, self.refuse_connections),
            (2, self.revoke_the_token),
            (2, self.delete_an_audience),
            (10, self.set_a_fault),
        ]

    def strike(self) -> None:
        """Let one misfortune happen, and see to it that a connector runs."""
        weights = [weight for weight, _ in self._misfortunes]
        _, misfortune = self._random.choices(self._misfortunes, weights)[0]
        misfortune()
        self.counts[misfortune.__name__] += 1
        self.keep_running()

    def keep_running(self) -> None:
        """Start a connector when none is left; one that ended by itself is a failure."""
        for one in self._replicas:
            code = one.process.poll()
            assert code is None, f"a connector ended with {code}:\n{one.text()[-2000:]}"
        if not self._replicas:
            self._start()

    def calm(self) -> None:
        """No more misfortunes: everything that was broken is mended, one connector is left."""
        self._emulator.clear_faults()
        self._emulator.post("tokens", {"token": TOKEN, "action": "restore"})
        for audience in self._audiences:
            self._restore(audience)
        while len(self._replicas) > 1:
            self._stop(self._replicas.pop())
        self.keep_running()

    def end(self) -> int:
        """Stop the last connector; its exit code."""
        return self._replicas.pop().end()

    def _start(self) -> None:
        port = self._deployment.admin_port if not self._replicas else free_port()
        self._replicas.append(self._deployment.run(environ={"CONNECTOR_ADMIN__PORT": str(port)}))

    def _one(self) -> Process | None:
        if not self._replicas:
            return None
        return self._replicas.pop(self._random.randrange(len(self._replicas)))

    def kill_a_connector(self) -> None:
        if (one := self._one()) is not None:
            self.kills_in_mid_call += bool(self._emulator.stats()["under_way"])
            one.end(signal.SIGKILL)

    def stop_a_connector(self) -> None:
        if (one := self._one()) is not None:
            self._stop(one)

    def _stop(self, one: Process) -> None:
        code = one.end(seconds=60)
        # Before its first line even Python's own start-up may be what the signal met.
        assert code == 0 or not one.text(), f"a stop ended with {code}:\n{one.text()[-2000:]}"

    def add_a_connector(self) -> None:
        if len(self._replicas) < _REPLICAS_AT_MOST:
            self._start()

    def kill_the_broker(self) -> None:
        self._broker.kill()
        time.sleep(self._random.uniform(0, 4))
        self._broker.restart()
        partitions = len(self._deployment.offsets)
        until(
            lambda: len(self._broker.partitions(self._deployment.topic)) == partitions,
            30,
            "the broker to know its topics again",
        )

    def freeze_the_broker(self) -> None:
        self._broker.freeze()
        time.sleep(self._random.uniform(1, 6))
        self._broker.thaw()

    def refuse_connections(self) -> None:
        seconds = round(self._random.uniform(0.5, 3), 2)
        self._emulator.post("refuse", {"seconds": seconds})
        time.sleep(seconds)
        until(self._emulator.answers, 10, "the emulator to listen again")

    def revoke_the_token(self) -> None:
        self._emulator.post("tokens", {"token": TOKEN, "action": "revoke"})
        time.sleep(self._random.uniform(0.5, 2))
        self._emulator.post("tokens", {"token": TOKEN, "action": "restore"})

    def delete_an_audience(self) -> None:
        audience = self._random.choice(self._audiences)
        self._emulator.post(
            "audiences", {"audience_id": audience, "action": "delete", "members": "keep"}
        )
        time.sleep(self._random.uniform(0.5, 2))
        self._restore(audience)

    def set_a_fault(self) -> None:
        chance = self._random.uniform(0.05, 0.5)
        seconds = self._random.uniform(1, 4)
        kind = self._random.choice(_FAULTS)
        self.counts[f"fault {' '.join(f'{key} {value}' for key, value in kind.items())}"] += 1
        self._emulator.faults(
            {"endpoint": _MAPPING, "probability": chance, "duration_seconds": seconds, **kind}
        )

    def _restore(self, audience: str) -> None:
        self._emulator.post(
            "audiences", {"audience_id": audience, "action": "restore", "members": "keep"}
        )
