"""Many replicas under one allowance: never broken, fully used, fair; and what it costs where clocks are wrong."""

import random

import pytest

from tests.simulation.measure import Case, measure
from tests.simulation.world import Nature, Pacing, Window, World, dealt_out, in_ranges

ALLOWANCES = (1, 3, 5, 7, 10, 20, 50)
PARTITIONS = (7, 12, 60, 100, 120)


@pytest.mark.parametrize("window", Window)
@pytest.mark.parametrize("replicas", [1, 2, 3, 7, 30, 100])
def test_the_allowance_is_kept_used_and_shared_by_partitions(replicas: int, window: Window) -> None:
    for partitions in PARTITIONS:
        for calls_per_second in ALLOWANCES:
            case = Case(replicas, partitions, calls_per_second, window=window)
            found = measure(case, seed=partitions)

            assert found.refusals == 0, case
            assert found.use >= 0.95, case
            assert found.unfairness <= 0.03, case


@pytest.mark.parametrize("replicas", [2, 3, 7, 30])
def test_partitions_that_are_assigned_in_ranges_wait_longer_and_cost_nothing_else(
    replicas: int,
) -> None:
    ranges, dealt = (
        measure(Case(replicas, 60, 10, window=Window.SLIDING, assign=assign))
        for assign in (in_ranges, dealt_out)
    )

    assert ranges.refusals == dealt.refusals == 0
    assert min(ranges.use, dealt.use) >= 0.95
    assert ranges.longest_wait > dealt.longest_wait


@pytest.mark.parametrize("replicas", [2, 3, 7, 30, 100])
def test_a_replica_waits_no_longer_than_two_of_its_turns(replicas: int) -> None:
    found = measure(Case(replicas, 120, 10))

    assert found.longest_wait <= 2 * 0.104 * replicas


@pytest.mark.parametrize(
    "nature",
    [Nature(skew=0.01), Nature(way=0.01), Nature(skew=0.005, late=0.005, way=0.005)],
    ids=str,
)
@pytest.mark.parametrize(("replicas", "calls_per_second"), [(2, 3), (7, 5), (30, 10), (100, 50)])
def test_worse_clocks_and_ways_are_borne(
    replicas: int, calls_per_second: int, nature: Nature
) -> None:
    for seed in range(3):
        found = measure(Case(replicas, 120, calls_per_second, nature=nature), seed)

        assert found.refusals <= 1.0
        assert found.use >= 0.94


@pytest.mark.parametrize(("replicas", "calls_per_second"), [(2, 3), (7, 5), (30, 10), (100, 50)])
def test_clocks_that_are_wrong_cost_calls_and_not_the_allowance(
    replicas: int, calls_per_second: int
) -> None:
    for skew in (0.05, 0.2, 30.0):
        found = measure(Case(replicas, 120, calls_per_second, nature=Nature(skew=skew)))

        assert found.refusals <= 60.0 * calls_per_second / 6.0
        assert found.use >= 0.75


def test_busy_event_loops_lose_few_turns() -> None:
    found = measure(Case(7, 60, 10, nature=Nature(late=0.01)))

    assert found.refusals == 0
    assert found.use >= 0.88


@pytest.mark.parametrize("window", Window)
@pytest.mark.parametrize("calls_per_second", [3, 10, 50])
def test_rebalances_earn_no_refusals(calls_per_second: int, window: Window) -> None:
    chance = random.Random(calls_per_second)
    world = World(calls_per_second, 1, window=window)
    world.give(dealt_out(24, 1))
    for _ in range(40):
        world.run(chance.uniform(1.0, 8.0))
        world.take_all()
        world.run(chance.choice([0.0, 0.01, 0.3]))
        world.give(dealt_out(24, chance.choice([1, 2, 3, 5, 8, 24, 30])))
    world.run(30.0)

    assert len(world.tiktok.calls) >= 0.8 * calls_per_second * (world.now - world.begun)
    assert world.tiktok.refused == []


@pytest.mark.parametrize(
    ("replicas", "partitions", "calls_per_second"), [(2, 12, 3), (3, 12, 5), (7, 60, 10)]
)
def test_replicas_that_do_not_know_of_each_other_do_worse(
    replicas: int, partitions: int, calls_per_second: int
) -> None:
    case = Case(replicas, partitions, calls_per_second, Pacing.ALONE, Window.SLIDING)
    found = measure(case)

    assert found.refusals >= 5.0
    assert found.use < 0.9
