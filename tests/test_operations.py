"""Pause, resume and flush on the whole core, on virtual time: what they stop, what they do not, and for how long."""

import asyncio
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.core.retry import State
from connector.operations import Operation, Operations, Outcome
from connector.pauses import PauseReason
from connector.telemetry.catalogue import Catalogue
from connector.telemetry.events import LifeEvents
from connector.watchdog import Watchdog, signs_of_life
from tests.delivery.rig import run
from tests.fakes.tiktok import NO_AUDIENCE, OK, SERVER_ERROR
from tests.test_intake import DRAIN, P0, P1, TOPIC, Flow, event, events
from tests.whole import Life, finish, home


def operations_of(flow: Flow) -> Operations:
    return Operations(flow.pauses, flow.dispatcher, asyncio.get_running_loop().time)


# --- pause and resume


def test_a_pause_stops_reading_and_lets_everything_else_go_on() -> None:
    async def test() -> None:
        flow = Flow(linger=5.0)
        operations = operations_of(flow)
        async with flow.flowing():
            flow.kafka.push(P0, events(0, 30))
            await flow.until(lambda: flow.backlog.pending == 30)
            operations.perform(Operation.PAUSE, "on-call")
            flow.kafka.push(P0, events(30, 30))
            flow.kafka.push(P1, events(60, 30))
            await flow.until_committed({P0: 30})  # what was read is delivered and committed
            polls = flow.source.polls
            await asyncio.sleep(600.0)

            assert flow.source.polls > polls + 600  # the membership lives by polling
            assert flow.source.paused == {P0, P1}
            assert flow.committed[P0] == 30
            assert flow.backlog.pending == 0
            assert flow.sent() == 30
            assert flow.pauses.reasons() == [PauseReason.OPERATOR]

            operations.perform(Operation.RESUME, "somebody else")
            await flow.until_committed({P0: 60, P1: 30})
            assert flow.pauses.reasons() == []
        assert flow.sent() == 90

    run(test())


def test_what_is_asked_for_again_is_so_already() -> None:
    async def test() -> None:
        flow = Flow()
        operations = operations_of(flow)
        async with flow.flowing():
            said = [
                operations.perform(one, who)
                for one, who in (
                    (Operation.RESUME, "a"),
                    (Operation.PAUSE, "a"),
                    (Operation.PAUSE, "b"),
                    (Operation.RESUME, "b"),
                    (Operation.RESUME, "a"),
                    (Operation.FLUSH, "a"),
                    (Operation.FLUSH, "a"),
                )
            ]
        done, unchanged = Outcome.DONE, Outcome.UNCHANGED
        assert said == [unchanged, done, unchanged, done, unchanged, done, done]

    run(test())


def test_the_first_to_pause_is_who_paused_it() -> None:
    async def test() -> None:
        flow = Flow()
        operations = operations_of(flow)
        async with flow.flowing():
            began = asyncio.get_running_loop().time()
            operations.perform(Operation.PAUSE, "a")
            await asyncio.sleep(5.0)
            operations.perform(Operation.PAUSE, "b")
            assert operations.paused == ("a", began)
            operations.perform(Operation.RESUME, "b")
            assert operations.paused is None

    run(test())


def test_a_pause_outlives_rebalances_and_no_record_slips_through() -> None:
    async def test() -> None:
        flow = Flow(linger=0.1)
        operations = operations_of(flow)
        async with flow.flowing():
            flow.kafka.push(P0, events(0, 5))
            await flow.until_committed({P0: 5})
            operations.perform(Operation.PAUSE, "on-call")
            flow.kafka.push(P0, events(5, 5))
            flow.kafka.push(P1, events(10, 5))
            for partitions in ([P1], [], [P0], [P0, P1]):
                await flow.source.rebalance(partitions)
                assert flow.source.paused == set(partitions)
                await asyncio.sleep(30.0)
                assert flow.source.paused == set(partitions)
            assert flow.committed == {P0: 5, P1: 0}
            assert flow.sent() == 5

            operations.perform(Operation.RESUME, "on-call")
            await flow.until_committed({P0: 10, P1: 5})

    run(test())


def test_a_pause_before_the_group_is_joined_holds_from_the_first_record_on() -> None:
    async def test() -> None:
        flow = Flow(linger=0.1)
        operations = operations_of(flow)
        assert operations.perform(Operation.PAUSE, "on-call") is Outcome.DONE
        flow.kafka.push(P0, events(0, 5))
        async with flow.flowing():
            await asyncio.sleep(60.0)
            assert (flow.source.paused, flow.sent()) == ({P0, P1}, 0)
            operations.perform(Operation.RESUME, "on-call")
            await flow.until_committed({P0: 5})

    run(test())


