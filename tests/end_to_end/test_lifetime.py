"""Starting, readiness, halting and mending, stopping: what an operator sees."""

import json
import signal
import time
from collections.abc import Callable

import pytest

from connector.sandbox.generator import Event, Traffic, generate, segment_names
from tests.end_to_end.deployment import TOKEN, Deployment, Emulator, free_port, until


def _entry(segment: str, number: int) -> Event:
    event = {
        "profile_id": f"p-{number}",
        "segment": segment,
        "status": "entered",
        "identities": {"email": f"person-{number}@example.com"},
    }
    return Event(number % 4, b"p-%d" % number, json.dumps(event).encode())


def test_a_refused_token_is_not_ready_with_a_reason_and_a_mended_file_is_ready(
    make_emulator: Callable[..., Emulator], deploy: Callable[..., Deployment]
) -> None:
    emulator = make_emulator(1)
    deployment = deploy(emulator, ["vip"])
    deployment.token_file.write_text("a-wrong-token")
    deployment.feed([_entry("vip", 1)])
    connector = deployment.run()
    until(lambda: "emea" in deployment.get("/readyz")[1], 30, "the destination's trouble")
    status, text = deployment.get("/readyz")

    assert status == 503
    assert "token_refused" in text
    assert deployment.get("/healthz")[0] == 200
    assert deployment.total("destination_halted", destination="emea") == 1
    lane = json.loads(deployment.get("/status")[1])["lanes"][0]
    assert (lane["state"], lane["reason"]) == ("halted", "token_refused")

    deployment.token_file.write_text(TOKEN)
    until(lambda: deployment.get("/readyz")[0] == 200, 10, "readiness")
    until(deployment.is_all_committed, 20, "the change to be delivered")
    assert deployment.total("destination_halted", destination="emea") == 0
    assert connector.end() == 0
    deployment.verdict(emulator)


def test_an_unreachable_tiktok_loses_nothing_and_is_not_ready(
    make_emulator: Callable[..., Emulator], deploy_at: Callable[..., Deployment]
) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}/open_api/v1.3"
    deployment = deploy_at(url, ["vip"])
    deployment.feed(_entry("vip", number) for number in range(500))
    connector = deployment.run()
    until(lambda: "connection" in deployment.get("/readyz")[1], 30, "the destination's trouble")
    assert deployment.get("/readyz")[0] == 503

    emulator = make_emulator(1, port=port)
    until(deployment.is_all_committed, 40, "everything to be delivered")
    until(lambda: deployment.get("/readyz")[0] == 200, 40, "readiness")
    assert connector.end() == 0
    deployment.verdict(emulator)


def test_a_missing_audience_halts_alone_and_comes_back(
    make_emulator: Callable[..., Emulator], deploy: Callable[..., Deployment]
) -> None:
    emulator = make_emulator(2)
    deployment = deploy(emulator, ["one", "two"])
    missing = "7100000000000000001"
    emulator.post("audiences", {"audience_id": missing, "action": "delete", "members": "keep"})
    connector = deployment.run()
    deployment.feed(_entry(segment, n) for n in range(200) for segment in ("one", "two"))
    until(lambda: deployment.total("audience_halted", audience=missing) == 1, 30, "the halt")
    until(
        lambda: deployment.total("changes_total", outcome="delivered") == 200, 30, "the other one"
    )
    assert deployment.get("/readyz")[0] == 200
    assert "audience halted" in connector.text()

    emulator.post("audiences", {"audience_id": missing, "action": "restore", "members": "keep"})
    until(deployment.is_all_committed, 60, "the audience to catch up")
    assert deployment.total("audience_halted", audience=missing) == 0
    assert deployment.letters() == []
    assert connector.end() == 0
    deployment.verdict(emulator)


@pytest.mark.paced
def test_two_replicas_share_and_one_that_leaves_hands_over(
    make_emulator: Callable[..., Emulator], deploy: Callable[..., Deployment]
) -> None:
    emulator = make_emulator(20, qps=50)
    segments = segment_names(20)
    deployment = deploy(emulator, segments)
    events = list(generate(Traffic(events=40_000, profiles=8_000, seed=5)))
    deployment.feed(events[:10_000])
    first = deployment.run()
    until(lambda: deployment.total("changes_total", outcome="delivered") > 0, 30, "a delivery")
    second = deployment.run(environ={"CONNECTOR_ADMIN__PORT": str(free_port())})
    deployment.feed(events[10_000:20_000])
    until(lambda: deployment.total("consumer_assigned_partitions") == 2, 40, "a rebalance")
    assert deployment.total("rate_limit_share_calls_per_second") == 25
    deployment.feed(events[20_000:30_000])
    assert second.end() == 0
    deployment.feed(events[30_000:])
    until(lambda: deployment.total("consumer_assigned_partitions") == 4, 40, "a rebalance")
    until(deployment.is_all_committed, 60, "everything to be delivered")
    assert first.end() == 0
    deployment.verdict(emulator)
    assert emulator.stats()["rate"]["max_calendar_second"] <= 50


