"""`python -m tests.simulation`: the tables of docs/scaling.md."""

from tests.simulation.measure import Case, Found, measure
from tests.simulation.world import Nature, Pacing, Window

_GROUPS = (
    (2, 12, 3),
    (2, 12, 5),
    (3, 7, 5),
    (2, 12, 10),
    (3, 12, 10),
    (7, 60, 10),
    (30, 60, 10),
    (100, 120, 10),
    (7, 60, 50),
    (30, 60, 50),
    (100, 120, 50),
)
_CLOCKS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.2, 30.0)
_CLOCK_GROUPS = ((3, 7, 5), (7, 60, 10), (30, 60, 50), (100, 120, 10))


def main() -> None:
    """Print them."""
    print("| calls a second | replicas | partitions | turns: used | refused | wait", end="")
    print(" | evenly: used | refused |")
    print("|---" * 8 + "|")
    for replicas, partitions, allowance in _GROUPS:
        turns, evenly = (
            measure(Case(replicas, partitions, allowance, pacing)) for pacing in Pacing
        )
        told = (_told(turns), f"{turns.longest_wait:.1f} s", _told(evenly))
        _print(allowance, replicas, partitions, *told)
    print()
    _print("clocks off by", *(f"{n}/s, {r} replicas" for r, _, n in _CLOCK_GROUPS))
    print("|---" * (1 + len(_CLOCK_GROUPS)) + "|")
    for skew in _CLOCKS:
        row = [_by_window(*group, Nature(skew=skew)) for group in _CLOCK_GROUPS]
        _print(f"{1000 * skew:g} ms", *row)


def _by_window(replicas: int, partitions: int, allowance: int, nature: Nature) -> str:
    """The use and the refusals by calendar seconds; the refusals by sliding ones."""
    calendar, sliding = (
        measure(Case(replicas, partitions, allowance, window=window, nature=nature))
        for window in Window
    )
    return (
        f"{calendar.use:.0%}, {calendar.refusals:.0f} ({sliding.use:.0%}, {sliding.refusals:.0f})"
    )


def _told(found: Found) -> str:
    return f"{found.use:.0%} | {found.refusals:.0f}"


def _print(*cells: object) -> None:
    print("|", " | ".join(map(str, cells)), "|")


if __name__ == "__main__":
    main()
