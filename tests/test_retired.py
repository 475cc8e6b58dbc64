"""Routes that come and go under load: what was taken in is sent, what comes after goes where the routes lead then."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.core.identity import IdentityMap, IdentityMapping
from connector.core.outcome import Outcome
from connector.core.room import Limits
from connector.core.routing import FROM_EVENT, AudienceKey, Route, RoutingTable
from connector.delivery.bulkheads import BlockedRules
from connector.delivery.dispatcher import Bounds
from connector.formats import segment
from connector.pauses import ReadingBounds
from tests.delivery.rig import TARGETS, TIMEOUT, run
from tests.fakes.tiktok import NO_AUDIENCE, OK, SERVER_ERROR, TIMED_OUT, TOO_MANY
from tests.governance.rig import S0, Replica, entry
from tests.promises.worlds import durations, late, outcomes, some, unsteady
from tests.test_intake import P0, P1, digest_of, event, events
from tests.test_pipeline_formats import track
from tests.whole import Life, home, members_at_tiktok

ADVERTISERS = {"emea": "7", "apac": "8"}


def to(
    audience: str,
    name: str | None = None,
    slots: tuple[bool, ...] | None = None,
    *,
    sets_aside: bool = False,
) -> Route:
    return Route(name or f"segment-{audience}", AudienceKey("emea", audience), slots, sets_aside)


ONE, TWO, THREE = to("1"), to("2"), to("3")


class Reroutable(Life):
    """A life whose routes change, as connector.reload has it done."""

    def follow(self, *routes: Route) -> None:
        self.backlog.set_routes(routes)
        self.pipeline.set_routes(RoutingTable(routes, ADVERTISERS))
        self.dispatcher.touch(self.backlog)

    @asynccontextmanager
    async def flowing(self) -> AsyncIterator[None]:
        self.backlog.dismiss(asyncio.get_running_loop().time())  # the rig's, without a route
        async with super().flowing():
            task = asyncio.create_task(self._dismiss())
            try:
                yield
            finally:
                task.cancel()

    async def _dismiss(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            self.backlog.dismiss(asyncio.get_running_loop().time())

    async def taken(self) -> None:
        """Wait until everything that was written has been taken in."""
        await self.until(
            lambda: all((self.checkpoint.position(p) or 0) == at for p, at in self.ends().items())
        )

    def audiences(self) -> list[str]:
        return [one.key.audience_id for one in self.backlog]


def test_a_new_route_gets_what_comes_after_and_a_removed_one_what_came_before() -> None:
    async def test() -> None:
        life = Reroutable(linger=5.0)
        life.follow(ONE, TWO)
        async with life.flowing():
            life.kafka.push(P0, [*events(0, 50, "segment-1"), *events(0, 50, "segment-3")])
            await life.taken()
            assert life.sent() == 0
            life.follow(TWO, THREE)
            assert life.audience(1).is_retired
            life.kafka.push(P1, [*events(100, 50, "segment-1"), *events(100, 50, "segment-3")])
            await life.until_all_is_committed()
            await asyncio.sleep(2)
        assert [life.sent(number) for number in (1, 2, 3)] == [50, 0, 50]
        assert life.ended("delivered") == 100
        assert life.audiences() == ["2", "3"]

    run(test())


def test_a_retired_audience_is_gone_when_nothing_is_pending_under_way_or_in_doubt() -> None:
    async def test() -> None:
        life = Reroutable(linger=0.0)
        life.follow(ONE, TWO)
        account = life.accounts["emea"]
        async with life.flowing():
            life.emea.seconds = 10.0
            ends = iter([TIMED_OUT])
            life.emea.answer = lambda _, __: next(ends, OK)
            life.kafka.push(P0, events(0, 5))
            await life.until(lambda: life.audience(1).lane.calls == 1)
            life.follow(TWO)
            gone = life.audience(1)
            await asyncio.sleep(9)
            assert "1" in life.audiences(), "its call is under way"
            await life.until(lambda: gone in life.backlog.in_trouble)
            await life.until(lambda: life.sent() == 5)
            await asyncio.sleep(2)
            assert "1" in life.audiences(), "its first call may still be applied"
            await asyncio.sleep(TIMEOUT)
            assert life.audiences() == ["2"]
            assert gone not in account.audiences
            assert gone not in life.backlog.in_trouble
            assert life.backlog.pending == 0

    run(test())


def test_a_route_that_comes_back_in_time_finds_its_lane_with_everything_in_it() -> None:
    async def test() -> None:
        life = Reroutable(linger=5.0)
        life.follow(ONE)
        async with life.flowing():
            life.write((0, "segment-1", "entered"), (2, "segment-1", "entered"))
            await life.taken()
            first = life.audience(1)
            life.follow(TWO)
            life.write((2, "segment-1", "exited"))  # nobody's
            await life.taken()
            await asyncio.sleep(2)
            life.follow(ONE, TWO)
            assert life.audience(1) is first
            assert not first.is_retired
            life.write((0, "segment-1", "exited"))
            await life.until_all_is_committed()
        assert members_at_tiktok(life) == {"1": {digest_of(2)}}
        assert life.ended("superseded") == 1

    run(test())


def test_a_route_that_comes_back_waits_for_what_may_still_be_applied_of_its_earlier_life() -> None:
    async def test() -> None:
        life = Reroutable(linger=0.0)
        life.follow(ONE)
        async with life.flowing():
            unsteady(life, [0.1], [TIMED_OUT])
            late(life, [TIMEOUT - 1.0])
            life.write((0, "segment-1", "entered"))
            await life.until_all_is_committed()  # it was sent again, and applied
            life.follow(TWO)
            await asyncio.sleep(5)
            life.follow(ONE)
            life.write((0, "segment-1", "exited"))
            await life.until_all_is_committed()
            await asyncio.sleep(TIMEOUT)
        assert members_at_tiktok(life) == {}

    run(test())


def test_an_audience_may_be_fed_by_another_segment() -> None:
    async def test() -> None:
        life = Reroutable(linger=5.0)
        life.follow(ONE)
        async with life.flowing():
            life.write((0, "segment-1", "entered"), (2, "segment-1", "entered"))
            await life.taken()
            life.follow(to("1", "other"))
            life.write((0, "other", "exited"), (4, "other", "entered"))
            await life.until_all_is_committed()
        assert life.audience(1).segment == "other"
        assert members_at_tiktok(life) == {"1": {digest_of(2), digest_of(4)}}

    run(test())


def test_other_identities_and_another_way_when_blocked_hold_for_what_comes() -> None:
    async def test() -> None:
        life = Reroutable(linger=5.0)
        life.follow(ONE)
        async with life.flowing():
            life.write((0, "segment-1", "entered"))
            await life.taken()
            life.follow(to("1", slots=(False, True), sets_aside=True))
            assert life.audience(1).sets_aside
            life.write((2, "segment-1", "entered"))  # has an e-mail alone
            await life.until_all_is_committed()
        assert members_at_tiktok(life) == {"1": {digest_of(0)}}

    run(test())


def test_what_waits_for_a_halted_audience_is_set_aside_when_its_route_is_removed() -> None:
    async def test() -> None:
        life = Reroutable()
        life.follow(ONE, TWO)
        async with life.flowing():
            life.emea.answer = lambda audience, _: NO_AUDIENCE if audience == "1" else OK
            life.kafka.push(P0, [*events(0, 20, "segment-1"), *events(0, 5, "segment-2")])
            await life.until(lambda: life.audience(1).is_halted)
            await asyncio.sleep(60)
            assert life.committed.get(P0, 0) == 0
            life.follow(TWO)
            await life.until_all_is_committed()
            await life.until(lambda: life.audiences() == ["2"])
        assert len(life.letters.written) == 20
        assert life.ended("dead_lettered") == 20
        assert life.sent(2) == 5

    run(test())


def test_while_a_destination_is_refused_a_removed_route_waits_and_is_sent_then() -> None:
    async def test() -> None:
        life = Reroutable()
        life.follow(ONE, TWO)
        async with life.flowing():
            life.emea.answer = lambda _, __: SERVER_ERROR
            life.kafka.push(P0, events(0, 20))
            await life.until(lambda: bool(life.emea.calls))
            life.follow(TWO)
            await asyncio.sleep(300)
            assert life.letters.written == []
            assert life.audiences() == ["2", "1"]
            life.emea.answer = lambda _, __: OK
            await life.until_all_is_committed()
        assert life.sent() == 20

    run(test())


def test_an_audience_that_an_event_named_goes_with_its_route_and_comes_back_with_the_next_event() -> (
    None
):
    async def test() -> None:
        named = Route("vip", AudienceKey("emea", FROM_EVENT))
        life = Reroutable(shape=segment.FORMAT, linger=5.0)
        life.follow(TWO, named)
        async with life.flowing():
            life.kafka.push(P0, [track(1), track(2, "56")])
            await life.taken()
            assert life.audiences() == ["2", "55", "56"]
            life.follow(TWO)
            assert all(one.is_retired for one in life.backlog if one.segment == "vip")
            life.kafka.push(P0, [track(3)])
            await life.taken()
            life.follow(TWO, Route("vip", AudienceKey("emea", FROM_EVENT), sets_aside=True))
            assert not any(one.is_retired for one in life.backlog)
            assert life.backlog[AudienceKey("emea", "55")].sets_aside
            life.follow(TWO, to("55", "gold"))
            await life.until(lambda: life.audiences() == ["2", "55"])
            life.follow(TWO, named)
            life.kafka.push(P0, [track(4)])
            await life.until_all_is_committed()
        assert life.sent(55) == 2
        assert life.sent(56) == 1
        assert life.backlog[AudienceKey("emea", "55")].segment == "vip"
        assert life.letters.written == []

    run(test())


def test_a_retired_audience_gets_its_deletes_before_it_goes() -> None:
    async def test() -> None:
        replica = Replica(linger=60.0)
        async with replica.flowing():
            replica.kafka.push(P0, [event(user) for user in range(5)])
            await replica.until(lambda: replica.backlog.pending == 5)
            replica.dispatcher.flush()
            await replica.until(lambda: replica.sent() == 5)
            replica.kafka.push(P0, [event(9)])
            await replica.until(lambda: replica.backlog.pending == 1)
            replica.backlog.set_routes([TWO])
            replica.pipeline.set_routes(RoutingTable([TWO], ADVERTISERS))
            replica.kafka.push(S0, [entry(0), entry(9)])
            await replica.until(lambda: replica.sent() == 4)
            await asyncio.sleep(61)
            replica.backlog.dismiss(asyncio.get_running_loop().time())
            assert replica.sent() == 4
            assert "1" not in [one.key.audience_id for one in replica.backlog]
            assert replica.backlog.pending == 0

    run(test())


# --- limits and options


def test_other_limits_hold_for_lanes_that_are_there_and_for_those_to_come() -> None:
    async def test() -> None:
        life = Reroutable(linger=1000.0)
        life.follow(ONE)
        async with life.flowing():
            life.kafka.push(P0, events(0, 25))
            await life.taken()
            life.backlog.set_limits(Limits(10, 1_000_000, 0.5))
            life.follow(ONE, TWO)
            life.kafka.push(P0, events(100, 25, "segment-2"))
            await life.until_all_is_committed()
        assert [len(call.rows) for call in life.emea.calls] == [10, 10, 10, 10, 5, 5]

    run(test())


def test_what_tiktok_found_too_large_stays_too_large() -> None:
    async def test() -> None:
        life = Reroutable()
        life.follow(ONE)
        async with life.flowing():
            life.emea.answer = lambda _, batch: TOO_MANY if len(batch.rows) > 30 else OK
            life.kafka.push(P0, events(0, 100))
            await life.until_all_is_committed()
            life.backlog.set_limits(Limits(5000, 1_000_000, 1.0))
            refused = len(life.emea.calls)
            life.kafka.push(P0, events(200, 100))
            await life.until_all_is_committed()
            assert max(len(call.rows) for call in life.emea.calls[refused:]) == 25
            life.backlog.set_limits(Limits(7, 1_000_000, 1.0))
            smaller = len(life.emea.calls)
            life.kafka.push(P0, events(400, 21))
            await life.until_all_is_committed()
        assert [len(call.rows) for call in life.emea.calls[smaller:]] == [7, 7, 7]

    run(test())


def test_other_bounds_hold_at_once() -> None:
    async def test() -> None:
        life = Reroutable(linger=0.0, poll_records=10, qps=1000.0)
        life.follow(ONE, TWO, THREE)
        life.dispatcher.set_bounds(Bounds(1, 1, TIMEOUT))
        life.emea.seconds = 5.0
        async with life.flowing():
            for number in (1, 2, 3):
                life.kafka.push(P0, events(0, 10, f"segment-{number}"))
            await asyncio.sleep(4)
            assert life.dispatcher.calls == 1
            life.dispatcher.set_bounds(Bounds(3, 1, TIMEOUT))
            await asyncio.sleep(0.9)
            assert life.dispatcher.calls == 3
            life.pauses.set_bounds(ReadingBounds(5, 1_000_000))
            await life.until(lambda: life.pauses.is_full)
            life.pauses.set_bounds(ReadingBounds(1000, 1_000_000))
            await life.until(lambda: not life.pauses.is_full, 2)
            life.bulkheads.set_rules(BlockedRules(1, 60.0))
            life.emea.answer = lambda _, __: NO_AUDIENCE
            life.kafka.push(P0, events(50, 10, "segment-1"))
            await life.until(lambda: life.pauses.holding is life.audience(1), 60)

    run(test())


def identities(*, strip_plus: bool) -> list[IdentityMapping]:
    return [
        IdentityMapping("email", TARGETS[0], strip_plus=strip_plus),
        IdentityMapping("phone", TARGETS[1]),
    ]


def test_other_options_of_identities_leave_the_counts_as_they_are() -> None:
    mapped = IdentityMap(identities(strip_plus=False))
    tagged = {"email": "user0+tag@example.com"}
    ((before, _),) = mapped.rows(tagged)
    mapped.rows({"email": "no address"})
    mapped.set_options(identities(strip_plus=True))
    ((after, _),) = mapped.rows(tagged)

    assert before != after == digest_of(0)
    assert mapped.kinds.totals()["email", "plain"] == 2  # type: ignore[index]
    assert sum(mapped.dropped.values()) == 1


def test_other_sources_or_targets_are_no_options() -> None:
    mapped = IdentityMap(identities(strip_plus=False))
    for other in (identities(strip_plus=True)[:1], identities(strip_plus=True)[::-1]):
        with pytest.raises(ValueError, match="sources or targets"):
            mapped.set_options(other)
    ((digest, _),) = mapped.rows({"email": "user0+tag@example.com"})
    assert digest != digest_of(0)


# --- any sequence of these

SEGMENTS = ("a", "b", "both")
routings = st.one_of(
    st.sampled_from([{}, {"1": "a"}, {"1": "b"}, {"1": "a", "2": "b"}]),
    st.dictionaries(st.sampled_from(["1", "2", "3"]), st.sampled_from(SEGMENTS)),
)
steps = st.lists(
    st.one_of(
        st.tuples(
            st.integers(0, 1), st.sampled_from(SEGMENTS), st.sampled_from(["entered", "exited"])
        ),
        routings,
        st.floats(0.05, 8.0),
    ),
    min_size=1,
    max_size=14,
)


@given(steps, durations, outcomes, st.lists(st.floats(0.0, TIMEOUT), min_size=1, max_size=3))
@some
def test_each_event_goes_where_the_routes_led_when_it_was_taken_in(
    steps: Sequence[tuple[int, str, str] | dict[str, str] | float],
    durations: Sequence[float],
    ends: Sequence[Outcome],
    delays: Sequence[float],
) -> None:
    async def test() -> None:
        life = Reroutable(qps=50.0)
        # A halted audience's changes become letters when its route goes: that is another promise.
        unsteady(life, durations, [end for end in ends if end is not NO_AUDIENCE])
        late(life, delays)
        feeds = {"1": "a", "2": "b"}
        life.follow(*(to(one, name) for one, name in feeds.items()))
        expected: dict[str, set[bytes]] = defaultdict(set)
        async with life.flowing():
            for step in steps:
                if isinstance(step, float):
                    await asyncio.sleep(step)
                elif isinstance(step, dict):
                    feeds = step
                    life.follow(*(to(one, name) for one, name in feeds.items()))
                else:
                    user, name, status = step
                    life.kafka.push(home(user), [event(user, name, status)])
                    await life.taken()
                    for audience in (one for one, fed_by in feeds.items() if fed_by == name):
                        is_in = status == "entered"
                        change = expected[audience].add if is_in else expected[audience].discard
                        change(digest_of(user))
            await life.until_all_is_committed()
            await asyncio.sleep(3 * TIMEOUT)
        assert members_at_tiktok(life) == {one: who for one, who in expected.items() if who}
        assert sorted(life.audiences()) == sorted(feeds)
        assert life.backlog.pending == 0
        assert life.letters.written == []

    run(test())
