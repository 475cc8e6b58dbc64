"""When audiences are due: looking only where rows may have changed it finds the same as looking everywhere."""

import math
from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from connector.core.batch import Batch, row_of
from connector.core.checkpoint import Checkpoint
from connector.core.lane import Lane
from connector.core.model import Action, Partition
from connector.core.room import Limits
from connector.core.routing import AudienceKey
from connector.delivery.accounts import Account, Audience
from connector.delivery.agenda import Agenda
from tests.core.strategies import some
from tests.fakes.tiktok import FakeDestination

Step = tuple[float, tuple[str, dict[str, Any]]]
"""How long after the one before, what, and with which arguments."""

PARTITION = Partition("members", 0)
ROWS = 3


class World:
    """One audience whose lane changes, and its agenda."""

    def __init__(self) -> None:
        self.now = 0.0
        self.agenda = Agenda()
        self.checkpoint = Checkpoint()
        self.checkpoint.assign([PARTITION])
        lane = Lane(1, Limits(ROWS, 1_000_000, 1.0), 120, lambda _: None)
        account = Account("emea", FakeDestination())
        self.audience = Audience(AudienceKey("emea", "1"), "gold", account, lane)
        self.under_way: list[Batch] = []

    def add(self, digest: bytes, action: Action, *, urgent: bool) -> None:
        span = self.checkpoint.track(PARTITION, 1, self.now, 0)
        row = row_of([digest], action, span, 0, 0, None)
        row.urgent = urgent
        self.audience.lane.add(row)
        if not self.agenda.is_true_of(self.audience, self.now):
            self.look(self.agenda)

    def cut(self) -> None:
        if (batch := self.audience.lane.cut(self.now)) is not None:
            self.under_way.append(batch)
        self.look(self.agenda)

    def finish(self, *, in_doubt: bool) -> None:
        if self.under_way:
            batch = self.under_way.pop()
            self.audience.lane.finish(batch, echo_until=self.now + 15.0 if in_doubt else None)
        self.look(self.agenda)

    def wait(self, opens_in: float) -> None:
        self.audience.gate.wait("http_5xx", self.now + opens_in, self.now)
        self.look(self.agenda)

    def look(self, agenda: Agenda) -> None:
        agenda.set(self.audience, self.audience.opens_at(2), at_once=False)

    def due_after(self, taken: Step) -> tuple[float, float]:
        """As `due`, when that has passed and this has happened."""
        pause, (name, arguments) = taken
        self.now += pause
        step: Callable[..., None] = getattr(self, name)
        step(**arguments)
        return self.due()

    def due(self) -> tuple[float, float]:
        """By the agenda, and by one that looks only now."""
        fresh = Agenda()
        self.look(fresh)
        return self.agenda.next_due(self.now), fresh.next_due(self.now)


changes = st.tuples(
    st.just("add"),
    st.fixed_dictionaries(
        {
            "digest": st.sampled_from([b"a", b"b", b"c", b"d", b"e", b"f", b"g"]),
            "action": st.sampled_from(Action),
            "urgent": st.sampled_from([False, False, False, True]),
        }
    ),
)
others = st.sampled_from(
    [("cut", {}), ("finish", {"in_doubt": False}), ("finish", {"in_doubt": True})]
)
waits = st.tuples(st.just("wait"), st.fixed_dictionaries({"opens_in": st.floats(0.1, 3.0)}))
steps = st.lists(st.tuples(st.floats(0.0, 2.0), changes | changes | others | waits), max_size=30)


@some
@given(steps)
def test_rows_that_are_added_are_never_due_later_than_they_ought_to_be(taken: list[Step]) -> None:
    world = World()
    for step in taken:
        agenda, fresh = world.due_after(step)
        assert agenda <= fresh


@some
@given(steps)
def test_nor_earlier_where_no_change_takes_over_another(taken: list[Step]) -> None:
    world = World()
    for number, (pause, (name, arguments)) in enumerate(taken):
        own = {**arguments, "digest": b"%d" % number} if name == "add" else arguments
        agenda, fresh = world.due_after((pause, (name, own)))
        assert agenda == fresh


def test_a_row_is_due_after_its_linger_though_an_echo_ends_later() -> None:
    world = World()
    world.add(b"a", Action.ADD, urgent=False)
    world.now = 2.0
    world.cut()
    world.finish(in_doubt=True)
    assert world.due()[0] == 17.0

    world.add(b"b", Action.ADD, urgent=False)

    assert world.due()[0] == 3.0


def test_nothing_is_due_of_an_empty_lane() -> None:
    world = World()
    world.cut()

    assert world.due()[0] == math.inf
