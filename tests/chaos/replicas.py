"""The connectors of a run: started, killed, stopped, frozen.

Owns which of them run. One that ends by itself, or does not end as it should, is a failure of the run. What a log
says is shown only when nothing personal is in it.
"""

import json
import random
import re
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from tests.end_to_end.deployment import TOKEN, Deployment, Process, free_port, get

AT_MOST = 3

_STOP_SECONDS = 60.0
_TAIL = 2_000
_REQUEST_ID = r"20\d{12}[0-9A-F]{18}\b"
_PERSONAL = re.compile(
    rf"\b(?!{_REQUEST_ID})[0-9a-fA-F]{{32,}}|@|\bp-\d|\bpoison-|{re.escape(TOKEN)}"
)
"""Digests, addresses, profile ids, the token: what the load's events and the configuration hold."""

_IN_FLIGHT = "tiktok_connector_in_flight_requests"


@dataclass
class Replica:
    """One connector, and where it shows its metrics."""

    process: Process
    port: int

    def calls(self) -> int:
        """How many calls it has under way; 0 while it does not answer."""
        _, text = get(f"http://127.0.0.1:{self.port}/metrics")
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name == _IN_FLIGHT:
                    return int(sample.value)
        return 0


class Replicas:
    """All that run."""

    def __init__(self, deployment: Deployment, chance: random.Random) -> None:
        self._deployment = deployment
        self._chance = chance
        self._running: list[Replica] = []
        self._logs: list[Path] = []

    def __len__(self) -> int:
        return len(self._running)

    def start(self) -> None:
        port = free_port()
        process = self._deployment.run(environ={"CONNECTOR_ADMIN__PORT": str(port)})
        self._running.append(Replica(process, port))
        self._logs.append(process.log)

    def keep_running(self) -> None:
        """Start one when none is left; one that ended by itself is a failure."""
        for one in self._running:
            _assert_runs(one)
        if not self._running:
            self.start()

    def any(self) -> Replica:
        return self._chance.choice(self._running)

    def kill(self, one: Replica) -> None:
        """End it as `kill -9` does."""
        _assert_runs(one)
        self._running.remove(one)
        one.process.end(signal.SIGKILL)

    def stop(self, one: Replica) -> None:
        """End it in good order."""
        _assert_runs(one)
        self._running.remove(one)
        process = one.process.process
        process.send_signal(signal.SIGTERM)
        try:
            code = process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"a stop does not end:\n{_tail(one.process)}") from None
        # Before its first line even Python's own start-up may be what the signal met.
        assert code == 0 or not one.process.text(), (
            f"a stop ended with {code}:\n{_tail(one.process)}"
        )

    def freeze(self, one: Replica, seconds: float) -> None:
        """Stop it in its tracks, and let it go on."""
        one.process.process.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        one.process.process.send_signal(signal.SIGCONT)

    def leave(self, count: int) -> None:
        """Stop all but so many."""
        while len(self._running) > count:
            self.stop(self._running[-1])

    def states(self) -> str:
        """What each says of itself, and the end of its log: for a run that does not come to its end."""
        said = []
        for one in self._running:
            _, text = get(f"http://127.0.0.1:{one.port}/status")
            status = json.loads(text or "{}")
            lanes = [lane for lane in status.get("lanes", ()) if lane["pending"] or lane["reason"]]
            limits, partitions = status.get("limits"), status.get("partitions")
            said.append(f"{limits}\n{partitions}\n{lanes}\n{_tail(one.process)}")
        return "\n".join(said)

    def logs_with_personal_data(self) -> int:
        """How many logs hold what no log may."""
        return sum(bool(_PERSONAL.search(one.read_text(errors="replace"))) for one in self._logs)


def _assert_runs(one: Replica) -> None:
    code = one.process.process.poll()
    assert code is None, f"a connector ended with {code}:\n{_tail(one.process)}"


def wait_for_calls(one: Replica, seconds: float) -> bool:
    """Wait until it has a call under way; false when it does not come to that."""
    return _comes_true(lambda: one.calls() > 0, seconds)


def _comes_true(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _tail(process: Process) -> str:
    text = process.text()[-_TAIL:]
    return "(its log holds personal data)" if _PERSONAL.search(text) else text
