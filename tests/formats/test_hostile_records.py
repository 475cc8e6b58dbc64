"""A megabyte of anything, through every decoder and on to rows: a closed reason at most, and never a long hold."""

import contextlib
from collections.abc import Iterator

import pytest

from connector.configured import FORMATS
from connector.core.identity import IdentityMap, IdentityMapping, Target
from connector.errors import InvalidRecord
from connector.formats import native
from connector.formats.membership import Decode
from tests.cpu import assert_within, like_the_service
from tests.formats.mutations import decode_only
from tests.fuzz.hostile import (
    EVENTS,
    JSON,
    MOST_SECONDS,
    PROFILES,
    event,
    event_of_profile,
)

MAPPINGS = (
    IdentityMapping("email", Target.EMAIL_SHA256),
    IdentityMapping("phone", Target.PHONE_SHA256, default_region="US"),
    IdentityMapping("idfa", Target.IDFA_SHA256),
)

every_format = pytest.mark.parametrize(
    "decode", [one.decode for one in FORMATS.values()], ids=FORMATS
)


@pytest.fixture(autouse=True, scope="module")
def _like_the_service() -> Iterator[None]:
    with like_the_service():
        yield


def to_rows(decode: Decode, value: bytes) -> None:
    identities = IdentityMap(MAPPINGS)
    with contextlib.suppress(InvalidRecord):
        for membership in decode(value):
            if not identities.rows(membership.identities):
                identities.judge(membership.identities)


@pytest.mark.parametrize(("name", "place"), EVENTS)
def test_a_megabyte_of_anything_is_decoded_or_refused_in_time(name: str, place: str) -> None:
    value = event(name, place)

    assert_within(MOST_SECONDS, lambda: decode_only(native.decode, value))


@every_format
@pytest.mark.parametrize("name", JSON)
def test_a_megabyte_alone_is_decoded_or_refused_in_time(decode: Decode, name: str) -> None:
    value = event(name, "alone")

    assert_within(MOST_SECONDS, lambda: decode_only(decode, value))


@pytest.mark.parametrize("name", PROFILES)
def test_a_megabyte_of_identities_becomes_rows_or_none_in_time(name: str) -> None:
    value = event_of_profile(name)

    assert_within(MOST_SECONDS, lambda: to_rows(native.decode, value))
