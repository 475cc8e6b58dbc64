"""Bounds on CPU time that hold on a busy machine too, and still fail for work that is too much.

Neighbours on the machine can halve its speed for a while: beside each try a known amount of work is measured, and
counted is the CPU time on a machine that does it at its usual speed.
"""

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_TRIES = 10
"""A neighbour may slow down the work and not what is measured beside it."""

_OBJECTS = 20_000
_USUAL_SECONDS = 0.002
"""That many small objects are made in it."""


def assert_within(seconds: float, work: Callable[[], object]) -> None:
    """Fail if the work takes more CPU time than that, in each of ten tries."""
    best = float("inf")
    before = slowness()
    for _ in range(_TRIES):
        began = time.process_time()
        work()
        took = time.process_time() - began
        after = slowness()
        best = min(best, took / min(before, after))
        if best < seconds:
            return
        before = after
    raise AssertionError(f"it takes {best:.3f} s of CPU time, and may take {seconds} s")


def slowness() -> float:
    """How many times longer than usual the machine takes just now; never less than 1."""
    began = time.process_time()
    for number in range(_OBJECTS):
        {"number": [number]}  # noqa: B018
    return max(1.0, (time.process_time() - began) / _USUAL_SECONDS)


@contextmanager
def like_the_service() -> Iterator[None]:
    """What was made before is kept from the garbage collector, as the service keeps what its start has made."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
