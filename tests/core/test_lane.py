"""The lane's rules one by one; test_lane_model plays them all at once."""

import math
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.core.batch import Batch, Row
from connector.core.identity import Digests
from connector.core.inquiry import Inquiry
from connector.core.lane import Lane, Veto
from connector.core.model import Action
from connector.core.room import Limits
from tests.core.strategies import DIGESTS, actions, limits, row, some

ADD, DELETE = Action.ADD, Action.DELETE
CELL = 100
ROW = 3
EMPTY_CELL = 3
FRAME = 256


class Audience:
    """A lane with its superseded rows."""

    def __init__(
        self, bounds: Limits | None = None, slots: int = 1, veto: Veto | None = None
    ) -> None:
        self.superseded: list[Row] = []
        self.lane = Lane(slots, bounds or limits(), CELL, self.superseded.append, veto)

    def add(
        self, *digests: bytes | None, action: Action = ADD, at: float = 0.0, urgent: bool = False
    ) -> Row:
        new = row(digests, action, at)
        new.urgent = urgent
        self.lane.add(new)
        return new

    def cut(self, now: float = 100.0, *, draining: bool = False) -> Batch:
        batch = self.lane.cut(now, draining=draining)
        assert batch is not None
        return batch


def digests_of(batch: Batch | None) -> list[Digests]:
    return [] if batch is None else [one.digests for one in batch.rows]


def held(audience: Audience) -> int:
    return audience.lane.waiting.held.live


# The last one wins.


def test_a_newer_change_of_an_identifier_supersedes_the_older_one() -> None:
    audience = Audience()
    older = audience.add(b"a")
    newer = audience.add(b"a", action=DELETE)

    assert audience.superseded == [older]
    assert len(audience.lane) == 1
    assert audience.cut().rows == [newer]
    assert audience.lane.cut(100.0) is None


def test_a_row_keeps_what_no_newer_change_took_over() -> None:
    audience = Audience(slots=2)
    older = audience.add(b"a", b"b")
    audience.add(b"a", None, action=DELETE)

    assert audience.superseded == []
    assert older.digests == [None, b"b"]
    assert older.left == 1

    audience.add(None, b"b")

    assert audience.superseded == [older]


def test_the_same_digest_in_two_slots_is_two_identifiers() -> None:
    audience = Audience(slots=2)
    audience.add(b"a", None)
    audience.add(None, b"a", action=DELETE)

    assert audience.superseded == []
    assert len(audience.lane) == 2

    first, second = audience.cut(), audience.cut()

    assert first.columns == {0: [b"a"]}
    assert second.columns == {1: [b"a"]}


# Batches.


def test_a_batch_has_one_action_and_the_longest_waiting_goes_first() -> None:
    audience = Audience()
    audience.add(b"a", action=DELETE, at=1.0)
    audience.add(b"b", at=2.0)
    audience.add(b"c", action=DELETE, at=3.0)
    first, second = audience.cut(), audience.cut()

    assert (first.action, digests_of(first)) == (DELETE, [[b"a"], [b"c"]])
    assert (second.action, digests_of(second)) == (ADD, [[b"b"]])


def test_columns_name_only_the_slots_that_occur_in_order() -> None:
    audience = Audience(slots=4)
    audience.add(None, None, None, b"x")
    audience.add(None, b"y", None, b"z")

    assert list(audience.cut().columns.items()) == [(1, [b"y"]), (3, [b"x", b"z"])]


@pytest.mark.parametrize(
    ("bounds", "draining", "trigger"),
    [
        pytest.param(limits(max_rows=2), False, "size", id="as many rows as allowed"),
        pytest.param(limits(max_rows=2), True, "size", id="full while draining"),
        pytest.param(
            limits(max_bytes=FRAME + 2 * (CELL + ROW)), False, "bytes", id="as many bytes"
        ),
        pytest.param(limits(), False, "age", id="old enough"),
        pytest.param(limits(), True, "drain", id="draining"),
    ],
)
def test_a_batch_says_why_it_was_cut(bounds: Limits, *, draining: bool, trigger: str) -> None:
    audience = Audience(bounds)
    audience.add(b"a")
    audience.add(b"b")

    assert audience.cut(draining=draining).trigger == trigger


