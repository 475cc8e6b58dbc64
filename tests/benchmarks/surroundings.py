"""What the programs run between: a broker with filled topics, a sink, and the connector's configuration.

Owns their lifetimes. Knows the connector from the outside alone.
"""

import contextlib
import json
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Self
from uuid import uuid4

import yaml

from tests.benchmarks.mapping import ADVERTISER, FIRST_AUDIENCE, TOKEN
from tests.benchmarks.programs import Program, module, run
from tests.benchmarks.workloads import PARTITIONS, WORKLOADS, Workload
from tests.end_to_end.deployment import free_port, get, until
from tests.kafka_broker import Broker, Cluster

NO_LIMIT: Final = 100_000
"""Calls a second: more than any program here makes."""


class Sink:
    """The sink's process."""

    def __init__(self, *, timed: bool = False) -> None:
        self.port = free_port()
        self._url = f"http://127.0.0.1:{self.port}"
        self._program = Program(module("sink", self.port, *(["--timed"] if timed else [])))
        until(lambda: get(self._url)[0] == 200, 20, "the sink")

    def taken(self) -> dict[str, Any]:
        """What came: `Taken.told` in the sink says what."""
        return self._ask("taken")

    def forget(self) -> dict[str, Any]:
        """Likewise, and from now on it is counted anew."""
        return self._ask("forget")

    def latencies(self) -> dict[str, Any]:
        """How old the identifiers were that came: their count, median and 99th percentile."""
        return self._ask("latencies")

    def _ask(self, what: str) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self._url}/{what}", timeout=30) as answer:
            found: dict[str, Any] = json.loads(answer.read())
            return found

    def close(self) -> None:
        self._program.close()


@dataclass(frozen=True)
class Filled:
    """A topic with the records of a workload, and a topic for letters about them."""

    workload: Workload
    records: int
    topic: str
    letters: str


class Surroundings:
    """A broker, and a folder for configurations; topics are filled when they are first wanted."""

    def __init__(self, folder: Path, broker: Cluster) -> None:
        self.folder = folder
        self.broker = broker
        self._filled: dict[tuple[str, int], Filled] = {}

    @classmethod
    @contextlib.contextmanager
    def up(cls) -> Iterator[Self]:
        """Bring up a broker of its own, in temporary folders."""
        with tempfile.TemporaryDirectory() as folder:
            broker = Broker().start()
            try:
                yield cls(Path(folder), broker)
            finally:
                broker.stop()

    @contextlib.contextmanager
    def sink(self, *, timed: bool = False) -> Iterator[Sink]:
        sink = Sink(timed=timed)
        try:
            yield sink
        finally:
            sink.close()

    def filled(self, workload: str, records: int) -> Filled:
        """The topic with so many records of the workload."""
        key = workload, records
        if key not in self._filled:
            say(f"writing {records:,} records: {workload}")
            made = self._filled[key] = replace(self.empty(workload), records=records)
            place = (self.broker.bootstrap_servers, made.topic)
            run(module("fill", *place, workload, records))
        return self._filled[key]

    def empty(self, workload: str = "plain") -> Filled:
        """A new topic without records."""
        topic = self.broker.create_topic(partitions=PARTITIONS)
        return Filled(WORKLOADS[workload], 0, topic, self.broker.create_topic())

    def configuration(
        self, filled: Filled, sink: Sink, *, qps: int = NO_LIMIT, port: int = 0, **delivery: float
    ) -> Path:
        """A configuration file of its own, with a consumer group of its own.

        Args:
            filled: what to read.
            sink: who takes the calls.
            qps: calls a second that TikTok is said to allow.
            port: of the connector's HTTP side; any that is free unless one is named.
            delivery: keys of that section.
        """
        name = f"{filled.topic}-{uuid4().hex[:8]}"
        token = self.folder / "token"
        token.write_text(TOKEN)
        tree = {
            "kafka": {
                "bootstrap_servers": self.broker.bootstrap_servers,
                "group_id": name,
                "topics": [{"name": filled.topic}],
                "dead_letter_topic": filled.letters,
            },
            "tiktok": {
                "base_url": f"http://127.0.0.1:{sink.port}/open_api/v1.3",
                "rate_limit": {"queries_per_second": qps},
            },
            **_places(filled.workload, token),
            "delivery": delivery,
            "admin": {"host": "127.0.0.1", "port": port},
        }
        path = self.folder / f"{name}.yaml"
        path.write_text(yaml.safe_dump(tree))
        return path


def _places(workload: Workload, token: Path) -> Mapping[str, Any]:
    """Where the workload's segments lead, and what its identities mean."""
    account = {"name": "bench", "advertiser_id": ADVERTISER, "access_token_file": str(token)}
    return {
        "destinations": [account],
        "identities": [
            {
                "source": one.source,
                "target": one.target,
                **({"default_region": one.default_region} if one.default_region else {}),
            }
            for one in workload.identities
        ],
        "routes": [
            {"segment": one, "destination": "bench", "audience_id": str(FIRST_AUDIENCE + number)}
            for number, one in enumerate(workload.segments)
        ],
    }


def say(what: str) -> None:
    """Tell what goes on, on stderr: the table has stdout for itself."""
    print(what, file=sys.stderr, flush=True)
