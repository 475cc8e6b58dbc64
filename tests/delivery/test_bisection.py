"""A rejected batch: only its bad rows are set aside, whoever else is busy, and a bad audience costs no row."""

import asyncio

from connector.core.batch import Batch
from connector.core.model import Action
from connector.core.outcome import Outcome
from connector.core.retry import State
from tests.delivery.rig import Rig, digests, run
from tests.fakes.tiktok import BAD_ROW, OK, SERVER_ERROR


def poisoned(*bad: bytes) -> "object":
    def answer(audience: str, batch: Batch) -> Outcome:
        is_bad = audience == "1" and any(row.digests[0] in bad for row in batch.rows)
        return BAD_ROW if is_bad else OK

    return answer


def test_one_poison_row_in_a_thousand_is_one_letter_and_few_calls() -> None:
    async def scenario() -> None:
        rig = Rig(qps=1000.0, linger=0.1)
        bad = digests(613, 1)
        rig.emea.answer = poisoned(*bad)  # type: ignore[assignment]
        async with rig.running():
            rig.put(1, digests(0, 1000))
            await rig.idle()

        assert len(rig.letters.written) == 1
        assert rig.members(1) == set(digests(0, 1000)) - set(bad)
        assert rig.ended("delivered") == 999
        assert len(rig.emea.calls) <= 1 + 2 * 10 + 1
        assert rig.committable() == 1000

    run(scenario())


def test_fifty_poison_rows_are_fifty_letters_and_no_halt() -> None:
    async def scenario() -> None:
        rig = Rig(qps=1000.0, linger=0.1)
        bad = digests(0, 1000)[::20]
        rig.emea.answer = poisoned(*bad)  # type: ignore[assignment]
        async with rig.running():
            rig.put(1, digests(0, 1000))
            await rig.idle()

        assert len(rig.letters.written) == 50
        assert rig.members(1) == set(digests(0, 1000)) - set(bad)
        assert rig.audience(1).gate.state is State.OPEN

    run(scenario())


def test_when_all_rows_are_rejected_the_audience_is_halted_and_nothing_set_aside() -> None:
    async def scenario() -> None:
        rig = Rig(qps=1000.0, linger=0.1)
        rig.emea.answer = lambda audience, _: BAD_ROW if audience == "1" else OK
        async with rig.running():
            rig.put(1, digests(0, 1000))
            rig.put(2, digests(0, 10))
            await asyncio.sleep(120.0)

            assert rig.letters.written == []
            assert rig.audience(1).gate.state is State.HALTED
            assert rig.audience(1).gate.reason == "rejects_everything"
            assert rig.members(2) == set(digests(0, 10))
            assert rig.committable() is None

            rig.emea.answer = lambda _, __: OK
            await rig.idle(31.0)

        assert rig.members(1) == set(digests(0, 1000))
        assert rig.audience(1).gate.state is State.OPEN

    run(scenario())


def test_few_rows_of_an_audience_at_fault_are_not_set_aside_either() -> None:
    async def scenario() -> None:
        rig = Rig(qps=1000.0, linger=0.1)
        rig.emea.answer = lambda _, __: BAD_ROW
        async with rig.running():
            rig.put(1, digests(0, 100))
            await rig.until(lambda: rig.audience(1).is_halted)
            rig.backlog.forget()
            rig.checkpoint.assign(list(rig.checkpoint.partitions()))
            rig.put(1, digests(200, 3))
            await asyncio.sleep(120.0)

        assert rig.letters.written == []

    run(scenario())


def test_looking_for_bad_rows_takes_one_call_in_ten_from_busy_audiences() -> None:
    async def scenario() -> None:
        rig = Rig(audiences=40, qps=10.0, linger=0.1, max_rows=100)
        bad = digests(0, 100)[::10]
        rig.emea.answer = poisoned(*bad)  # type: ignore[assignment]
        async with rig.running():
            rig.put(1, digests(0, 100))
            await rig.until(lambda: len(rig.emea.calls) == 1)
            for number in range(2, 41):
                rig.put(number, digests(0, 1000))
            await asyncio.sleep(10.0)
            busy = rig.emea.calls[2:]
            ours = [call for call in busy if call.audience_id == "1"]

            assert len(ours) <= len(busy) / 10 + 1
            assert ours

            await rig.idle()

        assert len(rig.letters.written) == 10

    run(scenario())


def test_a_newer_change_takes_its_identifier_out_of_an_inquiry() -> None:
    async def scenario() -> None:
        rig = Rig(qps=20.0, linger=0.1)
        bad = digests(3, 1)
        rig.emea.answer = poisoned(*bad)  # type: ignore[assignment]
        async with rig.running():
            rig.put(1, digests(0, 64))
            await rig.until(lambda: len(rig.emea.calls) == 3)
            rig.emea.answer = lambda _, __: OK
            rig.put(1, digests(0, 64), Action.DELETE)
            await rig.idle()

        assert rig.members(1) == set()
        assert rig.letters.written == []
        assert rig.committable() == 128

    run(scenario())


def test_a_group_that_fails_for_another_reason_is_tried_again_as_it_was() -> None:
    async def scenario() -> None:
        rig = Rig(qps=1000.0, linger=0.1)
        bad = digests(7, 1)
        calls = 0

        def answer(_: str, batch: Batch) -> Outcome:
            nonlocal calls
            calls += 1
            if calls % 3 == 0:
                return SERVER_ERROR
            return BAD_ROW if any(row.digests[0] in bad for row in batch.rows) else OK

        rig.emea.answer = answer
        async with rig.running():
            rig.put(1, digests(0, 100))
            await rig.idle()

        assert len(rig.letters.written) == 1
        assert rig.members(1) == set(digests(0, 100)) - set(bad)

    run(scenario())