class Erasure:
    """What is read also while all else is paused, as the suppression topic is."""

    topics = (TOPIC,)
    is_full = False


def test_what_is_read_ahead_of_all_else_is_read_on_up_to_a_bound_of_its_own() -> None:
    async def test() -> None:
        flow = Flow(linger=0.1)
        flow.pauses._ahead = erasure = Erasure()
        operations = operations_of(flow)
        async with flow.flowing():
            operations.perform(Operation.PAUSE, "on-call")
            flow.kafka.push(P0, events(0, 5))
            await flow.until_committed({P0: 5})
            assert flow.pauses.reasons() == [PauseReason.OPERATOR]
            assert flow.source.paused == set()

            erasure.is_full = True
            await flow.until(lambda: flow.source.paused == {P0, P1})

    run(test())


def test_resuming_does_not_lift_what_a_bound_paused() -> None:
    async def test() -> None:
        flow = Flow(most=100, poll_records=50, linger=60.0)
        flow.emea.answer = lambda _, __: SERVER_ERROR
        operations = operations_of(flow)
        async with flow.flowing():
            flow.kafka.push(P0, events(0, 1000))
            await flow.until(lambda: flow.pauses.is_full)
            assert flow.pauses.reasons() == [PauseReason.PENDING]
            operations.perform(Operation.PAUSE, "on-call")
            await asyncio.sleep(5.0)
            assert flow.pauses.reasons() == [PauseReason.OPERATOR, PauseReason.PENDING]

            operations.perform(Operation.RESUME, "on-call")
            await asyncio.sleep(5.0)
            assert flow.source.paused == {P0, P1}
            assert flow.pauses.reasons() == [PauseReason.PENDING]

            flow.emea.answer = lambda _, __: OK
            await flow.until_committed({P0: 1000})

    run(test())


def test_letters_and_a_blocked_audience_are_reasons_of_their_own() -> None:
    async def test() -> None:
        flow = Flow(qps=1000.0, linger=0.1, poll_records=10, most_blocked=20)
        flow.emea.answer = lambda audience, _: NO_AUDIENCE if audience == "1" else OK
        async with flow.flowing():
            flow.kafka.push(P0, events(0, 100))
            await flow.until(lambda: flow.pauses.holding is not None)
            assert flow.pauses.reasons() == [PauseReason.BLOCKED]

            flow.emea.answer = lambda _, __: OK
            await flow.until_committed({P0: 100})
            flow.letters.holding = True
            flow.kafka.push(P1, [b"{"] * 12_000)
            await flow.until(lambda: flow.pauses.is_full)
            assert flow.pauses.reasons() == [PauseReason.LETTERS]

    run(test())


def test_reading_up_to_the_end_waits_for_the_operator_and_then_ends() -> None:
    async def test() -> None:
        flow = Flow(until_end=True, linger=0.1)
        operations = operations_of(flow)
        operations.perform(Operation.PAUSE, "on-call")
        flow.kafka.push(P0, events(0, 40))
        async with flow.flowing():
            await asyncio.sleep(600.0)
            assert not flow.intake.is_done()
            assert flow.pauses.is_reading()  # so that it is not given up as stuck

            operations.perform(Operation.RESUME, "on-call")
            await flow.until(flow.intake.is_done)
            await flow.until_committed({P0: 40})

            operations.perform(Operation.PAUSE, "on-call")
            await asyncio.sleep(10.0)
            assert flow.intake.is_done()  # there is nothing left to pause

    run(test())


def test_a_long_pause_is_no_standing_still() -> None:
    class Kafka:
        async def answers(self) -> bool:
            return True

    async def test() -> None:
        flow = Flow()
        now = asyncio.get_running_loop().time
        signs = signs_of_life(
            flow.intake, flow.checkpoint, flow.committer, flow.backlog, flow.dead_letters, DRAIN
        )
        life = LifeEvents(Catalogue(), now, lambda: 0.0)
        async with flow.flowing():
            watching = asyncio.create_task(Watchdog(signs, Kafka(), life, now).run())
            flow.kafka.push(P0, events(0, 5))
            await flow.until_committed({P0: 5})
            operations_of(flow).perform(Operation.PAUSE, "on-call")
            flow.kafka.push(P0, events(5, 5))
            await asyncio.sleep(1200.0)
            assert not watching.done()
            watching.cancel()

    run(test())


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.sampled_from(["pause", "resume", "flush", "rebalance", "write", "wait"]),
        min_size=5,
        max_size=25,
    )
)
def test_whatever_an_operator_does_and_whenever_the_audiences_end_as_the_events_say(
    steps: list[str],
) -> None:
    async def test() -> None:
        life = Life(linger=2.0, poll_records=3)
        operations = operations_of(life)
        written = 0
        async with life.flowing():
            for step in steps:
                if step == "write":
                    statuses = ("entered", "exited", "entered")
                    life.write(*((written + n, "segment-1", one) for n, one in enumerate(statuses)))
                    life.write((written, "both", "entered"), (written, "both", "exited"))
                    written += 2
                elif step == "rebalance":
                    await life.source.rebalance([home(written)])
                elif step == "wait":
                    await asyncio.sleep(1.5)
                else:
                    operations.perform(Operation(step), "on-call")
            operations.perform(Operation.RESUME, "on-call")
        await finish(Life(life))

    run(test())


