"""What a person refused never happens at TikTok: suppression and consent, on the real broker and under kills."""

import json
import signal
import time
from collections.abc import Callable, Iterable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from connector.sandbox.generator import Event
from tests.end_to_end.deployment import (
    FIRST_AUDIENCE,
    Deployment,
    Emulator,
    entry,
    free_port,
    seconds_until,
    until,
)
from tests.kafka_broker import Cluster, Message

REQUEST_TIMEOUT = 5
LINGER = 0.3
SEGMENTS = ["one", "two", "three"]
AUDIENCES = [str(FIRST_AUDIENCE + number) for number in range(len(SEGMENTS))]


def digest(number: int) -> str:
    return sha256(f"person-{number}@example.com".encode()).hexdigest()


def suppression(number: int, status: str = "suppressed") -> Message:
    value = {
        "profile_id": f"p-{number}",
        "status": status,
        "identities": {"email": f"person-{number}@example.com"},
    }
    return Message(json.dumps(value).encode(), b"p-%d" % number, partition=number % 2)


def with_consent(number: int, segment: str, consent: Any) -> Event:
    partition, key, value = entry(segment, number)
    assert value is not None
    return Event(partition, key, json.dumps({**json.loads(value), "consent": consent}).encode())


def emails(emulator: Emulator) -> dict[str, set[str]]:
    return {name: types.get("EMAIL_SHA256", set()) for name, types in emulator.members().items()}


@pytest.fixture
def suppression_topic(broker: Cluster) -> str:
    return broker.create_topic(partitions=2, config={"cleanup.policy": "compact"})


@pytest.fixture
def deployment(
    make_emulator: Callable[..., Emulator],
    deploy: Callable[..., Deployment],
    suppression_topic: str,
) -> tuple[Emulator, Deployment]:
    emulator = make_emulator(len(SEGMENTS))
    made = deploy(emulator, SEGMENTS, governance={"suppression_topic": suppression_topic})
    return emulator, made


def people(deployment: Deployment) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(deployment.get("/status")[1])["people"]
    return found


def feed(deployment: Deployment, numbers: Iterable[int]) -> None:
    deployment.feed(entry(segment, number) for number in numbers for segment in SEGMENTS)


def is_settled(deployment: Deployment, topic: str) -> bool:
    """Whether every event and every entry is done, the second round of deletes included."""
    ends = deployment.cluster.end_offsets(topic)
    committed = deployment.cluster.committed(deployment.group, topic)
    return deployment.is_all_committed() and committed == ends


def test_in_the_calm_case_deletes_reach_tiktok_within_two_seconds(
    deployment: tuple[Emulator, Deployment], suppression_topic: str
) -> None:
    emulator, deployed = deployment
    connector = deployed.run()
    feed(deployed, range(200))
    until(deployed.is_all_committed, 30, "everything to be delivered")
    assert all(len(some) == 200 for some in emails(emulator).values())

    refused = {digest(number) for number in range(50)}
    deployed.cluster.produce(suppression_topic, [suppression(number) for number in range(50)])
    took = seconds_until(
        lambda: not any(refused & some for some in emails(emulator).values()),
        10,
        "the deletes",
    )
    assert took < 2.0 + LINGER
    # The deletes are the group's; the list is followed beside it, and may know an entry a moment later.
    until(lambda: people(deployed)["suppressed"] == 50, 5, "the list")
    assert people(deployed)["pending_erasures"] > 0
    assert deployed.total("erasure_oldest_pending_timestamp_seconds") > time.time() - 60
    until(lambda: is_settled(deployed, suppression_topic), 30, "the second round")
    assert deployed.total("suppression_entries", status="suppressed") == 50
    assert deployed.total("changes_total", topic=suppression_topic, outcome="delivered") == 300

    # A restart knows them still, and sends nothing again.
    assert connector.end() == 0
    before = emulator.applied()
    connector = deployed.run()
    feed(deployed, range(10))
    feed(deployed, range(300, 310))
    until(deployed.is_all_committed, 30, "the events after the restart")
    assert all(digest(300) in some for some in emails(emulator).values())
    assert not any(refused & some for some in emails(emulator).values())
    assert deployed.total("additions_blocked_total", reason="suppressed") == 30
    assert deployed.total("records_consumed_total", topic=suppression_topic) == 0
    assert emulator.applied() - before == 60, "ten exits and ten entries, for three audiences"
    assert connector.end() == 0


