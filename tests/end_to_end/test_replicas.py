"""Replicas as processes of their own under one allowance: it is used, kept, and shared by their partitions."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from connector.sandbox.generator import Event
from tests.end_to_end.deployment import Deployment, Emulator, free_port, get, until

PARTITIONS = 7
CALLS_PER_SECOND = 5
SECONDS = 10
SEGMENTS = ["one", "two", "three"]


@pytest.mark.paced
def test_three_replicas_share_five_calls_a_second(
    make_emulator: Callable[..., Emulator], deploy: Callable[..., Deployment]
) -> None:
    emulator = make_emulator(len(SEGMENTS), qps=CALLS_PER_SECOND)
    deployment = deploy(
        emulator,
        SEGMENTS,
        partitions=PARTITIONS,
        tiktok__rate_limit={"queries_per_second": CALLS_PER_SECOND},
        delivery={"linger_seconds": 0.1, "max_rows": 5},
    )
    ports = [free_port() for _ in range(3)]
    for port in ports:
        deployment.run(environ={"CONNECTOR_ADMIN__PORT": str(port)})
    until(lambda: sorted(map(_partitions, ports)) == [2, 2, 3], 30, "partitions for each")
    deployment.feed(_work())
    until(lambda: all(_calls(one) >= 2 for one in ports), 30, "calls of each")

    emulator.post("reset", {})
    before = [_calls(one) for one in ports]
    time.sleep(SECONDS)
    rate = emulator.stats()["rate"]
    made = [_calls(port) - calls for port, calls in zip(ports, before, strict=True)]
    _assert_kept(rate)
    assert sum(one["calls"] for one in rate["per_second"]) >= 0.9 * CALLS_PER_SECOND * SECONDS
    for port, calls in zip(ports, made, strict=True):
        assert calls == pytest.approx(sum(made) * _partitions(port) / PARTITIONS, abs=2.0)


def _assert_kept(rate: dict[str, Any]) -> None:
    """No second saw more than the allowance.

    But one may, by a call: where the machine itself stands still for a moment, a call comes late.
    """
    assert rate["max_sliding_second"] <= CALLS_PER_SECOND + 1
    assert sum(one["refused"] for one in rate["per_second"]) <= 1


def _work() -> Iterator[Event]:
    """More than can be delivered meanwhile, in all partitions alike."""
    for number in range(400 * PARTITIONS):
        event = {
            "profile_id": f"p-{number}",
            "segment": SEGMENTS[number % len(SEGMENTS)],
            "status": "entered",
            "identities": {"email": f"person-{number}@example.com"},
        }
        yield Event(number % PARTITIONS, b"p-%d" % number, json.dumps(event).encode())


def _partitions(port: int) -> float:
    return _total(port, "tiktok_connector_consumer_assigned_partitions")


def _calls(port: int) -> float:
    return _total(port, "tiktok_connector_api_requests_total")


def _total(port: int, name: str) -> float:
    """The sum of a metric's samples at one replica; 0 before it answers."""
    _, text = get(f"http://127.0.0.1:{port}/metrics")
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name
    )
