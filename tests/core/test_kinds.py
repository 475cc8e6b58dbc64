"""What usable identifiers were is counted, whichever way a profile takes."""

from hashlib import md5, sha256
from typing import Any

import pytest

from connector.core.identity import IdentityMap, IdentityMapping, Target, Transformation
from connector.core.kinds import Kind

EMAIL = IdentityMapping("email", Target.EMAIL_SHA256)
PHONE = IdentityMapping("Phone", Target.PHONE_SHA256)
IDFA = IdentityMapping("idfa", Target.IDFA_MD5)

ADDRESS, NUMBER, DEVICE = "jane@b.c", "+12133734253", "5f3a2b18-9c4d-4e7f-b8e2-17d3a1e69b25"
HASHED = sha256(ADDRESS.encode()).hexdigest()
HASHED_NUMBER = sha256(NUMBER.encode()).hexdigest()
HASHED_DEVICE = md5(DEVICE.encode()).hexdigest()
LONG = ADDRESS.rjust(64, "x")
"""As long as a digest."""

PLAIN, DIGEST, UPPER = Kind

Counted = dict[tuple[str, Kind], int]


def counted(identities: IdentityMap) -> Counted:
    return {key: number for key, number in identities.kinds.totals().items() if number}


@pytest.mark.parametrize(
    ("profile", "kinds"),
    [
        pytest.param(
            {"email": ADDRESS, "phone": NUMBER, "idfa": DEVICE},
            {("email", PLAIN): 1, ("phone", PLAIN): 1, ("idfa", PLAIN): 1},
            id="plain",
        ),
        pytest.param(
            {"email": HASHED, "phone": HASHED_NUMBER, "idfa": HASHED_DEVICE},
            {("email", DIGEST): 1, ("phone", DIGEST): 1, ("idfa", DIGEST): 1},
            id="digests",
        ),
        pytest.param(
            {"idfa": HASHED_DEVICE, "email": ADDRESS},
            {("email", PLAIN): 1, ("idfa", DIGEST): 1},
            id="one of each and one absent",
        ),
        pytest.param({"email": HASHED.upper()}, {("email", UPPER): 1}, id="upper case"),
        pytest.param({"email": HASHED.title()}, {("email", UPPER): 1}, id="mixed case"),
        pytest.param(
            {"email": f" {HASHED.upper()}", "phone": NUMBER},
            {("email", UPPER): 1, ("phone", PLAIN): 1},
            id="upper case, to be trimmed",
        ),
        pytest.param(
            {"email": [f"{HASHED.upper()}\n", HASHED]},
            {("email", UPPER): 1, ("email", DIGEST): 1},
            id="upper case, to be trimmed, in a list",
        ),
        pytest.param({"email": "5" * 64}, {("email", DIGEST): 1}, id="no letters"),
        pytest.param({"email": f" {HASHED}\n"}, {("email", DIGEST): 1}, id="to be trimmed"),
        pytest.param({"email": f" {ADDRESS}\n"}, {("email", PLAIN): 1}, id="plain, to be trimmed"),
        pytest.param(
            {"email": [ADDRESS, HASHED, HASHED.upper(), HASHED.upper(), "bad", None, ""]},
            {("email", PLAIN): 1, ("email", DIGEST): 1, ("email", UPPER): 2},
            id="a list",
        ),
        pytest.param(
            {"EMAIL": HASHED.upper(), "email": HASHED, "phone": NUMBER},
            {("email", UPPER): 1, ("email", DIGEST): 1, ("phone", PLAIN): 1},
            id="names in several cases",
        ),
        pytest.param(
            {"email": HASHED.upper(), "phone": "bad"}, {("email", UPPER): 1}, id="beside a bad one"
        ),
        pytest.param(
            {"email": HASHED, "crm": "7"}, {("email", DIGEST): 1}, id="beside an unmapped one"
        ),
        pytest.param({"email": LONG}, {("email", PLAIN): 1}, id="as long as a digest"),
        pytest.param(
            {"email": LONG.upper()}, {("email", PLAIN): 1}, id="as long as a digest, in capitals"
        ),
        pytest.param({"email": [LONG]}, {("email", PLAIN): 1}, id="as long as a digest, in a list"),
        pytest.param(
            {"email": [LONG, HASHED, f" {LONG}", HASHED.upper(), LONG[1:], f"{HASHED} ", LONG]},
            {("email", PLAIN): 4, ("email", DIGEST): 2, ("email", UPPER): 1},
            id="as long as a digest, in a list with others",
        ),
        pytest.param(
            {"email": LONG, "phone": NUMBER, "idfa": HASHED_DEVICE, "crm": "7"},
            {("email", PLAIN): 1, ("phone", PLAIN): 1, ("idfa", DIGEST): 1},
            id="as long as a digest, beside others",
        ),
        pytest.param(
            {"email": LONG, "phone": HASHED_NUMBER.upper(), "idfa": f"{HASHED_DEVICE} "},
            {("email", PLAIN): 1, ("phone", UPPER): 1, ("idfa", DIGEST): 1},
            id="each of another length than its kind has",
        ),
        pytest.param(
            {"EMAIL": LONG, "email": HASHED},
            {("email", PLAIN): 1, ("email", DIGEST): 1},
            id="as long as a digest, and a digest",
        ),
        pytest.param(
            {"email": LONG, "phone": "bad"},
            {("email", PLAIN): 1},
            id="as long as a digest, beside a bad one",
        ),
        pytest.param({"email": f" {LONG}"}, {("email", PLAIN): 1}, id="one space longer"),
        pytest.param({"email": f"{LONG[1:]} "}, {("email", PLAIN): 1}, id="as long with a space"),
        pytest.param(
            {"email": ADDRESS.ljust(64), "phone": NUMBER.center(64)},
            {("email", PLAIN): 1, ("phone", PLAIN): 1},
            id="as long with many spaces",
        ),
        pytest.param(
            {"email": [f"{LONG[1:]}\n", f" {LONG} "]}, {("email", PLAIN): 2}, id="such in a list"
        ),
        pytest.param({"email": "bad".ljust(64), "phone": "5" * 63 + "x"}, {}, id="long and bad"),
        pytest.param({"email": "bad"}, {}, id="nothing usable"),
        pytest.param({"crm": "7"}, {}, id="unmapped alone"),
        pytest.param({}, {}, id="nothing"),
    ],
)
def test_each_usable_identifier_is_counted_once_as_what_it_was(
    profile: dict[str, Any], kinds: Counted
) -> None:
    identities = IdentityMap([EMAIL, PHONE, IDFA])
    identities.rows(profile)
    assert counted(identities) == kinds

    identities.rows(profile)
    assert counted(identities) == {key: 2 * number for key, number in kinds.items()}


