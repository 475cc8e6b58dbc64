"""Pausing: what one audience, the backlog and the commit may do to reading, on virtual time."""

import asyncio

from connector.core.retry import State
from tests.delivery.rig import run
from tests.fakes.tiktok import NO_AUDIENCE, OK
from tests.test_intake import P0, P1, Flow, event, events


async def halt(flow: Flow) -> None:
    """Let audience 1 be halted by the record of its own that every test begins with."""
    flow.emea.answer = lambda audience, _: NO_AUDIENCE if audience == "1" else OK
    flow.kafka.push(P0, [event(0)])
    await flow.until(lambda: flow.audience(1).gate.state is State.HALTED)


def test_a_partition_far_ahead_of_its_commit_pauses_alone_and_goes_on_at_half() -> None:
    async def test() -> None:
        flow = Flow(qps=1000.0, linger=0.1, poll_records=50, most_uncommitted=200)
        async with flow.flowing():
            await halt(flow)
            flow.kafka.push(P0, events(1, 1000, "segment-2"))
            flow.kafka.push(P1, events(5000, 1000, "segment-2"))
            await flow.until(lambda: flow.source.paused == {P0})
            await flow.until_committed({P1: 1000})

            assert 200 < flow.checkpoint.ahead(P0) <= 250
            assert flow.committed.get(P0) is None
            assert flow.source.paused == {P0}
            assert flow.pauses.is_reading()

            flow.emea.answer = lambda _, __: OK
            await flow.until_committed({P0: 1001})
        assert flow.sent(2) == 2000

    run(test())


def test_the_far_partition_is_freed_by_setting_a_blocked_audience_aside() -> None:
    async def test() -> None:
        flow = Flow(qps=1000.0, linger=0.1, poll_records=50, most_uncommitted=200, sets_aside=True)
        async with flow.flowing():
            await halt(flow)
            flow.kafka.push(P0, events(1, 1000, "segment-2"))
            await flow.until_committed({P0: 1001})

        assert flow.sent(2) == 1000
        assert len(flow.letters.written) == 1

    run(test())


def test_a_blocked_audience_holds_the_intake_at_its_bound_and_no_earlier() -> None:
    async def test() -> None:
        flow = Flow(qps=1000.0, linger=0.1, poll_records=10, most_blocked=100)
        async with flow.flowing():
            await halt(flow)
            flow.kafka.push(P0, events(1, 99))
            flow.kafka.push(P1, events(1000, 50, "segment-2"))
            await flow.until(lambda: flow.sent(2) == 50)
            assert flow.pauses.holding is None

            flow.kafka.push(P0, events(100, 50))
            await flow.until(lambda: flow.pauses.holding is flow.audience(1))
            assert flow.source.paused == {P0, P1}
            assert flow.letters.written == []

            flow.emea.answer = lambda _, __: OK
            flow.kafka.push(P1, events(2000, 50, "segment-2"))
            await flow.until_committed({P0: 150, P1: 100})
        assert (flow.sent(1), flow.sent(2)) == (150, 100)

    run(test())


def test_an_audience_set_aside_at_its_bound_stops_nobody() -> None:
    async def test() -> None:
        flow = Flow(qps=1000.0, linger=0.1, poll_records=10, most_blocked=100, sets_aside=True)
        async with flow.flowing():
            await halt(flow)
            for start in range(1, 1001, 10):
                flow.kafka.push(P0, events(start, 10))
                flow.kafka.push(P1, events(10_000 + start, 10, "segment-2"))
            await flow.until(lambda: flow.sent(2) == 1000)
            await flow.until(lambda: len(flow.letters.written) == 901)

            assert len(flow.audience(1).lane) == 100
            assert not flow.pauses.is_full
            # The commit follows the letters: what is left waits in the lane.
            await flow.until(lambda: flow.committed.get(P0, 0) >= 880)

    run(test())


def test_reading_goes_on_by_the_rows_that_may_be_sent() -> None:
    """Half of all would never be free again: the blocked audience has more than that."""

    async def test() -> None:
        flow = Flow(most=100, qps=1000.0, linger=0.1, poll_records=10)
        async with flow.flowing():
            await halt(flow)
            flow.kafka.push(P0, events(1, 79))
            flow.kafka.push(P1, events(1000, 500, "segment-2"))
            await flow.until(lambda: flow.sent(2) == 500)
            await flow.until_committed({P1: 500})

        assert len(flow.audience(1).lane) == 80

    run(test())


def test_a_full_backlog_of_blocked_audiences_gives_way_where_it_may() -> None:
    async def test() -> None:
        flow = Flow(most=100, qps=1000.0, linger=0.1, poll_records=10, sets_aside=True)
        async with flow.flowing():
            await halt(flow)
            flow.kafka.push(P0, events(1, 300))
            flow.kafka.push(P1, events(1000, 500, "segment-2"))
            await flow.until(lambda: flow.sent(2) == 500)
            await flow.until(lambda: len(flow.letters.written) + len(flow.audience(1).lane) == 301)
            await asyncio.sleep(1.0)

            assert len(flow.audience(1).lane) <= 100
            assert not flow.pauses.is_full

    run(test())


def test_a_full_backlog_of_blocked_audiences_waits_for_mending_where_it_must() -> None:
    async def test() -> None:
        flow = Flow(most=100, qps=1000.0, linger=0.1, poll_records=10)
        async with flow.flowing():
            await halt(flow)
            flow.kafka.push(P0, events(1, 300))
            await flow.until(lambda: flow.pauses.is_full)
            await asyncio.sleep(600.0)

            assert flow.pauses.is_full
            assert flow.backlog.pending <= 120
            assert flow.letters.written == []

            flow.emea.answer = lambda _, __: OK
            await flow.until_committed({P0: 301})

    run(test())


def test_a_rebalance_begins_with_nothing_paused() -> None:
    async def test() -> None:
        flow = Flow(qps=1000.0, linger=0.1, poll_records=50, most_uncommitted=100)
        async with flow.flowing():
            await halt(flow)
            flow.kafka.push(P0, events(1, 500, "segment-2"))
            await flow.until(lambda: flow.source.paused == {P0})
            await flow.source.rebalance([P1])
            flow.kafka.push(P1, events(5000, 10, "segment-2"))
            await flow.until_committed({P1: 10})

            assert flow.pauses.paused == set()

    run(test())
