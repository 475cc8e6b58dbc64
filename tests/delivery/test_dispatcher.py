import asyncio

from connector.core.model import Action
from connector.core.turns import WHOLE
from tests.delivery.rig import Rig, digests, run
from tests.fakes.tiktok import (
    BAD_ROW,
    OK,
    RATE_LIMITED,
    REFUSED,
    SERVER_ERROR,
    TIMED_OUT,
    TOO_MANY,
)


def test_a_change_waits_no_longer_than_linger_for_company() -> None:
    async def scenario() -> None:
        rig = Rig(linger=1.0)
        async with rig.running():
            rig.put(1, digests(0, 3))
            await rig.idle()

        assert len(rig.emea.calls) == 1
        assert 1.0 <= rig.emea.calls[0].at - rig.start < 1.05
        assert rig.members(1) == set(digests(0, 3))
        assert rig.committable() == 3
        assert rig.ended("delivered") == 3

    run(scenario())


def test_a_full_batch_does_not_wait() -> None:
    async def scenario() -> None:
        rig = Rig(max_rows=10, linger=60.0)
        async with rig.running():
            rig.put(1, digests(0, 10))
            await rig.idle()

        assert rig.emea.calls[0].at - rig.start < 0.01

    run(scenario())


def test_with_many_audiences_and_few_calls_rows_per_call_grow_and_not_a_queue() -> None:
    async def scenario() -> None:
        rig = Rig(audiences=200, qps=10.0, linger=1.0)
        async with rig.running():
            for second in range(60):
                for audience in range(1, 201):
                    rig.put(audience, digests(second * 10, 8))
                await asyncio.sleep(1.0)
            await rig.idle(60.0)

        arrivals = 60 * 200 * 8
        assert rig.ended("delivered") == arrivals
        assert len(rig.emea.calls) < 1_000
        latest = max(call.at for call in rig.emea.calls) - rig.start
        assert latest < 60 + 45

    run(scenario())


def test_calls_are_spaced_and_the_allowance_is_used() -> None:
    async def scenario() -> None:
        rig = Rig(audiences=50, qps=10.0, max_rows=10)
        async with rig.running():
            for audience in range(1, 51):
                rig.put(audience, digests(0, 100))
            await asyncio.sleep(20.0)
        times = [call.at for call in rig.emea.calls]

        assert all(sum(start <= at < start + 1.0 for at in times) <= 10 for start in times)
        assert len(times) >= 0.9 * 10 * 20

    run(scenario())


def test_several_calls_of_one_audience_may_be_under_way_but_no_more_than_allowed() -> None:
    async def scenario() -> None:
        rig = Rig(qps=1000.0, max_rows=10, in_flight_per_audience=4)
        rig.emea.seconds = 2.0
        async with rig.running():
            rig.put(1, digests(0, 100))
            await rig.idle()

        assert rig.emea.most_under_way == 4

    run(scenario())


def test_calls_under_way_are_bounded_in_all() -> None:
    async def scenario() -> None:
        rig = Rig(audiences=10, qps=1000.0, max_rows=10, in_flight=6)
        rig.emea.seconds = 2.0
        async with rig.running():
            for audience in range(1, 11):
                rig.put(audience, digests(0, 40))
            await rig.idle()

        assert rig.emea.most_under_way == 6

    run(scenario())


def test_the_longest_waiting_lane_goes_first() -> None:
    async def scenario() -> None:
        rig = Rig(audiences=3, qps=1.0)
        async with rig.running():
            for audience in (2, 3, 1):
                rig.put(audience, digests(0, 1))
                await asyncio.sleep(0.1)
            await rig.idle()

        assert [call.audience_id for call in rig.emea.calls] == ["2", "3", "1"]

    run(scenario())


def test_an_identifier_under_way_holds_back_only_its_own_next_change() -> None:
    async def scenario() -> None:
        rig = Rig(qps=1000.0, linger=0.1)
        rig.emea.seconds = 5.0
        async with rig.running():
            rig.put(1, digests(0, 2))
            await asyncio.sleep(1.0)
            rig.put(1, digests(0, 1), Action.DELETE)
            rig.put(1, digests(50, 1), Action.DELETE)
            await asyncio.sleep(1.0)

            assert [call.rows[0][0] for call in rig.emea.calls] == [*digests(0, 1), *digests(50, 1)]

            await rig.idle()

        assert rig.members(1) == set(digests(1, 1))
        assert rig.committable() == 4

    run(scenario())


def test_a_failed_batch_goes_back_under_what_has_come_since() -> None:
    async def scenario() -> None:
        rig = Rig(qps=1000.0, linger=0.1)
        rig.emea.seconds = 1.0
        rig.emea.answer = lambda _, __: SERVER_ERROR
        async with rig.running():
            rig.put(1, digests(0, 2))
            await asyncio.sleep(0.5)
            rig.put(1, digests(0, 1), Action.DELETE)
            await asyncio.sleep(0.1)
            rig.emea.answer = lambda _, __: OK
            await rig.idle()

        assert rig.members(1) == set(digests(1, 1))
        assert rig.ended("superseded") == 1
        assert rig.ended("delivered") == 2
        assert rig.committable() == 3

    run(scenario())