def test_kafka_that_cannot_be_reached_is_said_and_ends_with_1(
    make_emulator: Callable[..., Emulator], deploy: Callable[..., Deployment]
) -> None:
    emulator = make_emulator(1)
    port = free_port()
    deployment = deploy(
        emulator,
        ["vip"],
        kafka__bootstrap_servers=f"127.0.0.1:{port}",
        kafka__startup_timeout_seconds=3,
    )
    connector = deployment.run()

    assert connector.wait(20) == 1
    assert "waiting for kafka" in connector.text()
    last = connector.text().splitlines()[-1]
    assert last.startswith(f"connector: Kafka cannot be reached at 127.0.0.1:{port}")
    assert "Traceback" not in connector.text()


def test_a_missing_topic_is_named_and_waited_for(
    make_emulator: Callable[..., Emulator], deploy: Callable[..., Deployment]
) -> None:
    emulator = make_emulator(1)
    late = f"late-{free_port()}-{time.monotonic_ns()}"
    deployment = deploy(
        emulator,
        ["vip"],
        kafka__dead_letter_topic=late,
        kafka__startup_timeout_seconds=4,
    )
    connector = deployment.run()
    assert connector.wait(20) == 1
    assert f"Kafka has no topic {late}" in connector.text().splitlines()[-1]

    connector = deployment.run()
    until(lambda: "waiting for kafka" in connector.text(), 20, "the connector to wait")
    deployment.cluster.create_topic(late)
    until(lambda: deployment.get("/readyz")[0] == 200, 20, "readiness")
    assert connector.end() == 0


def test_a_signal_while_waiting_for_kafka_ends_with_0(
    make_emulator: Callable[..., Emulator], deploy: Callable[..., Deployment]
) -> None:
    emulator = make_emulator(1)
    deployment = deploy(
        emulator,
        ["vip"],
        kafka__bootstrap_servers=f"127.0.0.1:{free_port()}",
    )
    connector = deployment.run()
    until(lambda: "waiting for kafka" in connector.text(), 20, "the connector to wait")
    assert deployment.get("/readyz")[0] == 503

    assert connector.end(seconds=10) == 0


def test_a_second_signal_stops_at_once_and_nothing_is_lost(
    make_emulator: Callable[..., Emulator], deploy: Callable[..., Deployment]
) -> None:
    emulator = make_emulator(1)
    deployment = deploy(
        emulator, ["vip"], tiktok__request_timeout_seconds=25, delivery={"drain_seconds": 30}
    )
    emulator.faults({"endpoint": "segment/mapping", "delay": 20, "count": 1})
    deployment.feed(_entry("vip", number) for number in range(100))
    connector = deployment.run()
    until(lambda: emulator.stats()["under_way"] > 0, 30, "a call under way")
    connector.process.send_signal(signal.SIGTERM)
    until(lambda: "stopping" in connector.text(), 10, "the drain to begin")
    begun = time.monotonic()

    assert connector.end(signal.SIGINT, 10) == 1
    assert time.monotonic() - begun < 8
    assert sum(deployment.committed().values()) == 0
    assert deployment.run("--until-end").wait(60) == 0
    deployment.verdict(emulator)


def test_a_wrong_configuration_ends_with_2_and_names_all_that_is_wrong(
    make_emulator: Callable[..., Emulator], deploy: Callable[..., Deployment]
) -> None:
    emulator = make_emulator(1)
    deployment = deploy(emulator, ["vip"], delivery={"max_rowz": 1, "max_rows": 20_000})
    connector = deployment.run()

    assert connector.wait(20) == 2
    assert "delivery.max_rowz" in connector.text()
    assert "max_rows" in connector.text()
    assert "Traceback" not in connector.text()


def test_each_line_of_the_log_is_one_json_object(
    make_emulator: Callable[..., Emulator], deploy: Callable[..., Deployment]
) -> None:
    emulator = make_emulator(1)
    deployment = deploy(emulator, ["vip"], log={"level": "debug"})
    deployment.feed([_entry("vip", 1), Event(0, b"k", b"bad")])
    connector = deployment.run("--until-end")
    assert connector.wait(60) == 0
    lines = [json.loads(line) for line in connector.text().splitlines()]

    assert all(isinstance(line, dict) and "event" in line and "level" in line for line in lines)
