"""What usable identifiers were is counted, whichever way a profile takes."""

from hashlib import md5, sha256
from typing import Any

import pytest

from connector.core.identity import IdentityMap, IdentityMapping, Target
from connector.core.kinds import Kind

EMAIL = IdentityMapping("email", Target.EMAIL_SHA256)
PHONE = IdentityMapping("Phone", Target.PHONE_SHA256)
IDFA = IdentityMapping("idfa", Target.IDFA_MD5)

ADDRESS, NUMBER, DEVICE = "jane@b.c", "+12133734253", "5f3a2b18-9c4d-4e7f-b8e2-17d3a1e69b25"
HASHED = sha256(ADDRESS.encode()).hexdigest()
HASHED_NUMBER = sha256(NUMBER.encode()).hexdigest()
HASHED_DEVICE = md5(DEVICE.encode()).hexdigest()

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


def test_every_kind_of_every_source_is_there_before_anything_was_counted() -> None:
    totals = IdentityMap([EMAIL, PHONE]).kinds.totals()

    assert totals == {(source, kind): 0 for source in ("email", "phone") for kind in Kind}