def test_retries_go_on_without_end_and_back_off() -> None:
    async def scenario() -> None:
        rig = Rig(qps=1000.0, linger=0.0, chance=lambda: 1.0)
        rig.emea.answer = lambda _, __: REFUSED
        async with rig.running():
            rig.put(1, digests(0, 1))
            await asyncio.sleep(3600.0)

            assert 60 <= len(rig.emea.calls) <= 80
            assert rig.committable() is None

            rig.emea.answer = lambda _, __: OK
            await rig.idle(61.0)

        assert rig.committable() == 1

    run(scenario())


def test_after_a_timeout_the_opposite_action_waits_one_more_timeout_and_the_same_does_not() -> None:
    async def scenario() -> None:
        rig = Rig(qps=1000.0, linger=0.0)
        answers = iter([TIMED_OUT])
        rig.emea.answer = lambda _, __: next(answers, OK)
        async with rig.running():
            rig.put(1, digests(0, 2))
            await rig.until(lambda: len(rig.emea.calls) == 1)
            await asyncio.sleep(0.06)
            ended = rig.now
            rig.put(1, digests(0, 1), Action.DELETE)
            await rig.idle()
        add_again, delete = rig.emea.calls[1:]

        assert add_again.action is Action.ADD
        assert add_again.rows == [[digests(1, 1)[0], None]]
        assert add_again.at - rig.start < ended + 1.0
        assert delete.action is Action.DELETE
        assert delete.at - rig.start >= ended + 15.0 - 0.1

    run(scenario())


def test_a_rejected_small_batch_is_sent_row_by_row_and_only_bad_rows_become_letters() -> None:
    async def scenario() -> None:
        rig = Rig(qps=1000.0, linger=0.1)
        bad = digests(7, 1)[0]
        rig.emea.answer = lambda _, batch: (
            BAD_ROW if any(row.digests[0] == bad for row in batch.rows) else OK
        )
        async with rig.running():
            rig.put(1, digests(0, 50))
            await rig.idle()

        assert len(rig.letters.written) == 1
        assert rig.members(1) == set(digests(0, 50)) - {bad}
        assert rig.ended("dead_lettered") == 1
        assert rig.ended("delivered") == 49
        assert rig.committable() == 50
        assert bad.hex().encode() in rig.letters.written[0].value
        assert rig.letters.written[0].key == b"key"

    run(scenario())


def test_a_rejected_row_counts_only_when_its_letter_is_acknowledged() -> None:
    async def scenario() -> None:
        rig = Rig(qps=1000.0, linger=0.0)
        rig.letters.refusing = True
        rig.emea.answer = lambda _, __: BAD_ROW
        async with rig.running():
            rig.put(1, digests(0, 1))
            await asyncio.sleep(120.0)

            assert rig.committable() is None
            assert rig.backlog.pending == 1

            rig.letters.refusing = False
            await rig.idle()

        assert len(rig.letters.written) == 1
        assert rig.committable() == 1

    run(scenario())


def test_too_many_ids_makes_calls_smaller_for_the_rest_of_the_run() -> None:
    async def scenario() -> None:
        rig = Rig(qps=1000.0, max_rows=1000, linger=0.1)
        rig.emea.answer = lambda _, batch: TOO_MANY if len(batch.rows) > 300 else OK
        async with rig.running():
            rig.put(1, digests(0, 1000))
            await rig.idle()
            first = len(rig.emea.calls)
            rig.put(1, digests(5000, 1000))
            await rig.idle()

        assert rig.members(1) == {*digests(0, 1000), *digests(5000, 1000)}
        assert all(len(call.rows) <= 250 for call in rig.emea.calls[first:])
        assert rig.letters.written == []

    run(scenario())


def test_a_single_row_that_is_too_many_is_set_aside_rather_than_sent_for_ever() -> None:
    async def scenario() -> None:
        rig = Rig(qps=1000.0, linger=0.0)
        rig.emea.answer = lambda _, __: TOO_MANY
        async with rig.running():
            rig.put(1, digests(0, 2))
            await rig.idle()

        assert len(rig.letters.written) == 2

    run(scenario())


def test_being_rate_limited_slows_the_app_down_and_loses_nothing() -> None:
    async def scenario() -> None:
        rig = Rig(audiences=20, qps=50.0, max_rows=10)
        limited = 0

        def answer(_: str, __: object) -> object:
            nonlocal limited
            now = rig.now
            recent = sum(call.at - rig.start > now - 1.0 for call in rig.emea.calls)
            if recent > 20:
                limited += 1
                return RATE_LIMITED
            return OK

        rig.emea.answer = answer  # type: ignore[assignment]
        async with rig.running():
            for audience in range(1, 21):
                rig.put(audience, digests(0, 1000))
            await rig.idle()

        assert limited < 0.1 * len(rig.emea.calls)
        assert all(rig.members(audience) == set(digests(0, 1000)) for audience in range(1, 21))

    run(scenario())


