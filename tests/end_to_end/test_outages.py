"""Outages in the middle of a stream: nothing is lost, the connector does not end, and it goes on soon after."""

import contextlib
import itertools
import json
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from connector.sandbox.generator import Event, Traffic, generate, segment_names
from tests.end_to_end.deployment import (
    Deployment,
    Emulator,
    Process,
    entry,
    free_port,
    seconds_until,
    until,
)
from tests.kafka_broker import Broker

BROKER_OUTAGE = 5.0
TIKTOK_OUTAGE = 4.0
MOST_WAIT = 2  # seconds: the cap of the backoff
SOON = 5.0 + MOST_WAIT  # seconds after an outage's end
DRAIN = 3
CLOSE = 5.0  # seconds for each of the two clients, as connector.app has it
SEGMENTS = segment_names(20)
SLOW_STREAM: dict[str, Any] = {
    "tiktok__request_timeout_seconds": 2,
    "kafka__session_timeout_seconds": 3,
    "delivery": {
        "linger_seconds": 0.2,
        "drain_seconds": DRAIN,
        "retry_max_seconds": MOST_WAIT,
        "max_rows": 100,
        "max_pending_rows": 4_000,
    },
}
"""So little may wait that most of a stream is still in Kafka when the outage begins, and when it ends."""

Outage = Callable[[Broker], contextlib.AbstractContextManager[None]]


@contextlib.contextmanager
def frozen(broker: Broker) -> Iterator[None]:
    broker.freeze()
    try:
        yield
    finally:
        broker.thaw()


@contextlib.contextmanager
def killed(broker: Broker) -> Iterator[None]:
    broker.kill()
    try:
        yield
    finally:
        broker.restart()


both_outages = pytest.mark.parametrize("outage", [frozen, killed])


@pytest.fixture
def deploy_on_own(tmp_path: Path, own_broker: Broker) -> Iterator[Callable[..., Deployment]]:
    """Deploy on the broker that may be broken."""
    made: list[Deployment] = []

    def make(emulator: Emulator, segments: list[str], **overrides: Any) -> Deployment:
        url = emulator.base_url
        made.append(Deployment(tmp_path, own_broker, url, segments=segments, **overrides))
        return made[-1]

    yield make
    for one in made:
        one.close()


