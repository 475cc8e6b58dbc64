"""Trouble stays where it is: a refused destination and a missing audience hold nobody else up, and mend by themselves."""

import itertools
import json
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from connector.sandbox.generator import Event, Traffic, generate, segment_names
from tests.end_to_end.deployment import (
    ADVERTISER,
    FIRST_AUDIENCE,
    TOKEN,
    Deployment,
    Emulator,
    seconds_until,
    until,
)

OTHER_ADVERTISER = "7000000000000000002"
OTHER_TOKEN = "other-token-0123456789abcdef"
NEW_TOKEN = "renewed-token-0123456789abcdef"


def _ids(numbers: Iterable[int]) -> set[str]:
    return {str(FIRST_AUDIENCE + number) for number in numbers}


def _two_destinations(
    folder: Path, emulator: Emulator, deploy: Callable[..., Deployment], each: int
) -> Deployment:
    """So many audiences of `emea`, and as many of `apac` after them."""
    emulator.post(
        "accounts",
        {
            "tokens": {OTHER_TOKEN: [OTHER_ADVERTISER]},
            "audiences": [
                {"advertiser_id": OTHER_ADVERTISER, "audience_id": one, "name": one}
                for one in sorted(_ids(range(each, 2 * each)))
            ],
        },
    )
    other_file = folder / "other-token"
    other_file.write_text(OTHER_TOKEN)
    segments = segment_names(2 * each)
    destinations = {
        "emea": (ADVERTISER, folder / "token"),
        "apac": (OTHER_ADVERTISER, other_file),
    }
    return deploy(
        emulator,
        segments,
        destinations=[
            {"name": name, "advertiser_id": advertiser, "access_token_file": str(file)}
            for name, (advertiser, file) in destinations.items()
        ],
        routes=[
            {
                "segment": segment,
                "destination": "emea" if number < each else "apac",
                "audience_id": str(FIRST_AUDIENCE + number),
            }
            for number, segment in enumerate(segments)
        ],
    )


def _lanes(deployment: Deployment) -> dict[str, dict[str, Any]]:
    lanes = json.loads(deployment.get("/status")[1])["lanes"]
    return {one["audience"]: one for one in lanes}


def _are_delivered(deployment: Deployment, audiences: set[str]) -> bool:
    """Whether all records are read, and nothing of these audiences waits."""
    if deployment.total("records_consumed_total") < sum(deployment.offsets):
        return False
    lanes = _lanes(deployment)
    return not any(lanes[one]["pending"] or lanes[one]["in_flight"] for one in audiences)


def test_a_token_revoked_in_the_middle_stops_its_destination_alone_until_its_file_changes(
    tmp_path: Path,
    make_emulator: Callable[..., Emulator],
    deploy: Callable[..., Deployment],
) -> None:
    emulator = make_emulator(5)
    deployment = _two_destinations(tmp_path, emulator, deploy, 5)
    ours, others = _ids(range(5)), _ids(range(5, 10))
    events = generate(Traffic(events=20_000, profiles=4_000, segments=10, seed=11))
    deployment.feed(itertools.islice(events, 8_000))
    connector = deployment.run()
    until(lambda: emulator.applied() > 0, 30, "a call")
    emulator.post("tokens", {"token": TOKEN, "action": "revoke"})
    deployment.feed(events)
    until(lambda: deployment.total("destination_halted", destination="emea") == 1, 20, "the halt")
    until(lambda: _are_delivered(deployment, others), 30, "the other destination's changes")

    assert deployment.differing(emulator).keys() <= ours
    assert deployment.differing(emulator), "nothing was held back"
    assert deployment.total("destination_halted", destination="emea") == 1
    assert deployment.total("destination_halted", destination="apac") == 0
    assert deployment.get("/readyz")[0] == 200
    assert deployment.total("dead_letters_total", reason="rejected") == 0

    emulator.post("accounts", {"tokens": {NEW_TOKEN: [ADVERTISER]}})
    before = emulator.applied()
    deployment.token_file.write_text(NEW_TOKEN)
    assert seconds_until(lambda: emulator.applied() > before, 20, "a call with the new token") < 5
    until(deployment.is_all_committed, 30, "everything to be delivered")
    assert deployment.total("destination_halted") == 0
    assert connector.end() == 0
    deployment.verdict(emulator)


def test_a_deleted_audience_is_halted_and_costs_the_other_nineteen_no_time(
    make_emulator: Callable[..., Emulator], deploy: Callable[..., Deployment]
) -> None:
    emulator = make_emulator(20)
    deployment = deploy(emulator, segment_names(20))
    deleted, others = str(FIRST_AUDIENCE + 2), _ids(range(20)) - {str(FIRST_AUDIENCE + 2)}
    events = generate(Traffic(events=40_000, profiles=8_000, seed=12))
    connector = deployment.run()
    until(lambda: deployment.get("/readyz")[0] == 200, 30, "readiness")

    def settle(some: list[Event], meanwhile: Callable[[], None]) -> float:
        """Feed the events, do something when the first third is there; seconds until the others have all."""
        begun = time.monotonic()
        deployment.feed(some[: len(some) // 3])
        meanwhile()
        deployment.feed(some[len(some) // 3 :])
        until(lambda: _are_delivered(deployment, others), 60, "the other audiences' changes")
        return time.monotonic() - begun

    undisturbed = settle(list(itertools.islice(events, 20_000)), lambda: None)
    until(deployment.is_all_committed, 30, "the first half to be delivered")
    change = {"audience_id": deleted, "action": "delete"}
    disturbed = settle(list(events), lambda: emulator.post("audiences", change))
    until(lambda: deployment.total("audience_halted", audience=deleted) == 1, 5, "the halt")

    assert disturbed < 2 * undisturbed + 2
    assert deployment.differing(emulator).keys() == {deleted}
    lanes = _lanes(deployment)
    assert (lanes[deleted]["state"], lanes[deleted]["reason"]) == ("halted", "audience_missing")
    assert lanes[deleted]["pending"] > 0
    assert {lanes[one]["state"] for one in others} == {"open"}
    assert deployment.total("audience_halted") == 1
    assert deployment.get("/readyz")[0] == 200

    emulator.post("audiences", {**change, "action": "restore"})
    until(deployment.is_all_committed, 40, "the audience to catch up")
    assert deployment.total("audience_halted") == 0
    assert connector.end() == 0
    deployment.verdict(emulator)
