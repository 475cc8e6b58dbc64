"""The watchdog: what stands still ends the process, what merely waits for Kafka does not, and a stuck loop is told."""

import asyncio
import json
import subprocess
import sys
import textwrap
import time

import pytest

from connector.errors import ConnectorError
from connector.telemetry.catalogue import Catalogue
from connector.telemetry.events import LifeEvents
from connector.watchdog import Sign, Watchdog, signs_of_life
from tests.delivery.rig import digests, run
from tests.fakes.tiktok import NO_AUDIENCE, SERVER_ERROR
from tests.test_intake import P0, Flow, events

DRAIN = 20.0


class Kafka:
    """Answers, or does not; a question takes a while."""

    def __init__(self) -> None:
        self.is_there = True
        self.questions = 0

    async def answers(self) -> bool:
        self.questions += 1
        await asyncio.sleep(1.0)
        return self.is_there


def watchdog(flow: Flow, kafka: Kafka, *more: Sign) -> Watchdog:
    loop = asyncio.get_running_loop()
    signs = signs_of_life(
        flow.intake, flow.checkpoint, flow.committer, flow.backlog, flow.dead_letters, DRAIN
    )
    life = LifeEvents(Catalogue(), loop.time, lambda: 0.0)
    return Watchdog([*signs, *more], kafka, life, loop.time)


async def lives(dog: Watchdog, seconds: float) -> None:
    """It looks for so long and finds nothing."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(seconds):
            await dog.run()


def test_a_service_at_work_and_an_idle_one_live() -> None:
    async def test() -> None:
        flow = Flow(qps=1.0)
        async with flow.flowing():
            dog = watchdog(flow, Kafka())
            flow.kafka.push(P0, events(0, 50))
            await lives(dog, 3600.0)

        assert flow.sent() == 50

    run(test())


def test_hours_of_halts_and_retries_are_no_standstill() -> None:
    async def test() -> None:
        flow = Flow(qps=10.0)
        flow.emea.answer = lambda audience, _: NO_AUDIENCE if audience == "1" else SERVER_ERROR
        async with flow.flowing():
            flow.kafka.push(P0, events(0, 50) + events(0, 50, "segment-2"))
            await lives(watchdog(flow, Kafka()), 4 * 3600.0)

    run(test())


def test_commits_that_fail_while_kafka_answers_end_it() -> None:
    async def test() -> None:
        flow = Flow()
        flow.source.refuse = 1_000_000
        async with flow.flowing():
            flow.kafka.push(P0, events(0, 50))
            begun = asyncio.get_running_loop().time()
            with pytest.raises(
                ConnectorError, match="no commit succeeds for more than 140 seconds"
            ):
                await watchdog(flow, Kafka()).run()

            assert 140 <= asyncio.get_running_loop().time() - begun <= 160

    run(test())


def test_commits_that_fail_while_kafka_is_away_are_waited_for() -> None:
    async def test() -> None:
        flow, kafka = Flow(), Kafka()
        kafka.is_there = False
        flow.source.refuse = 1_000_000
        async with flow.flowing():
            flow.kafka.push(P0, events(0, 50))
            dog = watchdog(flow, kafka)
            await lives(dog, 3600.0)
            assert kafka.questions > 10

            flow.source.refuse = 0
            kafka.is_there = True
            await flow.until_committed({P0: 50})
            await lives(dog, 3600.0)

    run(test())


def test_what_moves_again_while_the_question_is_under_way_is_no_standstill() -> None:
    """As after a freeze of the process: everything looks late, and then everything happens at once."""

    async def test() -> None:
        flow, moved = Flow(), [0]

        class Waking(Kafka):
            async def answers(self) -> bool:
                moved[0] += 1
                return await super().answers()

        async with flow.flowing():
            waking = Waking()
            sign = Sign("nothing moves", 60.0, lambda: moved[0])
            await lives(watchdog(flow, waking, sign), 600.0)

            assert waking.questions > 3

    run(test())


def test_a_poll_that_never_comes_back_ends_it() -> None:
    async def test() -> None:
        flow = Flow()
        dog = watchdog(flow, Kafka())
        with pytest.raises(ConnectorError, match="Kafka is not polled for more than 90 seconds"):
            await dog.run()

    run(test())


def test_offsets_that_nothing_holds_and_nobody_can_commit_end_it() -> None:
    """It would be a defect of ours: a part of the checkpoint that nobody resolves."""

    async def test() -> None:
        flow = Flow()
        async with flow.flowing():
            flow.checkpoint.track(P0, 7, asyncio.get_running_loop().time(), 0)
            with pytest.raises(ConnectorError, match="offsets cannot be committed"):
                await watchdog(flow, Kafka()).run()

    run(test())


def test_a_change_that_waits_holds_its_offset_without_alarm() -> None:
    async def test() -> None:
        flow = Flow(linger=1800.0)
        async with flow.flowing():
            flow.put(1, digests(0, 3))
            await lives(watchdog(flow, Kafka()), 1700.0)

    run(test())


STUCK = """
    import asyncio, time
    from connector.telemetry import logs
    from connector.telemetry.catalogue import Catalogue
    from connector.telemetry.events import LifeEvents
    from connector.watchdog import LoopGuard

    async def main():
        guard = LoopGuard(2, LifeEvents(Catalogue(), time.monotonic, time.time))
        guard.start()
        for _ in range(8):
            guard.beat()
            await asyncio.sleep(0.5)
        print("turning", flush=True)
        hold_the_loop()

    def hold_the_loop():
        %s

    logs.configure("info", "json")
    asyncio.run(main())
"""


def run_stuck(how: str) -> subprocess.CompletedProcess[str]:
    script = textwrap.dedent(STUCK % how)
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60
    )


def test_a_stuck_loop_is_told_and_ends_the_process_with_1() -> None:
    begun = time.monotonic()
    done = run_stuck("time.sleep(50)")

    assert done.returncode == 1
    assert time.monotonic() - begun < 30
    said, *_ = [json.loads(one) for one in done.stdout.splitlines() if one.startswith("{")]
    assert said["event"] == "the event loop is stuck: the process ends"
    assert said["where"].startswith("hold_the_loop (")
    assert "the event loop has been stuck for 2 seconds" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_loop_that_turns_outlives_the_guards_patience() -> None:
    done = run_stuck("pass")

    assert (done.returncode, done.stdout, done.stderr) == (0, "turning\n", "")
