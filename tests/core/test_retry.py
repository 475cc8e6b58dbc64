"""Backoff, and the gate that calls must pass."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.core.retry import Gate, State, full_jitter
from tests.core.strategies import some

bounds = st.floats(0.001, 1e6)


@some
@given(st.integers(1, 100_000), bounds, bounds, st.floats(0, 1))
def test_a_wait_is_between_nothing_and_its_bound(
    failures: int, initial: float, most: float, chance: float
) -> None:
    wait = full_jitter(failures, initial, most, chance)

    assert 0.0 <= wait <= most
    assert wait <= initial * 2.0 ** min(failures - 1, 1_000)


@pytest.mark.parametrize(
    ("failures", "bound"), [(1, 0.5), (2, 1.0), (3, 2.0), (7, 32.0), (8, 60.0), (10**9, 60.0)]
)
def test_the_bound_doubles_with_each_failure_up_to_the_most(failures: int, bound: float) -> None:
    assert full_jitter(failures, 0.5, 60.0, 1.0) == bound
    assert full_jitter(failures, 0.5, 60.0, 0.5) == bound / 2
    assert full_jitter(failures, 0.5, 60.0, 0.0) == 0.0


def test_a_gate_is_open_at_first() -> None:
    gate = Gate()

    assert gate.state is State.OPEN
    assert gate.reason is None
    assert gate.opens_at == -math.inf


def test_a_wait_is_over_by_time_but_its_failures_are_remembered() -> None:
    gate = Gate()
    gate.fail(10.0)
    gate.wait("timeout", 15.0, 10.0)

    assert (gate.reason, gate.since, gate.opens_at) == ("timeout", 10.0, 15.0)
    assert gate.state_at(14.9) is State.WAITING
    assert gate.state_at(15.0) is State.OPEN
    assert gate.fail(15.0) == 2


def test_the_longer_of_two_waits_counts_and_they_began_with_the_first() -> None:
    gate = Gate()
    gate.wait("timeout", 15.0, 10.0)
    gate.wait("not_ready", 12.0, 11.0)

    assert (gate.reason, gate.since, gate.opens_at) == ("not_ready", 10.0, 15.0)


def test_a_halt_stays_one_whatever_wants_to_wait() -> None:
    gate = Gate()
    gate.halt("token_refused", 30.0, 10.0)
    gate.wait("timeout", 99.0, 11.0)

    assert (gate.state, gate.reason, gate.since) == (State.HALTED, "token_refused", 10.0)
    assert gate.opens_at == 30.0
    assert gate.state_at(1_000.0) is State.HALTED


def test_a_halt_takes_the_place_of_a_wait() -> None:
    gate = Gate()
    gate.wait("timeout", 99.0, 10.0)
    gate.halt("token_refused", 30.0, 11.0)

    assert (gate.state, gate.since, gate.opens_at) == (State.HALTED, 11.0, 30.0)


def test_a_renewed_halt_began_with_the_first() -> None:
    gate = Gate()
    gate.halt("token_refused", 30.0, 10.0)
    gate.halt("no_permission", 60.0, 40.0)

    assert (gate.reason, gate.since, gate.opens_at) == ("no_permission", 10.0, 60.0)


def test_opening_forgets_everything() -> None:
    gate = Gate()
    gate.fail(1.0)
    gate.halt("token_refused", math.inf, 1.0)
    gate.open()

    assert (gate.state, gate.reason, gate.opens_at) == (State.OPEN, None, -math.inf)
    assert gate.fail(2.0) == 1


def test_allowing_one_try_leaves_the_state() -> None:
    gate = Gate()
    gate.halt("token_refused", math.inf, 1.0)
    gate.allow()

    assert gate.state is State.HALTED
    assert gate.opens_at == -math.inf


def test_calls_that_fail_together_count_once() -> None:
    gate = Gate()

    assert gate.fail(1.0) == 1

    gate.wait("timeout", 2.0, 1.0)

    assert gate.fail(1.5) == 1
    assert gate.fail(2.0) == 2