def test_a_source_of_two_targets_is_counted_for_each() -> None:
    identities = IdentityMap([IDFA, IDFA._replace(target=Target.AAID_SHA256)])
    identities.rows({"idfa": [DEVICE, HASHED_DEVICE]})

    assert counted(identities) == {("idfa", PLAIN): 2, ("idfa", DIGEST): 1}
    assert identities.dropped == {("idfa", "other_digest"): 1}


def test_all_six_targets_are_told_apart() -> None:
    identities = IdentityMap([IdentityMapping(f"{target}", target) for target in Target])
    identities.rows({one.lower(): "5" * (32 if "MD5" in one else 64) for one in Target})
    identities.rows({"aaid_md5": DEVICE})

    assert counted(identities) == {
        **{(target.lower(), DIGEST): 1 for target in Target},
        ("aaid_md5", PLAIN): 1,
    }


@pytest.mark.parametrize(
    ("profile", "kinds"),
    [
        pytest.param({"email": ADDRESS}, {("email", PLAIN): 1}, id="the first"),
        pytest.param({"work": HASHED}, {("work", DIGEST): 1}, id="the second"),
        pytest.param(
            {"work": HASHED.upper(), "phone": NUMBER, "crm": "7"},
            {("work", UPPER): 1, ("phone", PLAIN): 1},
            id="the second beside others",
        ),
        pytest.param({"work": LONG}, {("work", PLAIN): 1}, id="as long as a digest"),
        pytest.param({"email": None, "work": LONG}, {("work", PLAIN): 1}, id="one is null"),
        pytest.param(
            {"email": HASHED, "work": ADDRESS},
            {("email", DIGEST): 1, ("work", PLAIN): 1},
            id="both",
        ),
        pytest.param(
            {"work": f" {HASHED}", "phone": NUMBER, "email": LONG},
            {("email", PLAIN): 1, ("work", DIGEST): 1, ("phone", PLAIN): 1},
            id="both, in another order",
        ),
        pytest.param(
            {"work": HASHED.upper(), "email": "bad"}, {("work", UPPER): 1}, id="one is unusable"
        ),
        pytest.param(
            {"WORK": HASHED.upper(), "email": HASHED},
            {("email", DIGEST): 1, ("work", UPPER): 1},
            id="a name in capitals",
        ),
    ],
)
def test_two_sources_of_one_target_are_counted_each(
    profile: dict[str, Any], kinds: Counted
) -> None:
    identities = IdentityMap([EMAIL, PHONE, EMAIL._replace(source="Work")])
    identities.rows(profile)
    assert counted(identities) == kinds

    identities.rows({name: [value] for name, value in profile.items()})
    assert counted(identities) == {key: 2 * number for key, number in kinds.items()}


