"""An operator's pause on a real broker: it holds through rebalances, no record slips through, and nothing is lost."""

import itertools
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from connector.sandbox.generator import Traffic, generate, segment_names
from tests.end_to_end.deployment import Deployment, Emulator, free_port, get, until

TOKEN, NEW_TOKEN = "a-token-that-may-operate", "a-newer-one-that-may-too"


def ask(port: int, path: str, token: str = TOKEN, method: str = "GET") -> tuple[int, Any]:
    """The HTTP status and the JSON that this token is answered."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}",
        method=method,
        headers={"Authorization": f"Bearer {token}"},
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def operate(port: int, operation: str) -> Any:
    return ask(port, f"/{operation}", method="POST")[1]["outcome"]


def status(port: int) -> Any:
    return ask(port, "/status")[1]


def test_a_pause_holds_through_rebalances_and_what_came_meanwhile_is_delivered_after_it(
    tmp_path: Path, make_emulator: Callable[..., Emulator], deploy: Callable[..., Deployment]
) -> None:
    token_file = tmp_path / "operate"
    token_file.write_text(TOKEN)
    tokens = [{"name": "on-call", "role": "operate", "token_file": str(token_file)}]
    emulator = make_emulator(5)
    deployment = deploy(emulator, segment_names(5), admin__tokens=tokens)
    events = generate(Traffic(events=9_000, profiles=2_000, segments=5, seed=7))
    first, second = deployment.admin_port, free_port()
    connector = deployment.run()
    deployment.feed(itertools.islice(events, 3_000))
    until(deployment.is_all_committed, 30, "the first events")

    assert operate(first, "pause") == "done"
    assert operate(first, "pause") == "unchanged"
    read = deployment.total("records_consumed_total")
    waiting = deployment.feed(itertools.islice(events, 3_000))
    until(lambda: sum(one["lag"] for one in status(first)["partitions"]) == waiting, 15, "the lag")

    # Another replica takes some of the partitions, and reads those: it was not paused.
    other = deployment.run(environ={"CONNECTOR_ADMIN__PORT": str(second)})
    until(lambda: get(f"http://127.0.0.1:{second}/readyz")[0] == 200, 30, "the other replica")
    until(lambda: len(status(first)["partitions"]) == 2, 30, "a rebalance")
    theirs = [one["partition"] for one in status(second)["partitions"]]
    until(
        lambda: all(deployment.committed().get(n) == deployment.offsets[n] for n in theirs),
        30,
        "the other replica's partitions",
    )
    assert all(one["paused"] for one in status(first)["partitions"])
    assert other.end() == 0

    until(lambda: len(status(first)["partitions"]) == 4, 30, "all partitions again")
    deployment.feed(events)
    time.sleep(3.0)  # several polls
    seen = status(first)
    assert seen["intake"]["reasons"] == ["operator"]
    assert seen["intake"]["by"] == "on-call"
    assert deployment.total("records_consumed_total") == read
    assert deployment.get("/healthz")[0] == deployment.get("/readyz")[0] == 200

    # A token that was renewed is known without a restart, and the old one is not any more.
    token_file.write_text(NEW_TOKEN)
    until(lambda: ask(first, "/status", NEW_TOKEN)[0] == 200, 10, "the new token")
    assert ask(first, "/status")[0] == 401
    token_file.write_text(TOKEN)
    until(lambda: ask(first, "/status")[0] == 200, 10, "the old token again")

    assert operate(first, "resume") == "done"
    assert operate(first, "flush") == "done"
    until(deployment.is_all_committed, 40, "everything to be delivered")
    assert connector.end() == 0
    deployment.verdict(emulator)
