"""The connector and the emulator as processes of their own, and the verdict on what came of it.

Knows the connector from the outside alone: its configuration file, its HTTP side, its exit code, its log.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from prometheus_client.parser import text_string_to_metric_families

from connector.sandbox.generator import Event
from connector.sandbox.model import Identity, Model, Route
from tests.kafka_broker import Cluster, Message
from tests.kafka_broker.cluster import eventually

ADVERTISER = "7000000000000000001"
FIRST_AUDIENCE = 7_100_000_000_000_000_001
TOKEN = "emulator-token-0123456789abcdef"
IDENTITIES = (
    Identity("email", "EMAIL_SHA256"),
    Identity("phone", "PHONE_SHA256", "US"),
    Identity("idfa", "IDFA_SHA256"),
    Identity("gaid", "AAID_SHA256"),
)


def until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Wait until the condition holds; fail with what was waited for."""
    eventually(condition, what, seconds)


def seconds_until(condition: Callable[[], bool], seconds: float, what: str) -> float:
    """Wait as `until` does; how long it took."""
    begun = time.monotonic()
    until(condition, seconds, what)
    return time.monotonic() - begun


def entry(segment: str, number: int, email: str | None = None) -> Event:
    """Person `number` enters the segment."""
    event = {
        "profile_id": f"p-{number}",
        "segment": segment,
        "status": "entered",
        "identities": {"email": email or f"person-{number}@example.com"},
    }
    return Event(number % 4, b"p-%d" % number, json.dumps(event).encode())


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class Process:
    """A program of ours with its output in a file."""

    def __init__(
        self, log: Path, *arguments: str, environ: Mapping[str, str] | None = None
    ) -> None:
        self.log = log
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "connector", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, **(environ or {})},
            )

    def text(self) -> str:
        return self.log.read_text(errors="replace")

    def wait(self, seconds: float) -> int:
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(
                f"still running after {seconds} s:\n{self.text()[-3000:]}"
            ) from None

    def end(self, number: int = signal.SIGTERM, seconds: float = 40.0) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.wait(seconds)


