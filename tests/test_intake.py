"""The intake with all of delivery behind it, on virtual time: a fake Kafka on one side, a fake TikTok on the other."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from hashlib import sha256

import pytest

from connector.committer import Committer
from connector.core.identity import IdentityMap, IdentityMapping
from connector.core.model import Partition
from connector.core.permission import Permission
from connector.core.rate_limit import RateLimit
from connector.core.routing import AudienceKey, Route, RoutingTable
from connector.core.turns import NOTHING, Part
from connector.errors import KafkaUnavailable
from connector.formats import native
from connector.formats.membership import Format
from connector.governance.people import People
from connector.intake import Intake, Ownership
from connector.pauses import Pauses, ReadingBounds
from connector.pipeline import Pipeline
from connector.record_letters import RecordLetters
from connector.telemetry.events import IntakeEvents
from connector.until_end import UntilEnd
from tests.delivery.rig import TARGETS, Rig, run
from tests.fakes.kafka import FakeKafka, FakeSource, Hole
from tests.fakes.tiktok import OK, SERVER_ERROR

TOPIC = "topic"
GROUP = "group"
P0, P1 = Partition(TOPIC, 0), Partition(TOPIC, 1)
DRAIN = 20.0


def event(user: int, segment: str = "segment-1", status: str = "entered") -> bytes:
    return json.dumps(
        {
            "profile_id": f"p-{user}",
            "segment": segment,
            "status": status,
            "identities": {"email": f"user{user}@example.com"},
        }
    ).encode()


def digest_of(user: int) -> bytes:
    """The digest of the address in their events."""
    return sha256(f"user{user}@example.com".encode()).digest()


def events(start: int, count: int, segment: str = "segment-1") -> list[bytes]:
    return [event(user, segment) for user in range(start, start + count)]


ROUTES = (
    *(Route(f"segment-{one}", AudienceKey("emea", str(one))) for one in (1, 2, 3)),
    *(Route("both", AudienceKey("emea", str(one))) for one in (2, 3)),
)


class Flow(Rig):
    """The rig with an intake: one topic of two partitions, and a segment `both` with two routes."""

    def __init__(
        self,
        *,
        most: int = 1000,
        until_end: bool = False,
        poll_records: int = 1000,
        qps: float = 10.0,
        linger: float = 1.0,
        most_uncommitted: int = 1_000_000,
        most_blocked: int = 100_000,
        sets_aside: bool = False,
        shape: Format = native.FORMAT,
        routes: Sequence[Route] = ROUTES,
        permission: Permission | None = None,
    ) -> None:
        super().__init__(qps=qps, linger=linger, most_blocked=most_blocked, sets_aside=sets_aside)
        self.people: People | None = None
        loop = asyncio.get_running_loop()
        self.kafka = FakeKafka()
        self.kafka.create_topic(TOPIC, 2)
        self.source = FakeSource(self.kafka, GROUP, [TOPIC], poll_records=poll_records)
        self.committed = self.kafka.committed[GROUP]
        self.identities = IdentityMap(
            [IdentityMapping("email", TARGETS[0]), IdentityMapping("phone", TARGETS[1])]
        )
        self.checkpoint.assign(())
        told = IntakeEvents(self.telemetry.metrics, loop.time, lambda: 1_800_000_000.0)
        self.pipeline = Pipeline(
            {TOPIC: shape},
            self.identities,
            RoutingTable(routes, {"emea": "7", "apac": "8"}),
            self.checkpoint,
            self.backlog,
            RecordLetters(self.dead_letters, told, lambda: 1_800_000_000.0),
            told,
            permission,
        )
        self.pauses = Pauses(
            self.source,
            self.checkpoint,
            self.dead_letters,
            self.bulkheads,
            ReadingBounds(most, most_uncommitted),
            told,
        )
        self.stint = UntilEnd(self.source) if until_end else None
        self.intake = Intake(
            self.source,
            {TOPIC: self.pipeline},
            self.dispatcher,
            self.checkpoint,
            self.pauses,
            self.stint,
            loop.time,
        )
        self.committer = Committer(self.source, self.checkpoint, 1.0, told)
        self.ownership = Ownership(
            self.intake,
            self.checkpoint,
            self.committer,
            self.dispatcher,
            self.dead_letters,
            DRAIN,
            told,
        )

    @asynccontextmanager
    async def flowing(self) -> AsyncIterator[None]:
        """Everything runs; the source has joined."""
        await self.source.start(self.ownership)
        async with self.running():
            tasks = [
                asyncio.create_task(self.intake.run()),
                asyncio.create_task(self.committer.run()),
            ]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
                ended = await asyncio.gather(*tasks, return_exceptions=True)
            failed = [one for one in ended if not isinstance(one, asyncio.CancelledError)]
            assert not failed, failed

    async def until_committed(self, positions: Mapping[Partition, int]) -> None:
        await self.until(lambda: all(self.committed.get(p) == at for p, at in positions.items()))

    def sent(self, number: int = 1) -> int:
        return len(self.members(number))


# --- the way of a record


def test_records_are_delivered_and_committed() -> None:
    async def test() -> None:
        flow = Flow()
        async with flow.flowing():
            flow.kafka.push(P0, events(0, 30))
            flow.kafka.push(P1, events(30, 12))
            await flow.until_committed({P0: 30, P1: 12})
        assert flow.sent() == 42

    run(test())


def test_the_commit_is_the_highest_position_below_which_everything_is_resolved() -> None:
    async def test() -> None:
        flow = Flow(poll_records=10)
        first = flow.kafka
        async with flow.flowing():
            flow.letters.holding = True
            first.push(P0, [*events(0, 9), b"no event", *events(9, 50)])
            await flow.until(lambda: flow.sent() == 59)
            await asyncio.sleep(5)
            assert flow.committed.get(P0, 0) == 0  # the letter is in the first span
            assert flow.source.commits == [] or max(flow.source.commits[-1].values()) == 0

    run(test())


def test_an_invalid_record_becomes_a_letter_and_is_committed_once_that_is_acknowledged() -> None:
    async def test() -> None:
        flow = Flow()
        flow.letters.refusing = True
        async with flow.flowing():
            flow.kafka.push(P0, [*events(0, 3), b"{", Hole.UNREADABLE, b""])
            await flow.until(lambda: flow.sent() == 3)
            await asyncio.sleep(30)
            assert flow.committed.get(P0, 0) == 0
            flow.letters.refusing = False
            await flow.until_committed({P0: 6})
        said = [json.loads(letter.value) for letter in flow.letters.written]
        assert [one["source"]["offset"] for one in said] == [3, 5, 4]
        assert [one["reason"] for one in said] == [
            "malformed_json",
            "malformed_json",
            "unreadable_record",
        ]

    run(test())


def test_tombstones_gaps_and_segments_without_a_route_pass() -> None:
    async def test() -> None:
        flow = Flow()
        async with flow.flowing():
            flow.kafka.push(P0, [None, Hole.GAP, event(1, "of nobody"), Hole.GAP, None])
            await flow.until_committed({P0: 5})
        assert flow.emea.calls == []
        assert flow.letters.written == []

    run(test())


def test_a_segment_with_two_routes_is_resolved_when_both_audiences_have_it() -> None:
    async def test() -> None:
        flow = Flow()
        async with flow.flowing():
            flow.emea.answer = lambda audience, _: OK if audience == "2" else SERVER_ERROR
            flow.kafka.push(P0, events(0, 5, "both"))
            await flow.until(lambda: flow.sent(2) == 5)
            await asyncio.sleep(30)
            assert flow.committed.get(P0, 0) == 0
            flow.emea.answer = lambda _, __: OK
            await flow.until_committed({P0: 5})
        assert flow.sent(2) == flow.sent(3) == 5
        assert flow.ended("delivered") == 10

    run(test())


def test_a_commit_that_failed_is_tried_again() -> None:
    async def test() -> None:
        flow = Flow()
        async with flow.flowing():
            await flow.until_committed({P0: 0, P1: 0})
            flow.source.refuse = 3
            flow.kafka.push(P0, events(0, 5))
            await flow.until_committed({P0: 5})
            tries = [one for one in flow.source.commits if one.get(P0) == 5]
            assert len(tries) == 4
            await asyncio.sleep(10)
            assert [one for one in flow.source.commits if one.get(P0) == 5] == tries

    run(test())


# --- pausing


def test_intake_pauses_when_too_much_is_pending_resumes_at_half_and_polls_on() -> None:
    async def test() -> None:
        flow = Flow(most=100, poll_records=50, linger=60.0)
        flow.emea.seconds = 5.0
        async with flow.flowing():
            flow.kafka.push(P0, events(0, 1000))
            await flow.until(lambda: flow.pauses.is_full)
            assert flow.backlog.pending == 150
            assert flow.source.paused == {P0, P1}
            polls, pending = flow.source.polls, flow.backlog.pending
            await asyncio.sleep(10)
            assert flow.source.polls > polls + 10
            assert flow.backlog.pending == pending
            flow.backlog.lower_max_rows(60)  # lanes are full at once: calls may go
            flow.dispatcher.touch(flow.backlog)
            await flow.until(lambda: not flow.pauses.is_full)
            assert flow.backlog.pending <= 100
            await flow.until(lambda: flow.sent() >= 900)
        assert max(map(len, (call.rows for call in flow.emea.calls))) <= 150

    run(test())


def test_between_half_and_full_nothing_flaps() -> None:
    async def test() -> None:
        flow = Flow(most=100, poll_records=30, qps=1.0)
        changes: list[bool] = []
        async with flow.flowing():
            flow.kafka.push(P0, events(0, 2000))
            while flow.sent() < 2000:
                if not changes or changes[-1] != flow.pauses.is_full:
                    changes.append(flow.pauses.is_full)
                assert flow.backlog.pending <= 130  # the bound, and one poll
                await asyncio.sleep(0.05)
        assert len(changes) < 50

    run(test())


def test_letters_that_cannot_be_written_pause_the_intake(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("connector.delivery.dead_letters._MOST_LETTERS", 20)

    async def test() -> None:
        flow = Flow(poll_records=10)
        flow.letters.refusing = True
        async with flow.flowing():
            flow.kafka.push(P0, [b"{"] * 100)
            await flow.until(lambda: flow.pauses.is_full)
            await asyncio.sleep(60)
            assert len(flow.dead_letters) <= 30
            flow.letters.refusing = False
            await flow.until_committed({P0: 100})
        assert len(flow.letters.written) == 100

    run(test())


def test_a_poll_that_takes_long_lets_others_run_in_between(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("connector.intake._PART_RECORDS", 10)
    monkeypatch.setattr("connector.intake._BREATH_SECONDS", -1.0)  # the clock stands meanwhile

    async def test() -> None:
        flow = Flow(poll_records=1000)
        turns: list[int] = []

        async def another() -> None:
            while True:
                turns.append(flow.checkpoint.position(P0) or 0)
                await asyncio.sleep(0)

        async with flow.flowing():
            task = asyncio.create_task(another())
            flow.kafka.push(P0, events(0, 1000))
            async with asyncio.timeout(60):
                while flow.checkpoint.position(P0) != 1000:  # noqa: ASYNC110  turn by turn
                    await asyncio.sleep(0)
            task.cancel()
            await flow.until_committed({P0: 1000})

        assert len(set(turns)) > 90

    run(test())


def test_partitions_that_change_hands_in_the_midst_of_a_poll_are_read_again_from_the_commit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("connector.intake._PART_RECORDS", 10)
    monkeypatch.setattr("connector.intake._BREATH_SECONDS", -1.0)

    async def test() -> None:
        flow = Flow(poll_records=1000, linger=0.1, most=100_000)
        async with flow.flowing():
            flow.kafka.push(P0, events(0, 1000))
            async with asyncio.timeout(60):
                while not 100 <= (flow.checkpoint.position(P0) or 0) < 900:  # noqa: ASYNC110
                    await asyncio.sleep(0)
            await flow.source.rebalance([P0, P1])
            assert flow.committed.get(P0, 0) < 900
            await flow.until_committed({P0: 1000})

        assert flow.sent() == 1000

    run(test())


# --- rebalances


class Diary:
    """Writes down, in order, what a revocation does to the parts."""

    def __init__(self, flow: Flow) -> None:
        self.steps: list[str] = []
        self._flow = flow
        self._wrap(flow.intake, "close")
        self._wrap(flow.dispatcher, "forget")
        self._wrap_coroutine(flow.committer, "commit")
        self._wrap_coroutine(flow.dispatcher, "drain")
        self._wrap_coroutine(flow.dead_letters, "flush")

    def _wrap(self, owner: object, name: str) -> None:
        inner = getattr(owner, name)

        def call() -> None:
            self.steps.append(name)
            inner()

        setattr(owner, name, call)

    def _wrap_coroutine(self, owner: object, name: str) -> None:
        inner = getattr(owner, name)

        async def call(*arguments: object) -> object:
            if not self._flow.intake.joined:  # the committer's own interval goes on
                self.steps.append(name)
            return await inner(*arguments)

        setattr(owner, name, call)


def test_revoked_closes_commits_drains_flushes_commits_and_forgets() -> None:
    async def test() -> None:
        flow = Flow(linger=60.0)
        async with flow.flowing():
            flow.kafka.push(P0, events(0, 5))
            await flow.until(lambda: flow.backlog.pending == 5)
            diary = Diary(flow)
            await flow.source.rebalance([P1])
            assert diary.steps == ["close", "drain", "commit", "flush", "commit", "forget"]
            assert flow.sent() == 5  # drained, though the linger was not over
            assert flow.committed[P0] == 5
            assert set(flow.checkpoint.partitions()) == {P1}

    run(test())


def test_records_that_arrive_after_a_revocation_began_are_dropped_and_read_again() -> None:
    async def test() -> None:
        flow = Flow()
        flow.source.is_late = True
        flow.emea.seconds = 3.0
        async with flow.flowing():
            flow.kafka.push(P0, events(0, 5))
            await flow.until(lambda: flow.dispatcher.calls == 1)
            rebalancing = asyncio.create_task(flow.source.rebalance([P0, P1]))
            await asyncio.sleep(0.1)
            assert not rebalancing.done()  # it drains
            flow.kafka.push(P0, events(5, 5))
            await asyncio.sleep(1.0)
            assert flow.backlog.pending == 5
            await rebalancing
            assert flow.committed[P0] == 5
            await flow.until_committed({P0: 10})
        assert flow.sent() == 10
        assert flow.ended("delivered") == 10
        assert flow.ended("handed_over") == 0

    run(test())


def test_what_could_not_be_sent_in_time_is_handed_over_and_read_by_the_next_owner() -> None:
    async def test() -> None:
        flow = Flow()
        flow.emea.seconds = 100.0
        async with flow.flowing():
            flow.kafka.push(P0, events(0, 5))
            await flow.until(lambda: flow.dispatcher.calls == 1)
            began = flow.now
            await flow.source.rebalance([P0])
            assert DRAIN - 1 <= flow.now - began <= DRAIN + 1
            assert flow.committed.get(P0, 0) == 0
            flow.emea.seconds = 0.05
            await asyncio.sleep(50)  # its call goes on, and nothing overtakes it
            assert flow.committed.get(P0, 0) == 0
            assert len(flow.emea.calls) == 1
            await flow.until_committed({P0: 5})
            assert len(flow.emea.calls) == 2
        assert flow.ended("delivered") == 10  # the late answer ended the first five

    run(test())


def test_a_commit_that_hangs_in_a_revocation_does_not_keep_the_partitions_for_ever() -> None:
    async def test() -> None:
        flow = Flow()
        async with flow.flowing():
            flow.kafka.push(P0, events(0, 5))
            await flow.until_committed({P0: 5})
            flow.kafka.push(P0, events(5, 5))
            flow.source.refuse = 100
            await flow.source.rebalance([P1])
            flow.source.refuse = 0
            assert flow.committed[P0] == 5
            await flow.source.rebalance([P0, P1])
            await flow.until_committed({P0: 10})

    run(test())


def test_a_broker_that_does_not_answer_costs_a_revocation_one_commit_and_no_more() -> None:
    async def test() -> None:
        flow = Flow()
        flow.source.commit_seconds = 5.0
        async with flow.flowing():
            flow.kafka.push(P0, events(0, 5))
            await flow.until(lambda: flow.backlog.pending == 5)
            began = flow.now
            await flow.source.rebalance([P1])

            assert flow.now - began <= 6.0
            assert flow.committed[P0] == 5

    run(test())


def test_a_late_commit_of_an_earlier_assignment_is_not_taken_for_the_new_one() -> None:
    async def test() -> None:
        flow = Flow()
        async with flow.flowing():
            await flow.until_committed({P0: 0, P1: 0})
            flow.kafka.push(P0, events(0, 5))
            flow.source.hold_commits = hold = asyncio.Event()
            await flow.until(lambda: any(one.get(P0) == 5 for one in flow.source.commits))
            flow.checkpoint.assign([P0, P1])  # as a new assignment does
            hold.set()
            await asyncio.sleep(0.1)
            assert flow.checkpoint.committed_position(P0) is None

    run(test())


class RecordingRate(RateLimit):
    """Remembers which parts of the allowance it was given."""

    def __init__(self, calls_per_second: float) -> None:
        super().__init__(calls_per_second, lambda at: at)
        self.parts: list[Part] = []

    def set_part(self, part: Part, now: float) -> None:
        self.parts.append(part)
        super().set_part(part, now)


def test_a_member_that_the_group_does_not_answer_sends_nothing_until_it_has_partitions_again() -> (
    None
):
    async def test() -> None:
        flow = Flow(linger=0.1)
        async with flow.flowing():
            flow.kafka.push(P0, events(0, 5))
            await flow.until_committed({P0: 5})
            flow.source.is_silent = True
            await asyncio.sleep(10.0)
            flow.kafka.push(P0, events(5, 5))
            await asyncio.sleep(10.0)
            assert flow.sent() == 5
            assert flow.backlog.pending == 5

            began = flow.now
            await flow.source.rebalance(
                [P0, P1]
            )  # expelled, and back: what it had may be another's
            assert flow.now - began < 1.0
            assert flow.sent() == 5
            await flow.until(lambda: flow.sent() == 10)

    run(test())


def test_the_share_follows_the_assignment_and_is_nothing_between() -> None:
    async def test() -> None:
        flow = Flow()
        rate = flow.dispatcher._rate = RecordingRate(10.0)
        async with flow.flowing():
            await flow.source.rebalance([P0])
            await flow.source.rebalance([])
            await flow.source.rebalance([P0, P1])
        both, half, none = Part((0, 1), 2), Part((0,), 2), Part((), 2)
        assert rate.parts == [NOTHING, both, NOTHING, half, NOTHING, none, NOTHING, both]

    run(test())


def test_leaving_is_as_a_revocation_of_all() -> None:
    async def test() -> None:
        flow = Flow(linger=60.0)
        async with flow.flowing():
            flow.kafka.push(P0, events(0, 5))
            await flow.until(lambda: flow.backlog.pending == 5)
            await flow.ownership.leave()
            assert flow.committed[P0] == 5
            flow.kafka.push(P0, events(5, 5))
            await asyncio.sleep(10)
            assert flow.backlog.pending == 0
        assert flow.sent() == 5

    run(test())


# --- reading up to the end


async def is_done(flow: Flow) -> None:
    await flow.until(flow.intake.is_done)


def test_an_empty_topic_is_done_at_once() -> None:
    async def test() -> None:
        flow = Flow(until_end=True)
        async with flow.flowing():
            await is_done(flow)
            assert flow.now < 5

    run(test())


def test_records_after_the_end_are_left() -> None:
    async def test() -> None:
        flow = Flow(until_end=True, poll_records=7)
        flow.kafka.push(P0, [*events(0, 10), Hole.UNREADABLE])
        flow.kafka.push(P1, events(10, 3))
        async with flow.flowing():
            await flow.until(lambda: flow.backlog.pending > 0)
            flow.kafka.push(P0, [Hole.UNREADABLE, *events(13, 5)])
            await is_done(flow)
            await flow.until_committed({P0: 11, P1: 3})
            await asyncio.sleep(10)
            assert flow.source.paused == {P0, P1}
            assert flow.committed == {P0: 11, P1: 3}
        assert flow.sent() == 13
        assert len(flow.letters.written) == 1

    run(test())


def test_a_rebalance_in_the_middle_reads_again_from_the_commit_up_to_the_same_end() -> None:
    async def test() -> None:
        flow = Flow(until_end=True, poll_records=10)
        flow.kafka.push(P0, events(0, 40))
        flow.kafka.push(P1, events(40, 5))
        async with flow.flowing():
            await flow.until(lambda: flow.backlog.pending > 0)
            flow.kafka.push(P0, events(50, 5))
            await flow.source.rebalance([P0])
            assert not flow.intake.is_done()
            await is_done(flow)
            await flow.until_committed({P0: 40})
            await flow.source.rebalance([P0, P1])
            await is_done(flow)
            await flow.until_committed({P1: 5})
            assert flow.committed == {P0: 40, P1: 5}

    run(test())


def test_a_member_without_partitions_is_done() -> None:
    async def test() -> None:
        flow = Flow(until_end=True)
        flow.kafka.push(P0, events(0, 5))
        async with flow.flowing():
            await flow.source.rebalance([])
            await is_done(flow)

    run(test())


def test_ends_that_nobody_tells_are_an_error_not_a_guess() -> None:
    async def test() -> None:
        flow = Flow(until_end=True)
        flow.source.ends_fail = 1
        await flow.source.start(flow.ownership)
        with pytest.raises(KafkaUnavailable):
            await flow.intake.run()

    run(test())


def test_it_is_not_done_before_it_has_joined() -> None:
    async def test() -> None:
        flow = Flow(until_end=True)
        assert not flow.intake.is_done()
        endless = Flow()
        async with endless.flowing():
            await asyncio.sleep(5)
            assert not endless.intake.is_done()

    run(test())
