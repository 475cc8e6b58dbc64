"""Bulkheads: what one blocked audience may do, and at which bound it is stopped."""

import asyncio

import orjson
import pytest

from connector.core.model import Action
from connector.core.outcome import Response, Retryable, Scope
from connector.core.retry import State
from tests.delivery.rig import Rig, digests, run
from tests.fakes.tiktok import BAD_TOKEN, NO_AUDIENCE, OK, SERVER_ERROR, Call


async def halted(rig: Rig) -> None:
    """Let audience 1 be halted with one change pending."""
    rig.emea.answer = lambda audience, _: NO_AUDIENCE if audience == "1" else OK
    rig.put(1, digests(0, 1))
    await rig.until(lambda: rig.audience(1).gate.state is State.HALTED)


def rows_of(rig: Rig) -> list[bytes]:
    return [
        bytes.fromhex(orjson.loads(letter.value)["change"]["row"]["EMAIL_SHA256"])
        for letter in rig.letters.written
    ]


def test_an_audience_that_is_not_blocked_has_no_bound_of_its_own() -> None:
    async def scenario() -> None:
        rig = Rig(most_blocked=10, sets_aside=True)
        rig.put(1, digests(0, 500))
        pressure = rig.bulkheads.relieve()

        assert (pressure.pending, pressure.blocked, pressure.holding) == (500, 0, None)
        assert len(rig.audience(1).lane) == 500

    run(scenario())


def test_what_passes_the_bound_is_set_aside_the_oldest_first() -> None:
    async def scenario() -> None:
        rig = Rig(most_blocked=10, sets_aside=True)
        async with rig.running():
            await halted(rig)
            rig.put(1, digests(1, 6))
            rig.put(1, digests(7, 6), Action.DELETE)
            pressure = rig.bulkheads.relieve()
            await rig.until(lambda: len(rig.letters.written) == 3)

            assert rows_of(rig) == digests(0, 3)
            assert (pressure.blocked, pressure.holding) == (10, None)
            assert len(rig.audience(1).lane) == 10
            assert rig.ended("dead_lettered") == 3

    run(scenario())


def test_a_letter_of_a_blocked_audience_says_why_and_what() -> None:
    async def scenario() -> None:
        rig = Rig(most_blocked=1, sets_aside=True)
        async with rig.running():
            await halted(rig)
            rig.put(1, [(b"\x0a", b"\x0b")], Action.DELETE)
            rig.bulkheads.relieve()
            rig.bulkheads.relieve(keep=0)
            await rig.until(lambda: len(rig.letters.written) == 2)
        letter = rig.letters.written[1]
        value = orjson.loads(letter.value)

        assert dict(letter.headers)["connector.reason"] == b"blocked"
        assert (value["stage"], value["attempts"]) == ("delivery", 1)
        assert value["detail"] == "the audience is blocked: halted (audience_missing)"
        assert value["change"] == {
            "destination": "emea",
            "audience_id": "1",
            "action": "delete",
            "row": {"EMAIL_SHA256": "0a", "PHONE_SHA256": "0b"},
        }
        assert "response" not in value

    run(scenario())


def test_nothing_is_resolved_before_the_letter_is_acknowledged() -> None:
    async def scenario() -> None:
        rig = Rig(most_blocked=1, sets_aside=True)
        async with rig.running():
            await halted(rig)
            rig.letters.holding = True
            rig.bulkheads.relieve(keep=0)
            await asyncio.sleep(10.0)

            assert rig.committable() is None
            assert rig.backlog.pending == 1

    run(scenario())


def test_no_more_is_set_aside_than_letters_have_room_for() -> None:
    async def scenario() -> None:
        rig = Rig(most_blocked=10, sets_aside=True)
        async with rig.running():
            await halted(rig)
            rig.letters.holding = True
            rig.put(1, digests(1, 25_000))
            for _ in range(3):
                rig.bulkheads.relieve()
                await asyncio.sleep(0.1)

            assert len(rig.dead_letters) == 10_000
            assert len(rig.audience(1).lane) == 15_001

    run(scenario())


def test_a_row_set_aside_frees_its_identifiers_for_newer_changes() -> None:
    async def scenario() -> None:
        rig = Rig(linger=0.0, most_blocked=1, sets_aside=True)
        async with rig.running(probes=True):
            await halted(rig)
            rig.bulkheads.relieve(keep=0)
            rig.put(1, digests(0, 1), Action.DELETE)
            rig.put(1, digests(0, 2))
            rig.emea.answer = lambda _, __: OK
            await rig.idle()

        assert rig.members(1) == set(digests(0, 2))
        assert (rig.ended("dead_lettered"), rig.ended("superseded")) == (1, 1)

    run(scenario())


def test_rows_under_way_and_under_inquiry_stay() -> None:
    async def scenario() -> None:
        rig = Rig(linger=0.0, most_blocked=1, sets_aside=True)
        rig.emea.seconds = 5.0
        rig.put(1, digests(0, 100))
        async with rig.running():
            await rig.until(lambda: rig.audience(1).lane.calls == 1)
            rig.audience(1).gate.halt("audience_missing", float("inf"), 0.0)
            rig.dispatcher.touch([rig.audience(1)])
            rig.bulkheads.relieve(keep=0)

            assert len(rig.dead_letters) == 0
            await rig.idle()

        assert rig.members(1) == set(digests(0, 100))

    run(scenario())