def test_what_was_noted_of_a_profile_that_takes_the_long_way_is_counted_once() -> None:
    """The short way has noted its first values by the time that it gives up."""
    identities = IdentityMap([EMAIL, PHONE, IDFA])
    identities.rows({"email": LONG, "phone": HASHED_NUMBER.upper(), "idfa": "bad"})
    identities.rows({"phone": f" {HASHED_NUMBER}", "idfa": "bad", "email": "bad"})
    identities.rows({"email": HASHED.upper(), "PHONE": NUMBER})
    identities.rows({"email": ADDRESS})

    assert counted(identities) == {
        ("email", PLAIN): 2,
        ("email", UPPER): 1,
        ("phone", PLAIN): 1,
        ("phone", DIGEST): 1,
        ("phone", UPPER): 1,
    }


def test_plain_values_that_must_be_plain_are_counted_whatever_their_length() -> None:
    identities = IdentityMap([EMAIL._replace(transformation=Transformation.ALWAYS)])
    identities.rows({"email": LONG})
    identities.rows({"email": [LONG, ADDRESS, HASHED]})

    assert counted(identities) == {("email", PLAIN): 3}
    assert identities.dropped == {("email", "already_hashed"): 1}


def test_more_sources_than_are_counted_by_patterns_are_counted_all_the_same() -> None:
    mappings = [IdentityMapping(f"{target}", target) for target in Target]
    identities = IdentityMap([*mappings, EMAIL, IDFA])
    assert len(identities.kinds.profiles) == 1  # of eight sources there would be 6,561 patterns
    identities.rows({"email": LONG, "idfa": DEVICE, "email_sha256": HASHED.upper()})
    identities.rows({"email": HASHED})

    assert counted(identities) == {
        ("email", PLAIN): 1,
        ("email", DIGEST): 1,
        ("idfa", PLAIN): 1,
        ("email_sha256", UPPER): 1,
    }


def test_every_kind_of_every_source_is_there_before_anything_was_counted() -> None:
    totals = IdentityMap([EMAIL, PHONE]).kinds.totals()

    assert totals == {(source, kind): 0 for source in ("email", "phone") for kind in Kind}
