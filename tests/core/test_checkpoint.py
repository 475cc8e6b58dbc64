"""The checkpoint: what may be committed, for any order of tracking and resolving."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    rule,
)

from connector.core.checkpoint import Checkpoint, Span
from connector.core.model import Partition
from tests.core.strategies import few

LEFT = Partition("members", 0)
RIGHT = Partition("members", 1)
OTHER = Partition("more", 0)


def assigned(*partitions: Partition) -> Checkpoint:
    checkpoint = Checkpoint()
    checkpoint.assign(partitions or (LEFT,))
    return checkpoint


def track(checkpoint: Checkpoint, *positions: int, partition: Partition = LEFT) -> list[Span]:
    return [checkpoint.track(partition, position, 0.0, position) for position in positions]


def test_nothing_is_committable_before_the_first_span() -> None:
    checkpoint = assigned()

    assert checkpoint.committable() == {}
    assert checkpoint.position(LEFT) is None


def test_a_span_is_open_until_the_intake_has_resolved_its_own_part() -> None:
    checkpoint = assigned()
    [span] = track(checkpoint, 10)
    span.open += 2
    span.resolve(2)

    assert checkpoint.committable() == {}

    span.resolve()

    assert checkpoint.committable() == {LEFT: 10}


def test_an_open_span_holds_back_all_behind_it() -> None:
    checkpoint = assigned()
    first, second, third = track(checkpoint, 10, 20, 30)
    third.resolve()
    second.resolve()

    assert checkpoint.committable() == {}

    first.resolve()

    assert checkpoint.committable() == {LEFT: 30}


def test_a_partition_does_not_wait_for_another() -> None:
    checkpoint = assigned(LEFT, RIGHT)
    track(checkpoint, 10)
    [span] = track(checkpoint, 5, partition=RIGHT)
    span.resolve()

    assert checkpoint.committable() == {RIGHT: 5}


def test_what_has_been_committed_is_not_committable_again() -> None:
    checkpoint = assigned()
    first, second = track(checkpoint, 10, 20)
    first.resolve()
    checkpoint.committed(checkpoint.committable())

    assert checkpoint.committable() == {}
    assert checkpoint.committed_position(LEFT) == 10

    second.resolve()

    assert checkpoint.committable() == {LEFT: 20}


def test_a_commit_of_a_lost_partition_is_not_remembered() -> None:
    checkpoint = assigned(LEFT)
    checkpoint.committed({RIGHT: 7})

    assert checkpoint.committed_position(RIGHT) is None


def test_a_new_epoch_forgets_everything() -> None:
    checkpoint = assigned(LEFT, RIGHT)
    first, _ = track(checkpoint, 10, 20)
    first.resolve()
    checkpoint.committed({LEFT: 10})
    epoch = checkpoint.epoch
    checkpoint.assign([LEFT])

    assert checkpoint.epoch == epoch + 1
    assert set(checkpoint.partitions()) == {LEFT}
    assert checkpoint.owns(LEFT)
    assert not checkpoint.owns(RIGHT)
    assert checkpoint.committable() == {}
    assert checkpoint.committed_position(LEFT) is None
    assert checkpoint.position(LEFT) is None
    assert checkpoint.oldest_uncommitted_ms() == {}


def test_it_counts_the_records_beyond_what_may_be_committed() -> None:
    checkpoint = assigned(LEFT, RIGHT)
    first = checkpoint.track(LEFT, 100, 0.0, 0, 3)  # compacted: fewer records than offsets
    others = [checkpoint.track(LEFT, 100 + 10 * n, 0.0, 0, 10) for n in range(1, 201)]
    checkpoint.track(RIGHT, 5, 0.0, 0, 5)

    assert checkpoint.ahead(LEFT) == 2_003

    for span in others[:-1]:
        span.resolve()  # merged behind the first: they count all the same

    assert checkpoint.ahead(LEFT) == 2_003

    first.resolve()

    assert checkpoint.ahead(LEFT) == 10
    assert checkpoint.ahead(RIGHT) == 5
    assert not checkpoint.is_settled()


def test_it_is_settled_when_everything_is_resolved() -> None:
    checkpoint = assigned()

    assert checkpoint.is_settled()

    [span] = track(checkpoint, 10)

    assert not checkpoint.is_settled()

    span.resolve()

    assert checkpoint.is_settled()
    assert checkpoint.ahead(LEFT) == 0


def test_late_resolves_of_a_forgotten_epoch_change_nothing() -> None:
    checkpoint = assigned()
    late = track(checkpoint, 10, 20, 30)
    checkpoint.assign([LEFT])
    [fresh] = track(checkpoint, 5)
    for span in late:
        span.resolve()

    assert checkpoint.committable() == {}

    fresh.resolve()

    assert checkpoint.committable() == {LEFT: 5}


def test_a_resolved_epoch_that_came_back_starts_anew() -> None:
    checkpoint = assigned()
    [span] = track(checkpoint, 10)
    span.resolve()
    checkpoint.assign([])
    checkpoint.assign([LEFT])

    assert checkpoint.committable() == {}


def test_the_oldest_uncommitted_time_is_that_of_the_first_open_span_of_a_topic() -> None:
    checkpoint = assigned(LEFT, RIGHT, OTHER)
    first = checkpoint.track(LEFT, 1, 0.0, 500)
    checkpoint.track(LEFT, 2, 0.0, 600)
    checkpoint.track(RIGHT, 1, 0.0, 550)
    checkpoint.track(OTHER, 1, 0.0, 900)

    assert checkpoint.oldest_uncommitted_ms() == {"members": 500, "more": 900}

    first.resolve()

    assert checkpoint.oldest_uncommitted_ms() == {"members": 550, "more": 900}


def test_a_span_without_a_timestamp_has_no_oldest_time() -> None:
    checkpoint = assigned()
    checkpoint.track(LEFT, 1, 0.0, -1)

    assert checkpoint.oldest_uncommitted_ms() == {}


def test_a_thousand_spans_resolved_in_any_order_commit_them_all() -> None:
    chance = random.Random(7)
    checkpoint = assigned()
    spans = track(checkpoint, *range(1, 1_001))
    open_positions = set(range(1, 1_001))
    for span in chance.sample(spans, len(spans)):
        position = span.position
        span.resolve()
        open_positions.discard(position)
        first_open = min(open_positions, default=1_001)

        assert checkpoint.committable().get(LEFT, 0) == first_open - 1
    assert kept(checkpoint) == 0


def kept(checkpoint: Checkpoint, partition: Partition = LEFT) -> int:
    """How many spans are in memory."""
    return len(checkpoint._progress[partition].spans)


@pytest.mark.parametrize("spans", [1_000, 20_000])
def test_what_one_open_span_keeps_in_memory_does_not_grow_with_what_has_passed(spans: int) -> None:
    checkpoint = assigned()
    [stuck] = track(checkpoint, 1)
    most = 0
    for position in range(2, spans):
        [span] = track(checkpoint, position)
        span.resolve()
        most = max(most, kept(checkpoint))

    assert most <= 200
    assert checkpoint.committable() == {}

    stuck.resolve()

    assert checkpoint.committable() == {LEFT: spans - 1}
    assert kept(checkpoint) == 0


@few
@given(st.lists(st.booleans(), max_size=600), st.randoms(use_true_random=False))
def test_memory_follows_what_is_open(stay: list[bool], chance: random.Random) -> None:
    checkpoint = assigned()
    open_spans: list[Span] = []
    most_open = 0
    for position, stays in enumerate(stay, 1):
        open_spans += track(checkpoint, position)
        most_open = max(most_open, len(open_spans))
        while not stays and open_spans and chance.random() < 0.9:
            open_spans.pop(chance.randrange(len(open_spans))).resolve()

        assert kept(checkpoint) <= 4 * most_open + 200


class CheckpointModel(RuleBasedStateMachine):
    """Against a list of (position, open parts) that is never merged."""

    spans = Bundle("spans")

    def __init__(self) -> None:
        super().__init__()
        self.checkpoint = assigned(LEFT, RIGHT)
        self.tracked: dict[Partition, list[tuple[int, Span]]] = {LEFT: [], RIGHT: []}
        self.open: dict[Span, int] = {}
        self.first_ms: dict[Span, int] = {}
        self.commits: dict[Partition, int] = {}

    @rule(
        target=spans,
        partition=st.sampled_from([LEFT, RIGHT]),
        step=st.integers(0, 5),
        oldest_ms=st.integers(-1, 50),
    )
    def take_a_poll(self, partition: Partition, step: int, oldest_ms: int) -> Span:
        return self.track(partition, step, oldest_ms)

    def track(self, partition: Partition, step: int, oldest_ms: int) -> Span:
        before = self.checkpoint.position(partition) or 0
        span = self.checkpoint.track(partition, before + step, 0.0, oldest_ms)
        self.tracked[partition].append((before + step, span))
        self.open[span] = 1
        self.first_ms[span] = oldest_ms
        return span

    @rule(count=st.integers(30, 120))
    def pass_by(self, count: int) -> None:
        """A stretch without any change, behind whatever is open: what merging is for."""
        for _ in range(count):
            self.resolve_parts(self.track(LEFT, 1, -1), 1)

    @rule(span=spans, parts=st.integers(1, 3))
    def add_parts(self, span: Span, parts: int) -> None:
        if self.open.get(span, 0):  # parts are added only while the intake's own part is open
            span.open += parts
            self.open[span] += parts

    @rule(span=spans, parts=st.integers(1, 4))
    def resolve_some(self, span: Span, parts: int) -> None:
        self.resolve_parts(span, min(parts, self.open.get(span, 0)))

    @rule(span=consumes(spans))
    def resolve_all(self, span: Span) -> None:
        self.resolve_parts(span, self.open.get(span, 0))

    def resolve_parts(self, span: Span, parts: int) -> None:
        if parts:
            span.resolve(parts)
            self.open[span] -= parts

    @rule()
    def commit(self) -> None:
        positions = self.checkpoint.committable()
        self.checkpoint.committed(positions)
        self.commits |= positions

    @rule()
    def begin_a_new_epoch(self) -> None:
        """Spans of the old one stay in the bundle: they are resolved late."""
        self.checkpoint.assign([LEFT, RIGHT])
        self.tracked = {LEFT: [], RIGHT: []}
        self.commits = {}

    def resolved(self, partition: Partition) -> int | None:
        """The position of the last span before the first open one."""
        position = None
        for at, span in self.tracked[partition]:
            if self.open[span]:
                break
            position = at
        return position

    @invariant()
    def committable_is_the_highest_resolved_position(self) -> None:
        expected = {
            partition: position
            for partition in (LEFT, RIGHT)
            if (position := self.resolved(partition)) is not None
            and position != self.commits.get(partition)
        }

        assert self.checkpoint.committable() == expected

    @invariant()
    def the_oldest_time_is_the_first_open_spans(self) -> None:
        firsts = [
            next((self.first_ms[span] for _, span in some if self.open[span]), -1)
            for some in self.tracked.values()
        ]
        known = [ms for ms in firsts if ms >= 0]

        assert self.checkpoint.oldest_uncommitted_ms() == ({"members": min(known)} if known else {})


TestCheckpointModel = CheckpointModel.TestCase
TestCheckpointModel.settings = few