def test_a_row_larger_than_a_batch_goes_alone() -> None:
    audience = Audience(limits(max_bytes=10))
    audience.add(b"a")
    audience.add(b"b")

    assert digests_of(audience.cut()) == [[b"a"]]
    assert digests_of(audience.cut()) == [[b"b"]]


def test_empty_cells_count_for_the_bytes() -> None:
    one_row = CELL + 2 * EMPTY_CELL + ROW
    exact = Audience(limits(max_bytes=FRAME + 2 * one_row), slots=3)
    short = Audience(limits(max_bytes=FRAME + 2 * one_row - 1), slots=3)
    for audience in (exact, short):
        audience.add(b"a", None, None)
        audience.add(None, b"b", None)

    assert len(exact.cut().rows) == 2
    assert len(short.cut().rows) == 1


def test_rows_that_lost_everything_take_no_room_in_a_batch() -> None:
    audience = Audience(limits(max_rows=2))
    for digest in (b"a", b"b", b"a", b"b"):
        audience.add(digest)

    assert len(audience.lane) == 2
    assert digests_of(audience.cut()) == [[b"a"], [b"b"]]
    assert audience.lane.cut(100.0) is None


def test_a_lower_limit_counts_from_the_next_batch_on() -> None:
    audience = Audience(limits(max_rows=4))
    for digest in (b"a", b"b", b"c", b"d"):
        audience.add(digest)
    audience.lane.room.limits = limits(max_rows=1)

    assert len(audience.cut().rows) == 1
    assert audience.lane.due_at() <= 0.0


# When it is due.


def test_an_empty_lane_is_never_due() -> None:
    audience = Audience()

    assert audience.lane.due_at() == math.inf
    assert audience.lane.due_at(draining=True) == math.inf
    assert audience.lane.waiting.since() == math.inf
    assert audience.lane.oldest_since() == math.inf
    assert audience.lane.cut(0.0) is None


def test_a_change_lingers_for_company_but_not_while_draining() -> None:
    audience = Audience(limits(linger_seconds=2.0))
    audience.add(b"a", at=5.0)
    audience.add(b"b", at=6.0)

    assert audience.lane.due_at() == 7.0
    assert audience.lane.due_at(draining=True) == 5.0
    assert audience.lane.waiting.since() == 5.0


def test_a_full_lane_does_not_linger() -> None:
    audience = Audience(limits(max_rows=2, linger_seconds=2.0))
    audience.add(b"a", at=5.0)

    assert audience.lane.due_at() == 7.0

    audience.add(b"b", at=6.0)

    assert audience.lane.due_at() == 5.0


def test_what_a_full_batch_left_behind_lingers_from_its_own_arrival() -> None:
    audience = Audience(limits(max_rows=2, linger_seconds=2.0))
    for digest, at in ((b"a", 1.0), (b"b", 2.0), (b"c", 3.0)):
        audience.add(digest, at=at)
    audience.cut()

    assert audience.lane.due_at() == 5.0


def test_once_everything_was_cut_nothing_is_due() -> None:
    audience = Audience()
    audience.add(b"a")
    batch = audience.cut()

    assert audience.lane.due_at() == math.inf

    audience.lane.finish(batch)

    assert audience.lane.due_at() == math.inf


def test_a_change_that_takes_over_a_waiting_one_has_waited_as_long() -> None:
    audience = Audience(limits(linger_seconds=1.0))
    audience.add(b"a", at=0.0)
    audience.add(b"a", at=0.6)
    audience.add(b"a", action=DELETE, at=0.9)

    assert audience.lane.due_at() == 1.0
    assert audience.lane.waiting.since() == 0.0


