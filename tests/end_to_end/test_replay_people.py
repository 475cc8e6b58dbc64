"""`connector dead-letters replay` on a real broker keeps to the rules about people as they are by then."""

import json
from collections.abc import Callable
from typing import Any

from connector.sandbox.generator import Event
from tests.end_to_end.deployment import Deployment, Emulator
from tests.end_to_end.test_replay import (
    AUDIENCE,
    configure,
    digest,
    event,
    read_digests_alone,
    read_plain,
    replay,
)
from tests.kafka_broker import Message

LISTED, OTHER, SILENT = ("1" * 64, "2" * 64, "3" * 64)


def entry(profile: str, **more: Any) -> Message:
    value = {"profile_id": profile, "status": "suppressed", **more}
    return Message(json.dumps(value).encode(), profile.encode())


def test_nobody_is_added_who_was_suppressed_or_has_not_consented(
    make_emulator: Callable[..., Emulator], deploy: Callable[..., Deployment]
) -> None:
    emulator = make_emulator(1)
    deployment = deploy(emulator, ["vip"], partitions=1)
    suppression = deployment.cluster.create_compacted_topic()
    emulator.faults({"endpoint": "segment/mapping", "poison": [LISTED, OTHER, SILENT]})

    def governed(tree: dict[str, Any]) -> None:
        read_plain(tree)
        tree["governance"] = {
            "suppression_topic": suppression,
            "require_consent": ["advertising"],
        }

    configure(deployment, read_digests_alone)
    given: dict[str, Any] = {"consent": {"advertising": True}}
    fed = [
        event(LISTED, profile_id="p-0"),
        event(OTHER, profile_id="p-1", **given),
        event(SILENT, profile_id="p-6"),
        event("suppressed@example.com", profile_id="p-2", **given),
        event("silent@example.com", profile_id="p-3"),
        event("willing@example.com", profile_id="p-4", **given),
        event("listed@example.com", profile_id="p-5", **given),
        *(event(f"{number:064x}", profile_id=f"p-{number}") for number in range(7, 30)),
    ]
    deployment.feed(Event(0, b"secret-key", value) for value in fed)
    assert deployment.run("--until-end").wait(60) == 0

    emulator.clear_faults()
    configure(deployment, governed)
    entries = [
        entry("p-2"),
        entry("of another", identities={"email": [LISTED, "listed@example.com"]}),
    ]
    deployment.cluster.produce(suppression, entries)
    before = emulator.members()[AUDIENCE]["EMAIL_SHA256"]
    planned = replay(deployment, "--dry-run")
    assert planned == {
        "dry_run": True,
        "chosen": 7,
        "sent": 4,
        "superseded": 1,  # its record says nothing of consent
        "suppressed": 1,
        "filtered": 1,
    }
    assert emulator.members()[AUDIENCE]["EMAIL_SHA256"] == before

    del planned["dry_run"]
    assert replay(deployment) == planned
    added = emulator.members()[AUDIENCE]["EMAIL_SHA256"] - before
    assert added == {OTHER, digest("willing@example.com")}
