"""The lease: ours for sure for so long after each sign of the group, and no longer."""

from hypothesis import given
from hypothesis import strategies as st

from connector.core.lease import Lease


def test_before_the_first_sign_nothing_is_in_doubt() -> None:
    assert Lease(2.0).is_held(1e9)


def test_it_lapses_so_many_seconds_after_what_was_answered_was_sent() -> None:
    lease = Lease(2.0)
    lease.renew(10.0)

    assert lease.is_held(11.9)
    assert not lease.is_held(12.0)

    lease.renew(11.5)

    assert lease.is_held(13.4)
    assert not lease.is_held(13.5)


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0, 1e6))
def test_it_is_held_by_the_last_sign_alone(signs: list[float], later: float) -> None:
    lease = Lease(2.0)
    for at in sorted(signs):
        lease.renew(at)
    now = max(signs) + later

    assert lease.is_held(now) == (now < max(signs) + 2.0)