def get(url: str) -> tuple[int, str]:
    """The status and the text; status 0 while nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except OSError:
        return 0, ""


class Emulator(Process):
    """TikTok, with so many audiences of one advertiser."""

    def __init__(self, folder: Path, audiences: int, qps: float = 50, port: int = 0) -> None:
        accounts = folder / "accounts.json"
        ids = [str(FIRST_AUDIENCE + number) for number in range(audiences)]
        accounts.write_text(
            json.dumps(
                {
                    "tokens": {TOKEN: [ADVERTISER]},
                    "audiences": [
                        {"advertiser_id": ADVERTISER, "audience_id": one, "name": one}
                        for one in ids
                    ],
                }
            )
        )
        self.port = port or free_port()
        self.root = f"http://127.0.0.1:{self.port}"
        super().__init__(
            folder / "emulator.log",
            *("emulator", "--port", str(self.port), "--qps", str(int(qps))),
            *("--accounts", str(accounts)),
        )
        until(self.answers, 20, "the emulator")

    def answers(self) -> bool:
        return get(f"{self.root}/_emulator/stats")[0] == 200

    @property
    def base_url(self) -> str:
        return f"{self.root}/open_api/v1.3"

    def post(self, path: str, body: Any) -> Any:
        request = urllib.request.Request(
            f"{self.root}/_emulator/{path}",
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert answer.status < 300
            return json.loads(answer.read())

    def faults(self, *faults: dict[str, Any]) -> None:
        for fault in faults:
            self.post("faults", fault)

    def clear_faults(self, number: int | None = None) -> None:
        """Take back one fault, or all."""
        query = "" if number is None else f"?id={number}"
        request = urllib.request.Request(f"{self.root}/_emulator/faults{query}", method="DELETE")
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert answer.status < 300

    def listing(self, path: str) -> dict[str, Any]:
        """What one of its own endpoints shows."""
        found: dict[str, Any] = json.loads(get(f"{self.root}/_emulator/{path}")[1])
        return found

    def stats(self) -> dict[str, Any]:
        return self.listing("stats")

    def applied(self) -> int:
        """The rows of all calls that changed the audiences."""
        return int(self.stats()["rows"]["applied"])

    def members(self, audience: str | None = None) -> dict[str, dict[str, set[str]]]:
        """The members of one audience, or of all."""
        query = "members=1" if audience is None else f"members=1&audience_id={audience}"
        found = self.listing(f"audiences?{query}")["audiences"]
        return {
            one["audience_id"]: {key: set(some) for key, some in one["members"].items() if some}
            for one in found
        }


class Deployment:
    """A topic, a dead-letter topic, a configuration, and the connector over them."""

    def __init__(
        self,
        folder: Path,
        cluster: Cluster,
        emulator_url: str,
        *,
        segments: Iterable[str],
        identities: Sequence[Identity] = IDENTITIES,
        partitions: int = 4,
        **overrides: Any,
    ) -> None:
        self.folder = folder
        self.cluster = cluster
        self.topic = cluster.create_topic(partitions=partitions)
        self.dead_letters = cluster.create_topic()
        self.group = f"group-of-{self.topic}"
        self.admin_port = free_port()
        self.token_file = folder / "token"
        self.token_file.write_text(TOKEN + "\n")
        self.segments = list(segments)
        self.identities = identities
        self.config = folder / "connector.yaml"
        self._processes: list[Process] = []
        self._write(emulator_url, overrides)
        self.model = Model(
            [Route(one, str(FIRST_AUDIENCE + n)) for n, one in enumerate(self.segments)], identities
        )
        self.offsets = [0] * partitions

    def _write(self, emulator_url: str, overrides: dict[str, Any]) -> None:
        tree: dict[str, Any] = {
            "kafka": {
                "bootstrap_servers": self.cluster.bootstrap_servers,
                "group_id": self.group,
                "topics": [{"name": self.topic, "format": "native"}],
                "dead_letter_topic": self.dead_letters,
                "session_timeout_seconds": 6,
                "commit_interval_seconds": 0.2,
            },
            "tiktok": {
                "base_url": emulator_url,
                "request_timeout_seconds": 5,
                "rate_limit": {"queries_per_second": 50},
            },
            "destinations": [
                {
                    "name": "emea",
                    "advertiser_id": ADVERTISER,
                    "access_token_file": str(self.token_file),
                }
            ],
            "identities": [
                {
                    "source": one.source,
                    "target": one.target,
                    **({"default_region": one.default_region} if one.default_region else {}),
                }
                for one in self.identities
            ],
            "routes": [
                {"segment": one, "destination": "emea", "audience_id": str(FIRST_AUDIENCE + n)}
                for n, one in enumerate(self.segments)
            ],
            "delivery": {"linger_seconds": 0.3, "drain_seconds": 10, "retry_max_seconds": 5},
            "admin": {"host": "127.0.0.1", "port": self.admin_port},
        }
        for path, value in overrides.items():
            *parents, last = path.split("__")
            node = tree
            for parent in parents:
                node = node.setdefault(parent, {})
            node[last] = value
        self.config.write_text(yaml.safe_dump(tree))

    def feed(self, events: Iterable[Event]) -> int:
        """Write events and apply them to the model."""
        some = list(events)
        self.cluster.produce(
            self.topic,
            (Message(one.value, one.key, partition=one.partition) for one in some),
            compression_type="lz4",
            queue_buffering_max_messages=len(some) + 1,
        )
        for one in some:
            self.model.apply(one.partition, self.offsets[one.partition], one.value)
            self.offsets[one.partition] += 1
        return len(some)

    def run(self, *options: str, environ: Mapping[str, str] | None = None) -> Process:
        log = self.folder / f"connector-{len(self._processes)}.log"
        process = Process(log, "run", "--config", str(self.config), *options, environ=environ)
        self._processes.append(process)
        return process

    def close(self) -> None:
        """End what a failed test left running."""
        for one in self._processes:
            if one.process.poll() is None:
                one.process.kill()
                one.process.wait()

    def get(self, path: str) -> tuple[int, str]:
        return get(f"http://127.0.0.1:{self.admin_port}{path}")

    def metrics(self) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
        """All samples, without the prefix, by name and labels; none before it listens."""
        _, text = self.get("/metrics")
        return {
            (
                sample.name.removeprefix("tiktok_connector_"),
                frozenset(sample.labels.items()),
            ): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def total(self, name: str, **labels: str) -> float:
        """The sum of a metric's samples with these labels."""
        wanted = set(labels.items())
        return sum(
            value for (one, has), value in self.metrics().items() if one == name and wanted <= has
        )

    def committed(self) -> dict[int, int]:
        return self.cluster.committed(self.group, self.topic)

    def is_all_committed(self) -> bool:
        committed = self.committed()
        return all(committed.get(number, 0) == end for number, end in enumerate(self.offsets))

    def letters(self) -> list[dict[str, Any]]:
        count = sum(self.cluster.end_offsets(self.dead_letters).values())
        read = self.cluster.read(self.dead_letters, count)
        return [json.loads(one.value or b"") for one in read]

    def differing(self, emulator: Emulator) -> dict[str, dict[str, tuple[int, int]]]:
        """The audiences that do not equal the model: by type, how many members are missing and how many extra."""
        members = emulator.members()
        found: dict[str, dict[str, tuple[int, int]]] = {}
        for audience, expected in self.model.audiences.items():
            for target in {*expected, *members[audience]}:
                wanted = expected.get(target, set())
                actual = members[audience].get(target, set())
                if wanted != actual:
                    difference = (len(wanted - actual), len(actual - wanted))
                    found.setdefault(audience, {})[target] = difference
        return found

    def verdict(self, emulator: Emulator) -> None:
        """The audiences equal the model, the letters the invalid records; the emulator saw no fault of ours."""
        differing = self.differing(emulator)
        assert not differing, f"missing, extra: {differing}"
        sources = [(one["source"]["partition"], one["source"]["offset"]) for one in self.letters()]
        assert set(sources) == self.model.invalid
        duplicates = emulator.stats()["duplicates"]
        assert duplicates["under_way"] == duplicates["within_call"] == 0
