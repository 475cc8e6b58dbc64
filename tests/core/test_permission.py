"""Additions that are not permitted become deletions, with a reason; and lose what is suppressed of them."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.core.consent import Consent
from connector.core.identity import Digests
from connector.core.model import Action
from connector.core.permission import BLOCKED_REASONS, NO_CONSENT, SUPPRESSED, Permission
from connector.core.suppression import Status, SuppressionEntry, SuppressionList
from tests.formats.strategies import many

GIVEN = {"advertising": True}
CONSENT = Consent(["advertising"])


@dataclass
class Membership:
    """What the rules are asked about."""

    action: Action = Action.ADD
    profile_id: str | None = "p-1"
    consent: object = None


def suppressed(*rows: Digests, profile: str = "p-1") -> SuppressionList:
    found = SuppressionList(b"salt")
    found.apply(SuppressionEntry(profile, Status.SUPPRESSED, {}), rows)
    return found


@pytest.mark.parametrize(
    ("permission", "consent", "reason"),
    [
        (Permission(None, None), None, None),
        (Permission(CONSENT, None), GIVEN, None),
        (Permission(CONSENT, None), None, NO_CONSENT),
        (Permission(None, suppressed()), None, SUPPRESSED),
        (Permission(None, suppressed(profile="p-2")), None, None),
        (Permission(None, SuppressionList(b"salt")), None, None),
        (Permission(CONSENT, suppressed()), GIVEN, SUPPRESSED),
        (Permission(CONSENT, suppressed()), None, NO_CONSENT),
    ],
)
def test_an_addition_is_judged(permission: Permission, consent: object, reason: str | None) -> None:
    membership = Membership(consent=consent)

    assert permission.judge(membership) == reason
    assert membership.action is (Action.ADD if reason is None else Action.DELETE)
    assert reason is None or reason in BLOCKED_REASONS


def test_an_exit_passes() -> None:
    membership = Membership(Action.DELETE)

    assert Permission(CONSENT, suppressed()).judge(membership) is None
    assert membership.action is Action.DELETE


def test_without_a_profile_nobody_is_known_to_be_suppressed() -> None:
    assert Permission(None, suppressed()).judge(Membership(profile_id=None)) is None


def test_a_list_that_grows_is_asked_anew() -> None:
    listed = SuppressionList(b"salt")
    permission = Permission(None, listed)
    assert permission.judge(Membership()) is None

    listed.apply(SuppressionEntry("p-1", Status.ERASED, {}), [])
    assert permission.judge(Membership()) == SUPPRESSED


ROWS: list[Digests] = [[b"a", b"b"], [b"c", None]]


@pytest.mark.parametrize(
    ("listed", "left"),
    [
        ([b"x", b"y"], None),
        ([b"b", b"a"], None),  # in each other's place they are other identifiers
        ([b"a", None], [[None, b"b"], [b"c", None]]),
        ([b"c", None], [[b"a", b"b"]]),
        ([b"a", b"b"], [[b"c", None]]),
    ],
)
def test_the_rows_lose_what_is_suppressed(listed: Digests, left: list[Digests] | None) -> None:
    rows = [row.copy() for row in ROWS]

    assert Permission(None, suppressed(listed)).clear(rows) == left
    assert rows == ROWS


def test_rows_may_lose_all() -> None:
    assert Permission(None, suppressed(*ROWS)).clear(ROWS) == []


def test_without_a_list_nothing_is_lost() -> None:
    assert Permission(CONSENT, None).clear(ROWS) is None
    assert Permission(CONSENT, SuppressionList(b"salt")).clear(ROWS) is None


digests = st.sampled_from([None, b"a", b"b", b"c", b"d"])
rows_of = st.lists(st.lists(digests, min_size=2, max_size=2), max_size=4)


@many
@given(listed=rows_of, rows=rows_of.filter(lambda rows: all(map(any, rows))))
def test_what_is_left_is_what_is_not_listed(listed: list[Digests], rows: list[Digests]) -> None:
    names = {(slot, one) for row in listed for slot, one in enumerate(row) if one is not None}
    kept = [[None if (slot, one) in names else one for slot, one in enumerate(row)] for row in rows]

    left = Permission(None, suppressed(*listed, profile="of another")).clear(rows)

    assert (rows if left is None else left) == [row for row in kept if any(row)]
    assert (left is None) is (kept == rows)
