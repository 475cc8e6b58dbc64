"""From a segment to its audiences, and what of a row each may have."""

import pytest

from connector.core.identity import Digests, Target
from connector.core.routing import AudienceKey, Route, by_segment, slots_of

TARGETS = (Target.EMAIL_SHA256, Target.PHONE_SHA256, Target.IDFA_SHA256)


def route(segment: str = "gold", audience: str = "1", *only: Target) -> Route:
    return Route(segment, AudienceKey("emea", audience), slots_of(TARGETS, only or None))


@pytest.mark.parametrize(
    ("only", "row", "kept"),
    [
        pytest.param((), [b"e", None, b"i"], [b"e", None, b"i"], id="all"),
        pytest.param((Target.EMAIL_SHA256,), [b"e", b"p", None], [b"e", None, None], id="one"),
        pytest.param(
            (Target.IDFA_SHA256, Target.EMAIL_SHA256),
            [b"e", b"p", b"i"],
            [b"e", None, b"i"],
            id="two",
        ),
        pytest.param((Target.PHONE_SHA256,), [b"e", None, b"i"], None, id="none of them"),
    ],
)
def test_a_route_keeps_the_digests_its_audience_takes(
    only: tuple[Target, ...], row: Digests, kept: Digests | None
) -> None:
    assert route("gold", "1", *only).restrict(row) == kept


@pytest.mark.parametrize("only", [(), TARGETS], ids=["unrestricted", "restricted"])
def test_each_route_has_a_list_of_its_own(only: tuple[Target, ...]) -> None:
    row: Digests = [b"e", b"p", b"i"]
    own = route("gold", "1", *only).restrict(row)

    assert own == row
    assert own is not row


def test_a_restriction_is_a_mask_over_the_slots() -> None:
    assert slots_of(TARGETS, None) is None
    assert slots_of(TARGETS, [Target.PHONE_SHA256]) == (False, True, False)
    assert slots_of(TARGETS, [Target.AAID_MD5]) == (False, False, False)


def test_a_segment_feeds_all_its_audiences_in_their_order() -> None:
    first, other, second = route("gold", "1"), route("lost", "2"), route("gold", "3")

    assert by_segment([first, other, second]) == {"gold": (first, second), "lost": (other,)}
    assert by_segment([]) == {}
