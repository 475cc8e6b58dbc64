"""Rows that TikTok rejects, alone, in numbers and all of them: letters for bad rows, a halt for a bad audience."""

import json
import math
from collections.abc import Callable, Collection

from tests.end_to_end.deployment import FIRST_AUDIENCE, Deployment, Emulator, entry, until

ROWS = 1000


def _digest(number: int) -> str:
    return f"{number:064x}"


def _one_batch(
    emulator: Emulator, deploy: Callable[..., Deployment], bad: Collection[int]
) -> Deployment:
    """A thousand rows that go out in one call, of which these are poison; the model knows them as letters."""
    deployment = deploy(
        emulator,
        ["vip"],
        partitions=1,
        tiktok__rate_limit={"queries_per_second": 500},
        delivery={"max_rows": ROWS, "linger_seconds": 2},
    )
    emulator.faults({"endpoint": "segment/mapping", "poison": [_digest(one) for one in bad]})
    deployment.feed(
        entry("vip", number, _digest(number))._replace(partition=0) for number in range(ROWS)
    )
    if len(bad) < ROWS:
        members = deployment.model.audiences[str(FIRST_AUDIENCE)]["EMAIL_SHA256"]
        members -= {_digest(one) for one in bad}
        deployment.model.invalid |= {(0, one) for one in bad}
    return deployment


def _mapping_calls(emulator: Emulator) -> int:
    return sum(emulator.stats()["calls"]["by_endpoint"].get("segment/mapping", {}).values())


def test_one_poison_row_in_a_thousand_is_one_letter_and_few_calls(
    make_emulator: Callable[..., Emulator], deploy: Callable[..., Deployment]
) -> None:
    emulator = make_emulator(1, qps=0)
    deployment = _one_batch(emulator, deploy, {613})
    connector = deployment.run()
    until(deployment.is_all_committed, 30, "the batch to be resolved")

    assert emulator.stats()["rows"]["per_call"]["max"] == ROWS
    assert _mapping_calls(emulator) - 1 <= 2 * math.log2(ROWS) + 2
    assert deployment.total("changes_total", outcome="delivered") == ROWS - 1
    assert deployment.total("changes_total", outcome="dead_lettered") == 1
    (letter,) = deployment.letters()
    assert (letter["reason"], letter["stage"]) == ("rejected", "delivery")
    assert letter["change"]["row"] == {"EMAIL_SHA256": _digest(613)}
    assert letter["response"]["code"] == 40002
    assert letter["response"]["message"] == "batch_data: contains an id that cannot be processed"
    assert letter["response"]["request_id"]
    assert connector.end() == 0
    deployment.verdict(emulator)


def test_fifty_poison_rows_in_a_thousand_are_fifty_letters_and_no_halt(
    make_emulator: Callable[..., Emulator], deploy: Callable[..., Deployment]
) -> None:
    emulator = make_emulator(1, qps=0)
    deployment = _one_batch(emulator, deploy, range(7, ROWS, 20))
    connector = deployment.run()
    until(deployment.is_all_committed, 60, "the batch to be resolved")

    assert deployment.total("changes_total", outcome="delivered") == ROWS - 50
    assert len(deployment.letters()) == 50
    assert {one["response"]["code"] for one in deployment.letters()} == {40002}
    assert connector.end() == 0
    assert "audience halted" not in connector.text()
    deployment.verdict(emulator)


def test_a_thousand_poison_rows_halt_the_audience_and_write_no_letter(
    make_emulator: Callable[..., Emulator], deploy: Callable[..., Deployment]
) -> None:
    emulator = make_emulator(1, qps=0)
    deployment = _one_batch(emulator, deploy, range(ROWS))
    connector = deployment.run()
    until(lambda: deployment.total("audience_halted") == 1, 30, "the halt")
    lane = json.loads(deployment.get("/status")[1])["lanes"][0]

    assert (lane["state"], lane["reason"]) == ("halted", "rejects_everything")
    assert lane["pending"] + lane["in_flight"] > 0
    assert sum(deployment.committed().values()) == 0
    assert deployment.letters() == []

    emulator.clear_faults()
    until(deployment.is_all_committed, 40, "the audience to be tried again")
    assert deployment.total("audience_halted") == 0
    assert connector.end() == 0
    deployment.verdict(emulator)