# --- flush


def test_a_flush_sends_what_waits_for_company_and_what_comes_later_waits_on() -> None:
    async def test() -> None:
        flow = Flow(linger=60.0)
        operations = operations_of(flow)
        async with flow.flowing():
            flow.kafka.push(P0, [*events(0, 5), *events(10, 5, "segment-2")])
            await flow.until(lambda: flow.backlog.pending == 10)
            began = flow.now
            operations.perform(Operation.FLUSH, "on-call")
            await flow.until_committed({P0: 10})
            assert flow.now - began < 4.0  # two calls, and the interval of commits
            assert (flow.sent(1), flow.sent(2)) == (5, 5)

            flow.kafka.push(P0, events(20, 5))
            await asyncio.sleep(50.0)
            assert flow.sent(1) == 5
            await flow.until(lambda: flow.sent(1) == 10)
            assert len(flow.emea.calls) == 3
        batches = flow.telemetry.metrics.batches.values
        assert {trigger: count for (_, trigger), count in batches.items() if count} == {
            "drain": 2,
            "age": 1,
        }

    run(test())


def test_a_flush_keeps_to_the_limit_of_calls() -> None:
    async def test() -> None:
        flow = Flow(linger=600.0, qps=2.0)
        async with flow.flowing():
            flow.kafka.push(P0, events(0, 1))
            await flow.until(lambda: flow.backlog.pending == 1)
            operations_of(flow).perform(Operation.FLUSH, "on-call")
            await flow.until(lambda: flow.sent(1) == 1)  # its pace is proven by an answer
            flow.kafka.push(P0, [event(n, f"segment-{1 + n % 3}") for n in range(1, 31)])
            await flow.until(lambda: flow.backlog.pending == 30)
            operations_of(flow).perform(Operation.FLUSH, "on-call")
            await flow.idle()
        starts = sorted(call.at for call in flow.emea.calls)
        assert len(starts) == 4
        assert all(b - a >= 0.5 for a, b in pairwise(starts))

    run(test())


def test_a_flush_of_more_than_one_call_sends_all_of_it() -> None:
    async def test() -> None:
        flow = Flow(linger=600.0, most=5000)
        flow.backlog.lower_max_rows(10)
        async with flow.flowing():
            flow.kafka.push(P0, events(0, 35))
            await flow.until(lambda: flow.backlog.pending == 5)  # full batches go by themselves
            operations_of(flow).perform(Operation.FLUSH, "on-call")
            await flow.until(lambda: flow.backlog.pending == 0)
        assert flow.sent() == 35

    run(test())


def test_a_flush_does_not_open_what_is_halted() -> None:
    async def test() -> None:
        flow = Flow(linger=1.0)
        flow.emea.answer = lambda _, __: NO_AUDIENCE
        async with flow.flowing():
            flow.kafka.push(P0, events(0, 5))
            await flow.until(lambda: flow.audience(1).gate.state is State.HALTED)
            await asyncio.sleep(200.0)  # its tries are 30 seconds apart by now
            calls = len(flow.emea.calls)
            for _ in range(20):
                operations_of(flow).perform(Operation.FLUSH, "on-call")
                await asyncio.sleep(0.1)
            assert len(flow.emea.calls) <= calls + 1

    run(test())


def test_a_flush_of_nothing_is_nothing() -> None:
    async def test() -> None:
        flow = Flow()
        async with flow.flowing():
            operations_of(flow).perform(Operation.FLUSH, "on-call")
            await asyncio.sleep(10.0)
        assert flow.emea.calls == []

    run(test())


@pytest.mark.parametrize("operation", list(Operation))
def test_before_anything_runs_each_can_be_asked_for(operation: Operation) -> None:
    async def test() -> None:
        operations_of(Flow()).perform(operation, "on-call")

    run(test())
