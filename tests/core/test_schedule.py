"""The order of many lanes, against a dictionary that is searched anew each time."""

import math

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from connector.core.schedule import Schedule
from tests.core.strategies import many

times = st.integers(-5, 30).map(float)
items = st.sampled_from("abcd")


def test_an_empty_schedule_is_never_due() -> None:
    schedule: Schedule[str] = Schedule()

    assert schedule.next_due(0.0) == math.inf
    assert schedule.pop(0.0) is None


def test_of_those_due_the_one_that_has_waited_longest_comes_first() -> None:
    schedule: Schedule[str] = Schedule()
    schedule.set("late", 1.0, since=0.5)
    schedule.set("early", 2.0, since=0.1)

    assert schedule.next_due(0.0) == 1.0
    assert schedule.pop(0.9) is None
    assert schedule.pop(2.0) == "early"
    assert schedule.pop(2.0) == "late"
    assert schedule.pop(2.0) is None


def test_the_last_word_about_an_item_counts() -> None:
    schedule: Schedule[str] = Schedule()
    schedule.set("a", 1.0, since=0.0)
    schedule.set("a", 5.0, since=0.0)

    assert schedule.pop(4.0) is None

    schedule.set("a", math.inf, since=0.0)

    assert schedule.pop(10.0) is None
    assert schedule.next_due(10.0) == math.inf


def test_items_need_no_order_of_their_own() -> None:
    schedule: Schedule[object] = Schedule()
    first, second = object(), object()
    schedule.set(first, 1.0, since=1.0)
    schedule.set(second, 1.0, since=1.0)

    assert {schedule.pop(1.0), schedule.pop(1.0)} == {first, second}


class ScheduleModel(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.schedule: Schedule[str] = Schedule()
        self.known: dict[str, tuple[float, float]] = {}
        self.now = 0.0

    @rule(item=items, due_at=times | st.just(-math.inf), since=times)
    def put(self, item: str, due_at: float, since: float) -> None:
        self.schedule.set(item, due_at, since)
        self.known[item] = (due_at, since)

    @rule(item=items)
    def take_out(self, item: str) -> None:
        self.schedule.set(item, math.inf, 0.0)
        self.known.pop(item, None)

    @rule(seconds=st.integers(1, 5))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds

    @rule()
    def pop(self) -> None:
        due = {item: since for item, (at, since) in self.known.items() if at <= self.now}
        popped = self.schedule.pop(self.now)
        if not due:
            assert popped is None
        else:
            assert popped is not None
            assert due[popped] == min(due.values())
            del self.known[popped]

    @invariant()
    def the_next_one_due_is_known(self) -> None:
        first = min((at for at, _ in self.known.values()), default=math.inf)
        told = self.schedule.next_due(self.now)
        if first <= self.now:
            assert told <= self.now
        else:
            assert told == first


TestScheduleModel = ScheduleModel.TestCase
TestScheduleModel.settings = many
