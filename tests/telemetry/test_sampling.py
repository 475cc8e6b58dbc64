"""What repeats is told a few times a minute, and no count is lost, whatever is said and when."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from connector.telemetry.sampling import MOST_LINES, SECONDS, Sampler

KINDS = st.sampled_from("abc")
STEPS = st.lists(st.tuples(KINDS, st.floats(0.0, 2.0 * SECONDS)), max_size=200)


class Clock:
    """Seconds that stand until they are moved."""

    now = 500.0

    def __call__(self) -> float:
        return self.now


@given(STEPS)
def test_every_line_passes_or_is_told_of(steps: list[tuple[str, float]]) -> None:
    clock = Clock()
    sampler: Sampler[str] = Sampler(clock)
    passed: Counter[str] = Counter()
    told: Counter[str] = Counter()
    for kind, wait in steps:
        clock.now += wait / len(steps)
        for head, left_out in sampler.over():
            told[head] += left_out
        passed[kind] += sampler.passes(kind, kind)
    for head, left_out in sampler.rest():
        told[head] += left_out

    assert passed + told == Counter(kind for kind, _ in steps)
    assert sampler.rest() == []


@given(STEPS)
def test_no_minute_has_more_than_its_lines(steps: list[tuple[str, float]]) -> None:
    clock = Clock()
    sampler: Sampler[str] = Sampler(clock)
    passed: list[tuple[str, float]] = []
    for kind, wait in steps:
        clock.now += wait / 10.0
        sampler.over()
        if sampler.passes(kind, kind):
            passed.append((kind, clock.now))

    # A minute that begins anywhere meets two windows of a kind at most.
    for _, begin in passed:
        within = Counter(kind for kind, at in passed if begin <= at < begin + SECONDS)
        assert all(lines <= 2 * MOST_LINES for lines in within.values())


def test_a_minute_is_told_once_it_is_over_and_begins_anew() -> None:
    clock = Clock()
    sampler: Sampler[str] = Sampler(clock)
    assert [sampler.passes("a", "first") for _ in range(12)] == [True] * 10 + [False] * 2
    assert sampler.over() == []

    clock.now += SECONDS
    assert sampler.over() == [("first", 2)]
    assert sampler.over() == []
    assert sampler.passes("a", "second")


def test_a_minute_in_which_nothing_was_left_out_is_not_told() -> None:
    clock = Clock()
    sampler: Sampler[str] = Sampler(clock)
    for _ in range(10):
        sampler.passes("a", "a")

    clock.now += SECONDS
    assert sampler.over() == []


def test_memory_is_bounded_and_the_count_of_what_had_to_go_is_told() -> None:
    sampler: Sampler[int] = Sampler(Clock())
    for _ in range(15):
        sampler.passes(0, 0)
    for kind in range(1, 5000):
        assert sampler.passes(kind, kind)

    assert len(sampler._windows) <= 1000
    assert sampler.over() == [(0, 5)]
