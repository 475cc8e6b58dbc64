"""Runs a world in steady state, and tells how well the allowance was used, kept and shared."""

from collections.abc import Callable
from dataclasses import dataclass, field

from connector.core.model import Partition
from tests.simulation.world import Nature, Pacing, Window, World, dealt_out, longest_gap

MARGIN = 1.04

_WARM_UP_SECONDS = 5.0
_LEAST_SECONDS = 60.0
_ROUNDS = 3


@dataclass(frozen=True)
class Case:
    """What is simulated.

    Attributes:
        assign: gives so many partitions to so many replicas.
    """

    replicas: int
    partitions: int
    calls_per_second: int
    pacing: Pacing = Pacing.TURNS
    window: Window = Window.CALENDAR
    nature: Nature = field(default_factory=Nature)
    assign: Callable[[int, int], list[list[Partition]]] = dealt_out


@dataclass(frozen=True)
class Found:
    """What came of it.

    Attributes:
        refusals: answers 40100 in a minute.
        use: calls that were accepted, of the allowance.
        unfairness: the most by which a replica's calls differ from its part of all calls, of that part.
        longest_wait: seconds between two calls of a replica, the longest of all.
    """

    refusals: float
    use: float
    unfairness: float
    longest_wait: float


def measure(case: Case, seed: int = 1) -> Found:
    """Whole rounds of the rotation, after the beginning."""
    world = World(
        case.calls_per_second,
        seed,
        pacing=case.pacing,
        window=case.window,
        nature=case.nature,
    )
    assignment = case.assign(case.partitions, case.replicas)
    world.give(assignment, within=1.0)
    a_round = MARGIN * case.partitions / case.calls_per_second
    rounds = max(_ROUNDS, round(_LEAST_SECONDS / a_round))
    world.run(_WARM_UP_SECONDS + a_round)
    begin, seen, refused = world.now, len(world.tiktok.calls), len(world.tiktok.refused)
    world.run(rounds * a_round)
    seconds = world.now - begin
    refusals = len(world.tiktok.refused) - refused
    starts = [one.since(begin) for one in world.replicas]
    parts = [len(some) / case.partitions for some in assignment]
    return Found(
        refusals=refusals / seconds * 60.0,
        use=(len(world.tiktok.calls) - seen - refusals) / seconds / case.calls_per_second,
        unfairness=max(
            abs(len(some) / (sum(map(len, starts)) * part) - 1.0)
            for some, part in zip(starts, parts, strict=True)
            if part
        ),
        longest_wait=max(map(longest_gap, starts)),
    )