def _stream(events: int, seed: int) -> Iterator[Event]:
    return generate(Traffic(events=events, profiles=events // 5, seed=seed))


def _start_in_the_middle(deployment: Deployment, emulator: Emulator) -> Process:
    """Run the connector until some of the stream is delivered, and most is not."""
    connector = deployment.run()
    until(lambda: emulator.applied() > 2_000, 30, "deliveries")
    return connector


@both_outages
def test_a_broker_that_is_away_in_the_middle_of_a_stream_costs_nothing_but_time(
    outage: Outage,
    own_broker: Broker,
    make_emulator: Callable[..., Emulator],
    deploy_on_own: Callable[..., Deployment],
) -> None:
    emulator = make_emulator(20)
    deployment = deploy_on_own(emulator, SEGMENTS, **SLOW_STREAM)
    events = _stream(14_000, seed=21)
    deployment.feed(itertools.islice(events, 12_000))
    connector = _start_in_the_middle(deployment, emulator)
    assert not deployment.is_all_committed(), "the stream was over before the outage began"
    with outage(own_broker):
        time.sleep(BROKER_OUTAGE)
        assert connector.process.poll() is None, connector.text()[-2000:]
        assert deployment.get("/healthz")[0] == 200
    back_at = time.monotonic()
    deployment.feed(events)
    until(deployment.is_all_committed, 60, "everything to be delivered, old and new")

    assert time.monotonic() - back_at < SOON
    assert connector.end() == 0
    deployment.verdict(emulator)


@both_outages
def test_a_stop_while_the_broker_is_away_is_bounded_and_loses_nothing(
    outage: Outage,
    own_broker: Broker,
    make_emulator: Callable[..., Emulator],
    deploy_on_own: Callable[..., Deployment],
) -> None:
    emulator = make_emulator(20)
    deployment = deploy_on_own(emulator, SEGMENTS, **SLOW_STREAM)
    deployment.feed(_stream(6_000, seed=22))
    connector = _start_in_the_middle(deployment, emulator)
    with outage(own_broker):
        connector.process.send_signal(signal.SIGTERM)
        code, seconds = _end_of(connector)
    assert code == 0, connector.text()[-2000:]
    assert seconds < DRAIN + 2 * CLOSE + 1, (
        "the drain, two clients to close, and the process's own end"
    )
    assert deployment.run("--until-end").wait(90) == 0
    assert deployment.is_all_committed()
    deployment.verdict(emulator)


def _end_of(connector: Process) -> tuple[int, float]:
    """The exit code, and how long it took."""
    begun = time.monotonic()
    return connector.wait(60), time.monotonic() - begun


@pytest.mark.parametrize("answer", ["refused", "50000"])
def test_calls_go_on_soon_after_tiktok_is_back(
    answer: str,
    make_emulator: Callable[..., Emulator],
    deploy: Callable[..., Deployment],
) -> None:
    emulator = make_emulator(20)
    deployment = deploy(emulator, SEGMENTS, **SLOW_STREAM)
    deployment.feed(_stream(10_000, seed=23))
    connector = _start_in_the_middle(deployment, emulator)
    if answer == "refused":
        emulator.post("refuse", {"seconds": TIKTOK_OUTAGE})
        until(lambda: not emulator.answers(), 5, "the outage")
        until(emulator.answers, TIKTOK_OUTAGE + 5, "the outage's end")
    else:
        emulator.faults({"code": int(answer)})
        time.sleep(TIKTOK_OUTAGE)
    before = emulator.applied()
    if answer != "refused":
        emulator.clear_faults()

    assert seconds_until(lambda: emulator.applied() > before, 40, "a call") < SOON
    assert deployment.total("api_retries_total") > 0
    until(deployment.is_all_committed, 60, "everything to be delivered")
    assert connector.end() == 0
    deployment.verdict(emulator)


def test_nothing_is_committed_past_a_letter_that_cannot_be_written(
    make_emulator: Callable[..., Emulator], deploy: Callable[..., Deployment]
) -> None:
    emulator = make_emulator(1)
    deployment = deploy(emulator, ["vip"], partitions=1)

    def good(start: int) -> Iterator[Event]:
        return (entry("vip", n)._replace(partition=0) for n in range(start, start + 100))

    deployment.feed(good(0))
    connector = deployment.run()
    until(deployment.is_all_committed, 30, "the first records")
    deployment.cluster.delete_topic(deployment.dead_letters)
    deployment.feed([Event(0, b"k", b"not json")])
    deployment.feed(good(100))
    until(lambda: "dead letters cannot be written" in connector.text(), 40, "a word in the log")
    until(lambda: emulator.applied() == 200, 20, "the good records")

    assert deployment.committed() == {0: 100}
    assert deployment.total("dead_letters_total") == 0
    assert json.loads(deployment.get("/status")[1])["limits"]["pending_letters"] == 1
    assert deployment.get("/healthz")[0] == 200

    deployment.cluster.create_topic(deployment.dead_letters)
    until(deployment.is_all_committed, 60, "the letter to be written")
    assert connector.end() == 0
    deployment.verdict(emulator)


def test_replicas_that_join_and_die_during_slow_calls_leave_nothing_old_behind(
    make_emulator: Callable[..., Emulator], deploy: Callable[..., Deployment]
) -> None:
    emulator = make_emulator(20)
    emulator.faults({"endpoint": "segment/mapping", "delay": 3})
    overrides = {
        **SLOW_STREAM,
        "tiktok__request_timeout_seconds": 4,
        "kafka__session_timeout_seconds": 4,
        "delivery": {**SLOW_STREAM["delivery"], "drain_seconds": 5},
    }
    deployment = deploy(emulator, SEGMENTS, **overrides)
    events = _stream(20_000, seed=24)
    deployment.feed(itertools.islice(events, 5_000))

    def join() -> Process:
        deployment.feed(itertools.islice(events, 3_000))
        return deployment.run(environ={"CONNECTOR_ADMIN__PORT": str(free_port())})

    first = join()
    until(lambda: emulator.stats()["under_way"] > 0, 30, "calls under way")
    second = join()
    until(lambda: "partitions revoked" in first.text(), 20, "the second to join")
    third = join()
    until(lambda: emulator.stats()["under_way"] > 0, 30, "calls under way")
    first.end(signal.SIGKILL)
    deployment.feed(itertools.islice(events, 3_000))
    until(lambda: "partitions assigned" in second.text(), 30, "the second to get partitions")
    second.process.send_signal(signal.SIGTERM)
    last = join()
    assert second.wait(30) == 0
    deployment.feed(events)
    emulator.clear_faults()
    until(deployment.is_all_committed, 60, "everything to be delivered")
    assert third.end() == last.end() == 0
    deployment.verdict(emulator)