def test_a_drain_sends_without_lingering_and_returns_when_all_is_sent() -> None:
    async def scenario() -> None:
        rig = Rig(qps=1000.0, linger=60.0)
        async with rig.running():
            rig.put(1, digests(0, 5))
            rig.put(2, digests(0, 5), Action.DELETE)
            await rig.dispatcher.drain(20.0)

            assert rig.now < 1.0
            assert rig.backlog.pending == 0

    run(scenario())


def test_no_call_of_a_drain_can_outlast_it() -> None:
    async def scenario() -> None:
        rig = Rig(qps=1.0, max_rows=10, linger=60.0)
        async with rig.running():
            rig.put(1, digests(0, 500))
            begun = rig.now
            await rig.dispatcher.drain(20.0)
            took = rig.now - begun

        assert took <= 6.5
        assert rig.dispatcher.calls == 0
        assert all(call.at - rig.start <= begun + 5.0 for call in rig.emea.calls)

    run(scenario())


def test_a_drain_waits_for_calls_under_way_and_no_longer_than_it_may() -> None:
    async def scenario() -> None:
        rig = Rig(qps=1000.0, linger=0.0)
        rig.emea.seconds = 12.0
        async with rig.running():
            rig.put(1, digests(0, 5))
            await asyncio.sleep(0.1)
            await rig.dispatcher.drain(20.0)

            assert 11.0 < rig.now < 13.0

            rig.dispatcher.resume(WHOLE)
            rig.emea.seconds = 1000.0
            rig.put(1, digests(10, 5))
            await asyncio.sleep(0.1)
            begun = rig.now
            await rig.dispatcher.drain(20.0)

            assert 19.9 < rig.now - begun < 20.2

    run(scenario())


def test_what_is_forgotten_is_handed_over_and_late_results_resolve_nothing_new() -> None:
    async def scenario() -> None:
        rig = Rig(qps=1000.0, linger=0.0)
        rig.emea.seconds = 5.0
        rig.emea.answer = lambda _, __: SERVER_ERROR
        async with rig.running():
            rig.put(1, digests(0, 3))
            await asyncio.sleep(1.0)
            rig.put(1, digests(10, 3))
            rig.put(1, digests(0, 1), Action.DELETE)
            rig.backlog.forget()
            rig.checkpoint.assign([])
            await asyncio.sleep(60.0)

        assert rig.backlog.pending == 0
        assert len(rig.emea.calls) == 1
        assert rig.ended("handed_over") == 7

    run(scenario())


def test_a_fence_outlives_its_assignment() -> None:
    async def scenario() -> None:
        rig = Rig(qps=1000.0, linger=0.0)
        rig.emea.seconds = 5.0
        async with rig.running():
            rig.put(1, digests(0, 1))
            await asyncio.sleep(1.0)
            rig.backlog.forget()
            rig.put(1, digests(0, 1), Action.DELETE)
            await rig.idle()

        assert rig.emea.calls[1].at - rig.start >= 4.99
        assert rig.members(1) == set()

    run(scenario())


def test_rows_rejected_after_their_partition_was_given_up_are_the_next_owners() -> None:
    async def scenario() -> None:
        rig = Rig(qps=1000.0, linger=0.0)
        rig.emea.seconds = 5.0
        rig.emea.answer = lambda _, __: BAD_ROW
        async with rig.running():
            rig.put(1, digests(0, 1))
            await asyncio.sleep(1.0)
            rig.backlog.forget()
            await asyncio.sleep(60.0)

        assert rig.letters.written == []
        assert rig.ended("handed_over") == 1
        assert rig.backlog.pending == 0

    run(scenario())


# --- the lease


def test_no_call_starts_while_the_lease_has_lapsed() -> None:
    async def scenario() -> None:
        rig = Rig(linger=0.0, qps=1000.0)
        async with rig.running():
            rig.dispatcher.confirmed(rig.start)
            rig.put(1, digests(0, 5))
            await rig.idle()
            await asyncio.sleep(10.0)  # as a process that stood still, and does not know

            rig.put(1, digests(5, 5))
            await asyncio.sleep(5.0)
            assert rig.members(1) == set(digests(0, 5))

            rig.dispatcher.confirmed(asyncio.get_running_loop().time())
            await rig.idle(1.0)
        assert rig.members(1) == set(digests(0, 10))

    run(scenario())


def test_a_drain_without_the_lease_waits_for_calls_under_way_and_starts_none() -> None:
    async def scenario() -> None:
        rig = Rig(linger=60.0, qps=1000.0, max_rows=5)
        rig.emea.seconds = 10.0
        async with rig.running():
            rig.dispatcher.confirmed(rig.start)
            rig.put(1, digests(0, 5))
            await rig.until(lambda: rig.dispatcher.calls == 1)
            rig.put(2, digests(0, 3))
            await asyncio.sleep(8.0)
            begun = rig.now
            await rig.dispatcher.drain(20.0)

            assert 1.0 <= rig.now - begun <= 3.0
            assert rig.members(1) == set(digests(0, 5))
            assert rig.members(2) == set()

    run(scenario())