def test_who_may_not_be_set_aside_holds_the_intake_until_half_of_it_is_gone() -> None:
    async def scenario() -> None:
        rig = Rig(most_blocked=10)
        async with rig.running():
            await halted(rig)
            rig.put(1, digests(1, 9))
            assert rig.bulkheads.relieve().holding is None

            rig.put(1, digests(10, 1))
            assert rig.bulkheads.relieve().holding is rig.audience(1)

            # A newer change of one user takes over what six older ones had.
            rig.put(1, [(one, None) for one in digests(0, 2)])
            rig.audience(1).lane.shed(4)
            assert rig.bulkheads.relieve().holding is rig.audience(1)

            rig.audience(1).lane.shed(2)
            assert rig.bulkheads.relieve().holding is None
            assert rig.letters.written == []

    run(scenario())


def test_a_try_under_way_does_not_let_the_intake_go() -> None:
    """Its rows are not in the lane meanwhile, and come back when it fails."""

    async def scenario() -> None:
        rig = Rig(most_blocked=10)
        async with rig.running():
            await halted(rig)
            rig.put(1, digests(1, 50))
            assert rig.bulkheads.relieve().holding is rig.audience(1)

            rig.emea.seconds = 5.0
            await rig.until(lambda: rig.audience(1).lane.calls == 1)
            assert len(rig.audience(1).lane) == 0
            assert rig.bulkheads.relieve().holding is rig.audience(1)

    run(scenario())


def test_a_mended_audience_holds_nothing() -> None:
    async def scenario() -> None:
        rig = Rig(most_blocked=10, qps=1.0)
        async with rig.running():
            await halted(rig)
            rig.put(1, digests(1, 5_000))
            assert rig.bulkheads.relieve().holding is rig.audience(1)

            rig.emea.answer = lambda _, __: OK
            await rig.until(lambda: rig.audience(1).gate.state is State.OPEN)
            pressure = rig.bulkheads.relieve()

            assert pressure.holding is None
            assert pressure.blocked == 0
            assert pressure.pending > 3_000

    run(scenario())


def test_a_halted_destination_blocks_all_its_audiences() -> None:
    async def scenario() -> None:
        rig = Rig(most_blocked=10, sets_aside=True)
        rig.emea.answer = lambda _, __: BAD_TOKEN
        rig.emea.token = BAD_TOKEN
        async with rig.running(probes=True):
            for audience in (1, 2, 3, 100):
                rig.put(audience, digests(0, 15))
            await asyncio.sleep(5.0)
            pressure = rig.bulkheads.relieve()

            assert pressure.blocked == 30
            assert rig.members(100) == set(digests(0, 15))
            assert len(rig.dead_letters) == 15

    run(scenario())


def test_a_hiccup_blocks_nobody_but_a_minute_without_an_accepted_call_does() -> None:
    async def scenario() -> None:
        rig = Rig(most_blocked=10, sets_aside=True, linger=0.0)
        rig.emea.answer = lambda audience, _: SERVER_ERROR if audience == "1" else OK
        rig.put(1, digests(0, 100))
        async with rig.running():
            await asyncio.sleep(50.0)
            assert rig.bulkheads.relieve().blocked == 0

            await rig.until(
                lambda: rig.bulkheads.relieve().blocked > 0 and len(rig.dead_letters) > 0, 30.0
            )
            rig.emea.answer = lambda _, __: OK
            await rig.idle()

        assert rig.members(1) == set(digests(90, 10))
        assert sorted(rows_of(rig)) == digests(0, 90)

    run(scenario())


@pytest.mark.parametrize("keep", [0, 10, 29])
def test_under_pressure_the_largest_gives_up_first(keep: int) -> None:
    async def scenario() -> None:
        rig = Rig(most_blocked=100, sets_aside=True)
        for number, rows in ((1, 5), (2, 20), (3, 5)):
            rig.put(number, digests(0, rows))
            rig.audience(number).gate.halt("audience_missing", float("inf"), 0.0)
        rig.dispatcher.touch(rig.backlog)

        assert rig.bulkheads.relieve(keep=keep).blocked == keep
        assert len(rig.audience(2).lane) == min(20, max(0, keep - 10))

    run(scenario())


def test_an_advertiser_held_back_holds_back_all_its_audiences() -> None:
    """40133 names the advertiser: its other audiences wait too, and another destination does not."""

    async def scenario() -> None:
        rig = Rig(qps=1000.0, linger=0.0)
        held = Retryable(
            "advertiser_rate_limited", Response("40133", 200, 40133), Scope.DESTINATION
        )
        rig.emea.answer = lambda _, __: held
        async with rig.running():
            rig.put(1, digests(0, 1))
            await rig.until(lambda: len(rig.emea.calls) == 1 and not rig.dispatcher.calls)
            until = rig.accounts["emea"].gate.opens_at
            rig.emea.answer = lambda _, __: OK
            for number in (1, 2, 3, 100):
                rig.put(number, digests(10, 1))
            await rig.idle()

        def times(calls: list[Call]) -> list[float]:
            return [call.at for call in calls]

        assert min(times(rig.emea.calls[1:])) >= until
        assert min(times(rig.apac.calls)) < until
        assert rig.accounts["emea"].gate.state is State.OPEN

    run(scenario())
