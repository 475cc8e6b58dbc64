"""A deleted audience whose route sets its changes aside: the others go on, and a replay makes it whole again."""

import itertools
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

from connector.sandbox.generator import Event, Traffic, generate, segment_names
from tests.end_to_end.deployment import FIRST_AUDIENCE, Deployment, Emulator, until

DELETED = str(FIRST_AUDIENCE + 2)
AUDIENCES = 20
BOUND = 200


def _routes(segments: list[str]) -> list[dict[str, str]]:
    return [
        {
            "segment": segment,
            "destination": "emea",
            "audience_id": str(FIRST_AUDIENCE + number),
            "when_blocked": "dead_letter" if str(FIRST_AUDIENCE + number) == DELETED else "hold",
        }
        for number, segment in enumerate(segments)
    ]


def _replay(deployment: Deployment) -> dict[str, int]:
    command = (sys.executable, "-m", "connector", "dead-letters", "replay")
    options = ("--reason", "blocked", "--share", "0.4", "--output", "json")
    done = subprocess.run(
        [*command, *options, "--config", str(deployment.config)],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, int] = json.loads(done.stdout)
    return found


def _feed_by_and_by(deployment: Deployment, events: Iterator[Event]) -> None:
    while some := list(itertools.islice(events, 500)):
        deployment.feed(some)


def test_a_deleted_audiences_changes_are_set_aside_and_a_replay_beside_newer_changes_makes_it_equal(
    make_emulator: Callable[..., Emulator], deploy: Callable[..., Deployment]
) -> None:
    emulator = make_emulator(AUDIENCES)
    segments = segment_names(AUDIENCES)
    deployment = deploy(
        emulator,
        segments,
        routes=_routes(segments),
        delivery__max_pending_rows_per_audience=BOUND,
        # The service and the replay share the app's allowance.
        tiktok__rate_limit={"queries_per_second": 50, "share": 0.6},
    )
    events = generate(Traffic(events=40_000, profiles=8_000, seed=13))
    deployment.feed(itertools.islice(events, 10_000))
    connector = deployment.run()
    until(deployment.is_all_committed, 40, "the first changes")

    emulator.post("audiences", {"audience_id": DELETED, "action": "delete"})
    deployment.feed(itertools.islice(events, 20_000))
    until(lambda: deployment.total("audience_halted", audience=DELETED) == 1, 20, "the halt")
    until(lambda: deployment.differing(emulator).keys() == {DELETED}, 60, "the nineteen others")
    until(lambda: deployment.total("pending_rows") <= BOUND, 30, "the letters")
    assert deployment.total("consumer_paused_partitions") == 0
    assert deployment.total("dead_letters_total", reason="blocked") > 0

    emulator.post("audiences", {"audience_id": DELETED, "action": "restore"})
    until(lambda: deployment.total("audience_halted") == 0, 40, "the audience's return")
    trickle = threading.Thread(target=_feed_by_and_by, args=(deployment, events))
    trickle.start()
    replayed = _replay(deployment)
    trickle.join()
    until(deployment.is_all_committed, 40, "everything to be delivered")
    assert connector.end() == 0

    assert replayed["sent"] > 0
    assert replayed["superseded"] > 0
    assert deployment.differing(emulator) == {}