@some
@given(
    hot=st.lists(st.sampled_from([ADD, DELETE]), min_size=1, max_size=40),
    step=st.sampled_from([0.01, 0.3, 0.5, 0.99]),
    noise=st.lists(st.tuples(st.sampled_from([b"x", b"y", b"z"]), actions), max_size=40),
)
def test_an_identifier_that_changes_for_ever_is_sent_all_the_same(
    hot: list[Action], step: float, noise: list[tuple[bytes, Action]]
) -> None:
    audience = Audience(limits(linger_seconds=1.0))
    waiting: dict[bytes, float] = {}
    for index, action in enumerate(hot):
        now = index * step
        while (due := audience.lane.due_at()) <= now:
            batch = audience.cut(due)
            for digest in batch.columns[0]:
                waiting.pop(digest)
            audience.lane.finish(batch)

        assert all(now < since + 1.0 + 1e-9 for since in waiting.values())
        audience.add(b"hot", action=action, at=now)
        waiting.setdefault(b"hot", now)
        if index < len(noise):
            digest, other = noise[index]
            audience.add(digest, action=other, at=now)
            waiting.setdefault(digest, now)


def test_released_rows_do_not_pass_those_that_wait() -> None:
    audience = Audience(limits(max_rows=1, linger_seconds=0.0))
    audience.add(b"hot", at=0.0)
    call = audience.cut(0.0)
    patient = audience.add(b"patient", at=1.0)
    for now in (2.0, 3.0, 4.0):
        audience.add(b"hot", at=now)
        audience.lane.finish(call)
        call = audience.cut(now)
        if patient in call.rows:
            break

    assert patient in call.rows


# The fence.


def test_a_change_of_an_identifier_under_way_is_held_until_the_call_ends() -> None:
    audience = Audience()
    audience.add(b"a")
    call = audience.cut()
    audience.add(b"a", action=DELETE)
    audience.add(b"b")

    assert len(audience.lane) == 2
    assert digests_of(audience.lane.cut(100.0)) == [[b"b"]]
    assert audience.lane.cut(100.0) is None
    assert audience.lane.due_at(draining=True) == math.inf

    audience.lane.finish(call)

    assert digests_of(audience.lane.cut(100.0)) == [[b"a"]]


def test_the_same_action_is_held_too() -> None:
    audience = Audience()
    audience.add(b"a")
    audience.cut()
    audience.add(b"a")

    assert audience.lane.cut(100.0) is None
    assert audience.lane.oldest_since() == 0.0


def test_held_changes_of_one_identifier_coalesce() -> None:
    audience = Audience()
    audience.add(b"a")
    call = audience.cut()
    older = audience.add(b"a", action=DELETE)
    audience.add(b"a")

    assert audience.superseded == [older]

    audience.lane.finish(call)

    assert audience.cut().action is ADD


def test_a_held_row_waits_for_all_its_calls() -> None:
    audience = Audience(limits(max_rows=1), slots=2)
    audience.add(b"a", None)
    audience.add(None, b"b")
    first, second = audience.cut(), audience.cut()
    audience.add(b"a", b"b")
    audience.lane.finish(first)

    assert audience.lane.cut(100.0) is None

    audience.lane.finish(second)

    assert digests_of(audience.lane.cut(100.0)) == [[b"a", b"b"]]


def test_rows_under_way_are_not_pending() -> None:
    audience = Audience()
    audience.add(b"a")
    call = audience.cut()

    assert len(audience.lane) == 0
    assert audience.lane.calls == 1

    audience.lane.finish(call)

    assert audience.lane.calls == 0


# Giving back.


def test_a_batch_that_comes_back_goes_first() -> None:
    audience = Audience(limits(max_rows=2))
    audience.add(b"a", at=1.0)
    audience.add(b"b", at=2.0)
    call = audience.cut()
    audience.add(b"c", at=3.0)
    audience.lane.finish(call)
    audience.lane.give_back(call)

    assert audience.lane.waiting.since() == 1.0
    assert digests_of(audience.cut()) == [[b"a"], [b"b"]]