def test_no_suppressed_identifier_is_left_after_a_busy_stream_slow_calls_and_a_kill(
    tmp_path: Path, deployment: tuple[Emulator, Deployment], suppression_topic: str
) -> None:
    emulator, deployed = deployment
    emulator.faults(
        {"delay": 2.0, "action": "add", "probability": 0.3, "count": None},
        {"timeout": 7.0, "applied": "late", "action": "add", "count": 4, "start_seconds": 3.0},
    )
    first = deployed.run()
    second = deployed.run(environ={"CONNECTOR_ADMIN__PORT": str(free_port())})
    until(lambda: deployed.get("/readyz")[0] == 200, 30, "the first replica")
    refused: set[int] = set()
    for wave in range(8):
        feed(deployed, range(wave * 150, wave * 150 + 300))
        some = set(range(wave * 150 + 50, wave * 150 + 100))
        deployed.cluster.produce(suppression_topic, [suppression(number) for number in some])
        refused |= some
        time.sleep(0.5)
        if wave == 3:
            second.process.send_signal(signal.SIGKILL)
            second.process.wait()
            second = deployed.run(environ={"CONNECTOR_ADMIN__PORT": str(free_port())})
        if wave == 5:
            first.process.send_signal(signal.SIGKILL)
            first.process.wait()
            first = deployed.run()
    feed(deployed, refused)  # who refused is named again afterwards
    until(lambda: is_settled(deployed, suppression_topic), 90, "everything, twice")
    time.sleep(1.0)

    wanted = {digest(number) for number in range(1350)} - {digest(number) for number in refused}
    for audience, members in emails(emulator).items():
        assert not members & {digest(number) for number in refused}, audience
        assert members == wanted, audience
    assert not deployed.letters()
    assert first.end() == 0
    assert second.end() == 0
    for log in tmp_path.glob("connector-*.log"):
        text = log.read_text()
        assert "person-" not in text
        assert "p-5" not in text


def test_whoever_is_released_may_be_added_again(
    deployment: tuple[Emulator, Deployment], suppression_topic: str
) -> None:
    emulator, deployed = deployment
    deployed.cluster.produce(suppression_topic, [suppression(1), suppression(2, "erased")])
    connector = deployed.run()
    feed(deployed, range(4))
    until(lambda: is_settled(deployed, suppression_topic), 40, "the events and the second round")
    assert all(some == {digest(0), digest(3)} for some in emails(emulator).values())

    deployed.cluster.produce(suppression_topic, [suppression(2, "released")])
    until(lambda: deployed.total("suppression_entries", status="erased") == 0, 10, "the release")
    feed(deployed, range(4))
    until(lambda: is_settled(deployed, suppression_topic), 40, "the events after the release")
    assert all(some == {digest(0), digest(2), digest(3)} for some in emails(emulator).values())
    assert connector.end() == 0


def test_consent_withdrawn_and_given_again_is_followed(
    make_emulator: Callable[..., Emulator], deploy: Callable[..., Deployment]
) -> None:
    emulator = make_emulator(len(SEGMENTS))
    deployed = deploy(emulator, SEGMENTS, governance={"require_consent": ["advertising"]})
    connector = deployed.run()
    yes, no = {"advertising": True}, {"advertising": False}
    for consents, members in (
        ((yes, no, None, "true"), {0}),
        ((no, yes, yes, {"analytics": True}), {1, 2}),
        ((yes, yes, no, {"advertising": 1}), {0, 1}),
    ):
        deployed.cluster.produce(
            deployed.topic,
            (
                Message(event.value, event.key, partition=event.partition)
                for number, consent in enumerate(consents)
                for segment in SEGMENTS
                for event in (with_consent(number, segment, consent),)
            ),
        )
        deployed.offsets = list(deployed.cluster.end_offsets(deployed.topic).values())
        until(deployed.is_all_committed, 30, "the events")
        wanted = {digest(number) for number in members}
        assert all(some == wanted for some in emails(emulator).values())
    assert deployed.total("additions_blocked_total", reason="no_consent") == 7 * len(SEGMENTS)
    assert connector.end() == 0
