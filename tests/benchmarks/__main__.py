"""Records per CPU-second of the connector's process, beside the limit of its parts, in one run.

    python -m tests.benchmarks [RECORDS] [ROUNDS]

A real broker, native events of about 220 bytes with e-mail, phone and IDFA, lz4, four partitions, twenty audiences,
and a sink that accepts every call. The two programs take turns; each figure is the median of its rounds.
"""

import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import orjson
import yaml

from tests.end_to_end.deployment import free_port
from tests.kafka_broker import Broker, Message

_PARTITIONS = 4
_AUDIENCES = 20
_GOAL = 80_000
_RSS_GOAL = 200


class Figures(NamedTuple):
    """What a finished process took."""

    cpu_seconds: float
    wall_seconds: float
    rss_mb: float


def events(count: int, seed: int = 1) -> Iterator[Message]:
    """Clean native events: three plain identifiers each, one in ten an exit."""
    rng = random.Random(seed)
    for number in range(count):
        idfa = f"{rng.getrandbits(128):032x}"
        value = {
            "profile_id": f"profile-{number}",
            "segment": f"segment-{number % _AUDIENCES}",
            "status": "entered" if number % 10 else "exited",
            "timestamp": "2026-11-20T12:00:00Z",
            "identities": {
                "email": f"person{number}@example.com",
                "phone": f"+1{2_120_000_000 + number}",
                "idfa": f"{idfa[:8]}-{idfa[8:12]}-{idfa[12:16]}-{idfa[16:20]}-{idfa[20:]}",
            },
        }
        key = b"profile-%d" % number
        yield Message(orjson.dumps(value), key, partition=number % _PARTITIONS)


def configuration(folder: Path, broker: Broker, topic: str, letters: str, port: int) -> Path:
    """The connector's configuration, with limits out of the way."""
    (folder / "token").write_text("benchmark-token")
    tree = {
        "kafka": {
            "bootstrap_servers": broker.bootstrap_servers,
            "topics": [{"name": topic}],
            "dead_letter_topic": letters,
        },
        "tiktok": {
            "base_url": f"http://127.0.0.1:{port}/open_api/v1.3",
            "rate_limit": {"queries_per_second": 100_000},
        },
        "destinations": [
            {
                "name": "bench",
                "advertiser_id": "7000000000000000001",
                "access_token_file": str(folder / "token"),
            }
        ],
        "routes": [
            {
                "segment": f"segment-{number}",
                "destination": "bench",
                "audience_id": str(7_100_000_000_000_000_001 + number),
            }
            for number in range(_AUDIENCES)
        ],
        "admin": {"host": "127.0.0.1", "port": 0},
    }
    path = folder / "connector.yaml"
    path.write_text(yaml.safe_dump(tree))
    return path


def measure(*command: str, **environ: str) -> Figures:
    """Run a Python program to its end and take the system's account of it."""
    begun = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", *command],
        env={**os.environ, **environ},
        stdout=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{command[0]} ended with {process.returncode}")
    wall = time.perf_counter() - begun
    return Figures(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / 1024)


def table(records: int, found: dict[str, list[Figures]]) -> str:
    """The medians, a line a program, and the ratio."""
    lines = [f"{'':12}{'records/CPU-s':>15}{'CPU s':>8}{'wall s':>8}{'peak MB':>9}"]
    rates = {}
    for name, figures in found.items():
        cpu = statistics.median(one.cpu_seconds for one in figures)
        wall = statistics.median(one.wall_seconds for one in figures)
        rss = max(one.rss_mb for one in figures)
        rates[name] = records / cpu
        lines.append(f"{name:12}{rates[name]:15,.0f}{cpu:8.2f}{wall:8.2f}{rss:9.0f}")
    ratio = rates["connector"] / rates["limit"]
    lines.append(f"connector / limit: {ratio:.2f}")
    lines.append(f"goals: connector at least {_GOAL:,} records/CPU-s, below {_RSS_GOAL} MB")
    return "\n".join(lines)


def main(records: int, rounds: int) -> None:
    """Fill a topic once, then let the programs take turns over it."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        broker = Broker().start()
        port = free_port()
        sink = subprocess.Popen([sys.executable, "-m", "tests.benchmarks.sink", str(port)])
        try:
            topic, letters = broker.create_topic(partitions=_PARTITIONS), broker.create_topic()
            broker.produce(
                topic,
                events(records),
                compression_type="lz4",
                linger_ms=50,
                queue_buffering_max_messages=records + 1,
                queue_buffering_max_kbytes=2_000_000,
            )
            config = configuration(folder, broker, topic, letters, port)
            found: dict[str, list[Figures]] = {"limit": [], "connector": []}
            for number in range(rounds):
                found["limit"].append(
                    measure("tests.benchmarks.limit", broker.bootstrap_servers, topic, str(records))
                )
                found["connector"].append(
                    measure(
                        *("connector", "run", "--until-end", "--config", str(config)),
                        CONNECTOR_KAFKA__GROUP_ID=f"bench-{number}",
                    )
                )
            print(table(records, found))
        finally:
            sink.kill()
            sink.wait()
            broker.stop()


if __name__ == "__main__":
    numbers = [int(one) for one in sys.argv[1:]]
    main(numbers[0] if numbers else 1_000_000, numbers[1] if len(numbers) > 1 else 3)