def test_a_batch_comes_back_under_what_has_come_since() -> None:
    audience = Audience(slots=2)
    gone = audience.add(b"a", None)
    partly = audience.add(b"b", b"c")
    call = audience.cut()
    audience.add(b"a", None, action=DELETE)
    audience.add(b"b", None, action=DELETE)
    audience.lane.finish(call)
    audience.lane.give_back(call)

    assert audience.superseded == [gone]
    assert partly.digests == [None, b"c"]
    assert len(audience.lane) == 3


def apart(audience: Audience, call: Batch) -> None:
    """As an inquiry that has each row tried in a call of its own."""
    inquiry = Inquiry(len(call.rows))
    audience.lane.park(call, inquiry)
    audience.lane.suspects.try_apart([[row] for row in call.rows if row.left], inquiry)


def test_rows_that_are_tried_apart_have_a_call_each_at_once() -> None:
    audience = Audience(limits(linger_seconds=60.0))
    for digest in (b"a", b"b", b"c"):
        audience.add(digest)
    call = audience.cut()
    audience.lane.finish(call)
    apart(audience, call)

    assert len(audience.lane) == 3
    assert audience.lane.due_at() == math.inf  # they are nobody's ordinary turn

    singles = [audience.lane.cut_suspects() for _ in range(3)]

    assert [digests_of(one) for one in singles] == [[[b"a"]], [[b"b"]], [[b"c"]]]
    assert not audience.lane.suspects
    assert all(one.rows[0].queue is None for one in singles)


def test_a_row_that_is_to_be_tried_apart_can_be_superseded() -> None:
    audience = Audience(limits(linger_seconds=60.0))
    older = audience.add(b"a", at=1.0)
    call = audience.cut()
    audience.lane.finish(call)
    apart(audience, call)
    audience.add(b"a", action=DELETE, at=2.0)

    assert audience.superseded == [older]
    assert len(audience.lane) == 1
    assert audience.lane.due_at() == 61.0
    assert audience.cut().action is DELETE
    assert audience.lane.cut_suspects().rows == []


# Echoes.


def in_doubt(audience: Audience, *digests: bytes | None, until: float) -> None:
    """A call whose fate is unknown, and which did not come back."""
    audience.add(*digests)
    audience.lane.finish(audience.cut(0.0), echo_until=until)


def test_the_opposite_of_a_call_in_doubt_waits() -> None:
    audience = Audience(limits(linger_seconds=0.0))
    in_doubt(audience, b"a", until=15.0)
    audience.add(b"a", action=DELETE, at=1.0)

    assert audience.lane.due_at() == 15.0
    assert audience.lane.cut(14.9) is None
    assert digests_of(audience.lane.cut(15.0)) == [[b"a"]]


def test_the_same_action_as_a_call_in_doubt_may_go() -> None:
    audience = Audience()
    in_doubt(audience, b"a", until=15.0)
    audience.add(b"a", at=1.0)

    assert digests_of(audience.lane.cut(2.0)) == [[b"a"]]


def test_what_was_held_by_a_call_is_held_by_its_echo() -> None:
    audience = Audience()
    audience.add(b"a")
    call = audience.cut(0.0)
    audience.add(b"a", action=DELETE)
    audience.lane.finish(call, echo_until=15.0)
    audience.lane.give_back(call)

    assert audience.lane.cut(1.0) is None
    assert len(audience.lane) == 1

    assert digests_of(audience.lane.cut(15.0)) == [[b"a"]]


def test_only_the_identifiers_of_the_call_in_doubt_wait() -> None:
    audience = Audience(slots=2)
    in_doubt(audience, b"a", None, until=15.0)
    audience.add(None, b"a", action=DELETE)

    assert digests_of(audience.lane.cut(1.0)) == [[None, b"a"]]


