"""Segment, mParticle and RudderStack on any bytes: memberships, or a reason that quotes nothing of them."""

from collections.abc import Callable
from typing import Any, NamedTuple

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connector.errors import InvalidRecord
from connector.formats import mparticle, rudderstack, segment
from connector.formats.membership import Decode
from tests.cpu import assert_within
from tests.formats import test_mparticle, test_rudderstack, test_segment
from tests.formats.mutations import broken, decode_only, mutated, outcome_of
from tests.formats.strategies import escaped, many, to_bytes


class Vendor(NamedTuple):
    """A format: both of its ways, right events, and words in these that no detail may quote."""

    decode: Decode
    general: Decode
    events: tuple[Any, ...]
    secrets: tuple[str, ...]


SEGMENT = Vendor(
    segment.decode,
    segment._decode_any,
    (test_segment.TRACK, test_segment.IDENTIFY, test_segment.MINIMAL, test_segment.ROW),
    ("jane@", test_segment.PHONE, test_segment.IDFA, "vip", "12345"),
)
MPARTICLE = Vendor(
    mparticle.decode,
    mparticle._decode_any,
    (test_mparticle.REQUEST, test_mparticle.of_profile(audiences=[test_mparticle.AUDIENCE] * 2)),
    ("jane@", test_mparticle.IDFA, "vip", "456", "12345"),
)
RUDDERSTACK = Vendor(
    rudderstack.decode,
    rudderstack._decode_any,
    (test_rudderstack.RECORD, test_rudderstack.LIST),
    ("jane@", test_rudderstack.AUDIENCE),
)
VENDORS = (SEGMENT, MPARTICLE, RUDDERSTACK)

each = pytest.mark.parametrize("vendor", VENDORS, ids=["segment", "mparticle", "rudderstack"])


@each
@many
@given(data=st.data())
@example(data=None)
def test_any_bytes_are_memberships_or_an_invalid_record(vendor: Vendor, data: Any) -> None:
    value = b"{" * 60_000 if data is None else data.draw(st.binary() | broken(*vendor.events))

    outcome_of(vendor.decode, value, *vendor.secrets)


@each
@many
@given(data=st.data(), ascii_only=escaped)
def test_the_typed_and_the_general_way_agree(
    vendor: Vendor, data: Any, *, ascii_only: bool
) -> None:
    value = to_bytes(data.draw(mutated(*vendor.events)), ascii_only=ascii_only)
    outcome = outcome_of(vendor.decode, value, *vendor.secrets)

    assert outcome == outcome_of(vendor.general, value, *vendor.secrets)


@each
@many
@given(data=st.data())
def test_they_agree_on_broken_bytes_too(vendor: Vendor, data: Any) -> None:
    value = data.draw(broken(*vendor.events))
    outcome = outcome_of(vendor.decode, value, *vendor.secrets)

    assert outcome == outcome_of(vendor.general, value, *vendor.secrets)


@each
@many
@given(data=st.data())
def test_what_is_said_beside_an_event_changes_nothing(vendor: Vendor, data: Any) -> None:
    tree = data.draw(st.sampled_from(vendor.events))
    beside = tree | {"sentAt": data.draw(st.text() | st.integers() | st.lists(st.none()))}

    assert vendor.decode(orjson.dumps(tree)) == vendor.decode(
        to_bytes(beside, ascii_only=True)
    )  # fmt: skip


@many
@given(kinds=st.lists(st.sampled_from(["right", "update", "wrong"]), max_size=6))
def test_of_many_profiles_the_right_ones_are_kept_whatever_stands_beside_them(
    kinds: list[str],
) -> None:
    actions = {"right": "add", "update": "attribute_update", "wrong": "?"}
    profiles = [
        test_mparticle.PROFILE
        | {"mpid": str(number), "audiences": [{"audience_id": 1, "action": actions[kind]}]}
        for number, kind in enumerate(kinds)
    ]
    value = orjson.dumps(test_mparticle.request(user_profiles=profiles))
    right = [str(number) for number, kind in enumerate(kinds) if kind == "right"]
    wrong = kinds.count("wrong")

    if wrong and not right:
        with pytest.raises(InvalidRecord):
            mparticle.decode(value)
        return
    some = mparticle.decode(value)
    assert [one.profile_id for one in some] == right
    told = min(wrong, len(right))
    assert [one.problem for one in some] == ["unknown_status"] * told + [None] * (len(right) - told)


MEGABYTE = 1_000_000


def cases_of(name: str, count: int) -> list[str]:
    """One name, written so many times in upper and lower case."""
    return [
        "".join(char.upper() if number >> at & 1 else char for at, char in enumerate(name))
        for number in range(count)
    ]


CASES = {name: str(number) for number, name in enumerate(cases_of("email_sha256xyzaa", 30_000))}

PLACES: tuple[tuple[Vendor, Callable[[Any], dict[str, Any]]], ...] = (
    (SEGMENT, lambda huge: test_segment.TRACK | {"properties": huge}),
    (SEGMENT, lambda huge: {"type": "identify", "traits": huge}),
    (MPARTICLE, lambda huge: test_mparticle.request(user_profiles=huge)),
    (MPARTICLE, lambda huge: test_mparticle.of_profile(audiences=huge)),
    (MPARTICLE, lambda huge: test_mparticle.of_profile(user_identities=huge)),
    (RUDDERSTACK, lambda huge: test_rudderstack.RECORD | {"identifiers": huge}),
    (RUDDERSTACK, lambda huge: test_rudderstack.lists(add=huge)),
    (RUDDERSTACK, lambda huge: test_rudderstack.RECORD | {"context": {"externalId": huge}}),
)


@pytest.mark.parametrize(("vendor", "place"), PLACES)
@pytest.mark.parametrize(
    "huge",
    [
        pytest.param({str(n): "x" for n in range(MEGABYTE // 13)}, id="many keys"),
        pytest.param({str(n): True for n in range(MEGABYTE // 13)}, id="many booleans"),
        pytest.param({"x" * MEGABYTE: True}, id="a long key"),
        pytest.param(["x"] * (MEGABYTE // 4), id="texts"),
        pytest.param([{}] * 49_000, id="objects"),
        pytest.param([{"type": "x"}] * 49_000, id="identities"),
        pytest.param(CASES, id="one name in many cases"),
        pytest.param([{"type": name} for name in CASES], id="one type in many cases"),
    ],
)
def test_a_megabyte_takes_less_than_a_tenth_of_a_second(
    vendor: Vendor, place: Callable[[Any], dict[str, Any]], huge: Any
) -> None:
    value = orjson.dumps(place(huge))

    assert_within(0.1, lambda: decode_only(vendor.decode, value))
