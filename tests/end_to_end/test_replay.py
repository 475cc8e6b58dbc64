"""`connector dead-letters` on a real broker: what is listed, what is sent again, and what must not be."""

import asyncio
import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import yaml

from connector.core.letter import Origin, delivery_letter
from connector.core.model import Partition
from connector.replay.run import Replay, Request
from connector.replay.summary import Fate, Summary
from connector.sandbox.generator import Event
from connector.settings.credentials import resolve_secrets
from connector.settings.load import load
from tests.end_to_end.deployment import (
    FIRST_AUDIENCE,
    TOKEN,
    Deployment,
    Emulator,
    Process,
    until,
)
from tests.kafka_broker import Message

AUDIENCE = str(FIRST_AUDIENCE)
COMMAND = (sys.executable, "-m", "connector", "dead-letters")
POISON = "1" * 64
PADDING = "x" * 700_000

Result = subprocess.CompletedProcess[str]


def event(email: str | None, status: str = "entered", **more: Any) -> bytes:
    identities = more.pop("identities", {"email": email})
    value = {"profile_id": "p-1", "segment": "vip", "status": status, "identities": identities}
    return json.dumps({**value, **more}).encode()


def digest(email: str) -> str:
    return hashlib.sha256(email.encode()).hexdigest()


def letters(deployment: Deployment, *options: str, expect: int = 0) -> Result:
    done = subprocess.run(
        [*COMMAND, *options, "--config", str(deployment.config)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == expect, done.stdout + done.stderr
    for output in (done.stdout, done.stderr):
        assert "@" not in output
        assert PADDING[:100] not in output
        assert TOKEN not in output
        assert "1111111111" not in output
        assert "secret-key" not in output
        assert "Traceback" not in output
    return done


def replay(deployment: Deployment, *options: str, expect: int = 0) -> dict[str, int]:
    output = letters(
        deployment, "replay", *options, "--share", "1", "--output", "json", expect=expect
    )
    counts: dict[str, int] = json.loads(output.stdout)
    return {name: count for name, count in counts.items() if count}


def configure(deployment: Deployment, change: Callable[[dict[str, Any]], None]) -> None:
    tree = yaml.safe_load(deployment.config.read_text())
    change(tree)
    deployment.config.write_text(yaml.safe_dump(tree))


def read_plain(tree: dict[str, Any]) -> None:
    tree["identities"][0].pop("transformation", None)


def read_digests_alone(tree: dict[str, Any]) -> None:
    tree["identities"][0]["transformation"] = "never"


def test_letters_are_listed_and_sent_again(
    make_emulator: Callable[..., Emulator], deploy: Callable[..., Deployment]
) -> None:
    emulator = make_emulator(1)
    deployment = deploy(emulator, ["vip"], partitions=1)
    assert letters(deployment, "list").stdout == f"{deployment.dead_letters} holds no letters\n"

    configure(deployment, read_digests_alone)
    emulator.faults({"endpoint": "segment/mapping", "poison": [POISON, "2" * 64]})
    fed = [
        b"not json, jane@example.com",
        event("a@example.com"),  # no usable identity, as long as plain values are refused
        event("b@example.com", padding=PADDING),  # likewise, and too large for its letter
        event("c@example.com"),
        event(POISON),
        event("2" * 64),
        *(event(f"{number:064x}") for number in range(20)),
    ]
    deployment.feed(Event(0, b"secret-key", value) for value in fed)
    assert deployment.run("--until-end").wait(60) == 0
    deployment.cluster.produce(
        deployment.dead_letters, [Message(b"nobody's letter", b"secret-key")]
    )

    listed = letters(deployment, "list").stdout
    assert f"{deployment.dead_letters}: 6 letters" in listed
    topic = deployment.topic
    assert f"reason=no_usable_identity stage=identity topic={topic} letters=3" in listed
    assert f"destination=emea audience={AUDIENCE} code=40002 letters=2" in listed
    assert f"source={topic}:0:0" in listed
    assert "unparsable 1" in listed
    document = json.loads(
        letters(deployment, "list", "--output", "json", "--reason", "rejected").stdout
    )
    assert (document["letters"], document["most_attempts"]) == (2, 1)
    assert len(document["samples"]["rejected"]) == 2
    assert "holds no letters that are meant" in letters(deployment, "list", "--since", "0s").stdout

    # What TikTok and the configuration refuse no more is sent; what was changed meanwhile is not.
    configure(deployment, read_plain)
    emulator.clear_faults()
    deployment.feed(
        [
            Event(0, b"k", event("2" * 64, "exited")),
            Event(0, b"k", event("c@example.com", "exited")),
        ]
    )
    assert deployment.run("--until-end").wait(60) == 0

    applied, written = emulator.applied(), len_of(deployment)
    planned = replay(deployment, "--dry-run")
    assert planned == {
        "dry_run": True,
        "chosen": 6,
        "sent": 3,
        "superseded": 2,
        "failed_again": 1,
        "unparsable": 1,
    }
    assert (emulator.applied(), len_of(deployment)) == (applied, written)

    committed = deployment.committed()
    del planned["dry_run"]
    assert replay(deployment) == planned
    members = emulator.members()[AUDIENCE]["EMAIL_SHA256"]
    assert {POISON, digest("a@example.com"), digest("b@example.com")} <= members
    assert not {"2" * 64, digest("c@example.com")} & members
    assert not deployment.differing(emulator)
    assert emulator.applied() == applied + 3
    assert deployment.committed() == committed
    again = read_letters(deployment)[-1]
    assert (again["reason"], again["attempts"], again["source"]["offset"]) == (
        "malformed_json",
        2,
        0,
    )

    # Once more is harmless; with the records gone, it is said how to do it all the same.
    deployment.cluster.delete_records(deployment.topic, before=6)
    assert replay(deployment, "--reason", "rejected,no_usable_identity") == {
        "chosen": 5,
        "past_retention": 5,
        "unparsable": 1,
    }
    assert "--yes includes them" in letters(deployment, "replay", "--reason", "rejected").stdout
    assert replay(deployment, "--reason", "rejected", "--yes") == {
        "chosen": 2,
        "sent": 1,
        "superseded": 1,
        "unparsable": 1,
    }
    assert not deployment.differing(emulator)


def test_beside_the_running_service_the_newest_change_stands(
    make_emulator: Callable[..., Emulator], deploy: Callable[..., Deployment]
) -> None:
    emulator = make_emulator(1)
    deployment = deploy(emulator, ["vip"], partitions=1)
    people = [f"{number:064x}" for number in range(1, 31)]
    emulator.faults({"endpoint": "segment/mapping", "poison": people})
    deployment.feed(Event(0, b"k", event(one)) for one in people)
    deployment.feed(Event(0, b"k", event(f"{number:064x}")) for number in range(100, 200))
    service = deployment.run()
    until(lambda: len_of(deployment) == len(people), 60, "all letters")
    emulator.clear_faults()
    emulator.faults({"endpoint": "segment/mapping", "delay": 1.5, "count": 3})

    # Half of them leave while the replay's calls are under way, and the service says so to TikTok at once.
    running = subprocess.Popen(
        [
            *COMMAND,
            "replay",
            "--share",
            "1",
            "--output",
            "json",
            "--config",
            str(deployment.config),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    until(lambda: under_way(emulator), 30, "a call of the replay")
    deployment.feed(Event(0, b"k", event(one, "exited")) for one in people[::2])
    output, _ = running.communicate(timeout=60)
    assert running.returncode == 0
    until(deployment.is_all_committed, 30, "everything to be committed")

    assert json.loads(output)["sent"] + json.loads(output)["superseded"] == len(people)
    assert not deployment.differing(emulator)
    assert service.end() == 0, service.text()[-3000:]


def test_what_is_halted_is_left_and_a_signal_ends_it(
    make_emulator: Callable[..., Emulator], deploy: Callable[..., Deployment]
) -> None:
    emulator = make_emulator(1)
    deployment = deploy(emulator, ["vip"], partitions=1)
    deployment.feed([Event(0, b"k", event(POISON))])
    change = {
        "destination": "emea",
        "audience_id": AUDIENCE,
        "action": "add",
        "row": {"EMAIL_SHA256": POISON},
    }
    origin = Origin(Partition(deployment.topic, 0), 0, 5, b"k")
    letter = delivery_letter(origin, "rejected", "why", change, None, 1_800_000_000.0)
    deployment.cluster.produce(
        deployment.dead_letters, [Message(letter.value, b"k", letter.headers)]
    )
    emulator.faults({"endpoint": "*", "code": 40105})

    settings = load(deployment.config, {})
    request = Request(share=1.0, stuck_seconds=1.0)

    async def stuck() -> Summary:
        return await Replay(settings, resolve_secrets(settings, {}), request).run()

    summary = asyncio.run(stuck())
    assert summary.is_stuck
    assert summary.fates[Fate.LEFT] == summary.chosen == 1

    log = deployment.folder / "replay.log"
    options = ("dead-letters", "replay", "--share", "1", "--config", str(deployment.config))
    halted = Process(log, *options)
    until(lambda: "destination halted" in halted.text(), 30, "the halt")
    assert halted.end() == 0
    assert "left 1\n" in halted.text()
    assert len_of(deployment) == 1


def under_way(emulator: Emulator) -> bool:
    return int(emulator.stats()["under_way"]) > 0


def len_of(deployment: Deployment) -> int:
    return sum(deployment.cluster.end_offsets(deployment.dead_letters).values())


def read_letters(deployment: Deployment) -> list[dict[str, Any]]:
    found = deployment.cluster.read(deployment.dead_letters, len_of(deployment))
    return [json.loads(one.value or b"") for one in found if one.value != b"nobody's letter"]