def test_an_echo_outlives_the_epoch() -> None:
    audience = Audience()
    audience.add(b"a")
    call = audience.cut(0.0)
    audience.lane.forget()
    audience.add(b"a", action=DELETE)
    audience.lane.finish(call, echo_until=15.0)

    assert audience.lane.cut(14.0) is None
    assert digests_of(audience.lane.cut(15.0)) == [[b"a"]]


def test_a_lane_with_nothing_but_an_echo_is_due_at_its_end_and_then_never() -> None:
    audience = Audience()
    in_doubt(audience, b"a", until=15.0)

    assert audience.lane.due_at() == 15.0
    assert audience.lane.cut(15.0) is None
    assert audience.lane.due_at() == math.inf


def test_a_row_held_by_an_echo_has_its_turn_by_how_long_it_has_waited() -> None:
    audience = Audience()
    in_doubt(audience, b"a", until=15.0)
    audience.add(b"a", action=DELETE, at=1.0)

    assert audience.lane.waiting.since() == 1.0


# Forgetting.


def test_forgetting_gives_up_what_is_pending_held_or_apart() -> None:
    audience = Audience()
    audience.add(b"x")
    rejected = audience.cut()
    audience.lane.finish(rejected)
    apart(audience, rejected)
    audience.add(b"a", at=1.0)
    call = audience.cut()
    audience.add(b"a", action=DELETE)
    audience.add(b"b", action=DELETE)
    forgotten = audience.lane.forget()

    assert {one.digests[0] for one in forgotten} == {b"a", b"x", b"b"}
    assert len(audience.lane) == 0
    assert audience.lane.due_at(draining=True) == math.inf
    assert audience.superseded == []
    assert audience.lane.calls == 1

    audience.lane.finish(call)

    assert audience.lane.calls == 0
    assert audience.lane.cut(100.0) is None


def test_a_fence_outlives_forgetting() -> None:
    audience = Audience()
    audience.add(b"a")
    call = audience.cut()
    audience.lane.forget()
    audience.add(b"a", action=DELETE)

    assert audience.lane.cut(100.0) is None

    audience.lane.finish(call)

    assert digests_of(audience.lane.cut(100.0)) == [[b"a"]]


# What is urgent, and what must not be added.


def test_an_urgent_row_waits_for_no_company_and_goes_before_all_others() -> None:
    audience = Audience(limits(linger_seconds=5.0))
    audience.add(b"a", at=0.0)
    audience.add(b"b", action=DELETE, at=1.0)

    assert audience.lane.due_at() == 5.0

    audience.add(b"c", action=DELETE, at=2.0, urgent=True)

    assert audience.lane.due_at() == 2.0
    assert audience.lane.waiting.since() == -math.inf
    assert audience.lane.oldest_since() == 0.0
    assert digests_of(audience.cut(2.0)) == [[b"c"]]
    assert audience.lane.due_at() == 5.0


def test_what_takes_over_an_urgent_delete_is_as_urgent() -> None:
    audience = Audience(limits(linger_seconds=5.0))
    audience.add(b"a", action=DELETE, at=0.0, urgent=True)
    newer = audience.add(b"a", action=DELETE, at=1.0)

    assert audience.lane.due_at() <= 1.0
    assert newer.urgent
    assert not audience.add(b"a", at=2.0).urgent


def test_an_urgent_row_is_held_by_a_call_under_way_and_goes_first_after_it() -> None:
    audience = Audience()
    audience.add(b"a")
    call = audience.cut()
    audience.add(b"b", at=0.0)
    audience.add(b"a", action=DELETE, at=1.0, urgent=True)

    assert audience.lane.waiting.since() == 0.0

    audience.lane.finish(call)

    assert digests_of(audience.cut()) == [[b"a"]]


def test_an_urgent_row_that_failed_is_urgent_still() -> None:
    audience = Audience()
    audience.add(b"a", action=DELETE, urgent=True)
    call = audience.cut()
    audience.lane.finish(call)
    audience.lane.give_back(call)
    audience.add(b"b", action=DELETE, at=-1.0)

    assert digests_of(audience.cut()) == [[b"a"]]


