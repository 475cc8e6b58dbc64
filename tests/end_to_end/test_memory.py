"""What a large backlog costs: memory that does not grow with it, a membership that stays, a hand-over in time.

CONNECTOR_TEST_BACKLOG sets how many records wait in Kafka for the first test. Fewer than some 220,000 would not
fill the connector.
"""

import itertools
import json
import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from connector.sandbox.generator import Event, segment_names
from tests.end_to_end.deployment import (
    Deployment,
    Emulator,
    Process,
    entry,
    free_port,
    get,
    seconds_until,
    until,
)
from tests.kafka_broker import Message

BACKLOG = int(os.environ.get("CONNECTOR_TEST_BACKLOG", "250000"))
MOST_MEMORY = 300_000_000
MOST_PENDING = 200_000  # the default of delivery.max_pending_rows
SEGMENTS = segment_names(10)
SESSION = 3
MOST_WAIT = 2  # seconds: the cap of the backoff
DRAIN = 5


def _backlog() -> Iterator[Message]:
    """Different people with three identifiers each, so that no change supersedes another."""
    for number in range(BACKLOG):
        device = f"{number:08x}-1234-4abc-8def-123456789abc"
        event = {
            "profile_id": f"p-{number}",
            "segment": SEGMENTS[number % len(SEGMENTS)],
            "status": "entered",
            "identities": {
                "email": f"person-{number}@example.com",
                "idfa": device.upper(),
                "gaid": device,
            },
        }
        yield Message(json.dumps(event).encode(), b"p-%d" % number, partition=number % 4)


def _peak_memory(process: Process) -> int:
    """The most bytes that the process ever had in memory."""
    status = Path(f"/proc/{process.process.pid}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) * 1024


@pytest.mark.timeout(200 + BACKLOG // 3_000)
def test_a_backlog_behind_an_outage_takes_bounded_memory_and_keeps_the_membership(
    make_emulator: Callable[..., Emulator], deploy: Callable[..., Deployment]
) -> None:
    emulator = make_emulator(len(SEGMENTS))
    emulator.faults({"code": 50000})
    deployment = deploy(
        emulator,
        SEGMENTS,
        kafka__session_timeout_seconds=SESSION,
        delivery={"retry_max_seconds": MOST_WAIT},
    )
    messages = _backlog()
    while some := list(itertools.islice(messages, 100_000)):
        deployment.cluster.produce(
            deployment.topic, some, compression_type="lz4", queue_buffering_max_messages=200_000
        )
    deployment.offsets = [BACKLOG // 4] * 4
    connector = deployment.run()
    until(lambda: deployment.total("consumer_paused_partitions") == 4, 60, "intake to pause")
    consumed = deployment.total("records_consumed_total")
    retries = deployment.total("api_retries_total")
    outage_ends = time.monotonic() + 2 * SESSION
    while time.monotonic() < outage_ends:
        assert deployment.get("/healthz")[0] == 200
        assert deployment.cluster.members(deployment.group) == 1
        time.sleep(0.5)

    assert deployment.total("consumer_rebalances_total", event="revoked") == 0
    assert deployment.total("records_consumed_total") == consumed < BACKLOG
    assert MOST_PENDING < deployment.total("pending_rows") < MOST_PENDING + 10_000
    assert deployment.total("api_retries_total") > retries
    assert emulator.applied() == 0

    emulator.clear_faults()
    assert seconds_until(lambda: emulator.applied() > 0, 40, "a call") < 5 + MOST_WAIT
    until(deployment.is_all_committed, 60 + BACKLOG / 5_000, "the backlog to be delivered")
    peak = _peak_memory(connector)
    print(f"{BACKLOG} records, a peak of {peak / 1e6:.0f} MB")
    assert peak < MOST_MEMORY, f"{peak / 1e6:.0f} MB"
    assert connector.end() == 0
    # All identifiers differ and all are added: an audience of the right size is the right one.
    shown = json.loads(get(f"{emulator.root}/_emulator/audiences")[1])["audiences"]
    assert [set(one["sizes"].values()) for one in shown] == [{BACKLOG // 10}] * len(SEGMENTS)


def test_a_replica_joins_within_the_drain_though_100_000_changes_wait(
    make_emulator: Callable[..., Emulator], deploy: Callable[..., Deployment]
) -> None:
    emulator = make_emulator(len(SEGMENTS))
    emulator.faults({"endpoint": "segment/mapping", "delay": 2})
    deployment = deploy(
        emulator,
        SEGMENTS,
        tiktok__request_timeout_seconds=4,
        delivery={"drain_seconds": DRAIN, "max_in_flight": 2},
    )
    deployment.feed(_different_people(115_000))
    first = deployment.run()
    until(lambda: deployment.total("pending_rows") >= 100_000, 60, "100,000 pending changes")
    port = free_port()
    second = deployment.run(environ={"CONNECTOR_ADMIN__PORT": str(port)})
    until(lambda: "partitions revoked" in first.text(), 30, "the rebalance to begin")

    def is_shared() -> bool:
        status = [deployment.get("/status")[1], get(f"http://127.0.0.1:{port}/status")[1]]
        return [len(json.loads(one or "{}").get("partitions", ())) for one in status] == [2, 2]

    assert seconds_until(is_shared, 40, "both to have partitions") < DRAIN + 2
    assert deployment.total("changes_total", outcome="handed_over") > 50_000

    emulator.clear_faults()
    until(deployment.is_all_committed, 60, "everything to be delivered")
    assert first.end() == second.end() == 0
    deployment.verdict(emulator)


def _different_people(count: int) -> Iterator[Event]:
    return (entry(SEGMENTS[n % len(SEGMENTS)], n, f"{n:064x}") for n in range(count))