def test_urgent_rows_are_not_shed() -> None:
    audience = Audience()
    audience.add(b"a", action=DELETE, urgent=True)
    audience.add(b"b")

    assert [one.digests for one in audience.lane.shed(5)] == [[b"b"]]
    assert len(audience.lane) == 1


def test_what_is_vetoed_is_left_out_when_it_is_about_to_be_added() -> None:
    audience = Audience(slots=2, veto=lambda one: [0] if one.digests[0] == b"a" else ())
    kept = audience.add(b"a", b"x")
    gone = audience.add(b"a", None)
    audience.add(b"b", None, action=DELETE)
    audience.add(b"c", None)
    batches = [audience.cut(), audience.cut()]

    assert kept.digests == [None, b"x"]
    assert audience.superseded == [gone]
    assert sorted(map(digests_of, batches), key=len) == [
        [[b"b", None]],
        [[None, b"x"], [b"c", None]],
    ]


def test_an_ordinary_delete_is_never_vetoed_and_an_urgent_one_may_be() -> None:
    audience = Audience(veto=lambda _: [0])
    audience.add(b"a", action=DELETE)

    assert digests_of(audience.cut()) == [[b"a"]]

    audience.add(b"b", action=DELETE, urgent=True)

    assert audience.lane.cut(100.0) is None


def test_a_batch_of_which_all_is_vetoed_is_none() -> None:
    audience = Audience(veto=lambda _: [0])
    audience.add(b"a")

    assert audience.lane.cut(100.0) is None
    assert len(audience.superseded) == 1
    assert len(audience.lane) == 0


def test_a_pending_change_can_be_withdrawn_and_one_under_way_cannot() -> None:
    audience = Audience()
    waiting = audience.add(b"a")

    assert audience.lane.withdraw(0, b"a")
    assert audience.superseded == [waiting]

    audience.add(b"b")
    audience.cut()

    assert not audience.lane.withdraw(0, b"b")


def test_a_call_that_deletes_adds_nothing() -> None:
    audience = Audience()
    audience.add(b"a", action=DELETE)
    audience.lane.finish(audience.cut(), echo_until=200.0)
    audience.add(b"a", action=DELETE)
    audience.cut()

    assert not audience.lane.fences.may_add(0, b"a")


def test_a_call_under_way_or_in_doubt_may_be_adding() -> None:
    audience = Audience()
    audience.add(b"a")

    assert not audience.lane.fences.may_add(0, b"a")

    call = audience.cut()

    assert audience.lane.fences.may_add(0, b"a")

    audience.lane.finish(call, echo_until=200.0)

    assert audience.lane.fences.may_add(0, b"a")
    assert not audience.lane.fences.may_add(0, b"b")


# Memory.


@pytest.mark.parametrize("slots", [1, 2])
@pytest.mark.parametrize("is_held", [False, True], ids=["ready", "held"])
def test_churn_in_a_lane_that_is_never_cut_keeps_memory_bounded(
    slots: int, *, is_held: bool
) -> None:
    audience = Audience(slots=slots)
    if is_held:
        audience.add(*[b"hot"] * slots)
        audience.cut()
    for index in range(20_000):
        audience.add(*[b"hot"] * slots, action=ADD if index % 3 else DELETE)

    queues: Iterable[int] = [len(queue.rows) for queue in audience.lane._queues()]
    assert max(queues) <= 67
    assert len(audience.lane) == 1
    assert held(audience) == is_held
    assert len(audience.superseded) == 19_999


def test_churn_over_a_few_identifiers_keeps_memory_bounded() -> None:
    audience = Audience(limits(max_rows=10), slots=2)
    for index in range(20_000):
        audience.add(DIGESTS[index % 3], DIGESTS[index % 2], action=ADD if index % 5 else DELETE)

    assert sum(len(queue.rows) for queue in audience.lane._queues()) <= 150
    assert sum(len(newest) for newest in audience.lane._newest.by_slot) == 5
