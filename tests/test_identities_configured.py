"""From the configuration's identities and routes to the digests that an audience gets."""

from hashlib import md5, sha256
from pathlib import Path
from typing import Any

import pytest

from connector.configured import identity_map, routes_of
from connector.core.identity import Digests
from tests.settings.trees import load_tree, right

ADDRESS, NUMBER, DEVICE = "j.ane+x@b.c", "+12133734253", "5f3a2b18-9c4d-4e7f-b8e2-17d3a1e69b25"


def sha(text: str) -> bytes:
    return sha256(text.encode()).digest()


def rows(folder: Path, identities: list[dict[str, Any]], profile: dict[str, Any]) -> list[Digests]:
    settings = load_tree(folder, {**right(), "identities": identities})
    return identity_map(settings).rows(profile)


@pytest.mark.parametrize(
    ("options", "value", "row"),
    [
        pytest.param({}, ADDRESS, [sha(ADDRESS)], id="told apart: plain"),
        pytest.param({}, sha(ADDRESS).hex(), [sha(ADDRESS)], id="told apart: a digest"),
        pytest.param({"transformation": "auto"}, sha("x").hex(), [sha("x")], id="auto"),
        pytest.param({"transformation": "always"}, ADDRESS, [sha(ADDRESS)], id="always: plain"),
        pytest.param({"transformation": "always"}, sha("x").hex(), None, id="always: a digest"),
        pytest.param({"transformation": "never"}, ADDRESS, None, id="never: plain"),
        pytest.param({"transformation": "never"}, sha("x").hex(), [sha("x")], id="never: a digest"),
        pytest.param({"strip_plus": True}, ADDRESS, [sha("j.ane@b.c")], id="plus"),
        pytest.param({"strip_dots": True}, ADDRESS, [sha("jane+x@b.c")], id="dots"),
        pytest.param(
            {"strip_plus": True, "strip_dots": True}, ADDRESS, [sha("jane@b.c")], id="plus and dots"
        ),
        pytest.param({"target": "email_lc_sha256"}, "A@B.C", [sha("a@b.c")], id="its alias"),
        pytest.param({"target": "phone_sha256_E.164"}, NUMBER, [sha(NUMBER)], id="a phone's alias"),
        pytest.param({"target": "PHONE_SHA256"}, NUMBER[2:], None, id="no region"),
        pytest.param(
            {"target": "PHONE_SHA256", "default_region": "US"},
            NUMBER[2:],
            [sha(NUMBER)],
            id="a region",
        ),
        pytest.param({"target": "IDFA"}, DEVICE.upper(), [sha(DEVICE)], id="a device id's alias"),
        pytest.param({"target": "GAID"}, DEVICE, [sha(DEVICE)], id="the other's alias"),
        pytest.param(
            {"target": "AAID_MD5"}, DEVICE, [md5(DEVICE.encode()).digest()], id="MD5: plain"
        ),
        pytest.param({"target": "IDFA_MD5"}, "5A" * 16, [b"\x5a" * 16], id="MD5: a digest"),
        pytest.param({"target": "IDFA_MD5"}, "5A" * 32, None, id="MD5: another digest"),
    ],
)
def test_the_options_of_an_identity_reach_its_values(
    tmp_path: Path, options: dict[str, Any], value: str, row: Digests | None
) -> None:
    identities = [{"source": "id", "target": "EMAIL_SHA256", **options}]

    assert rows(tmp_path, identities, {"ID": value}) == ([] if row is None else [row])


def test_several_values_and_several_sources_are_zipped_into_the_targets_in_their_order(
    tmp_path: Path,
) -> None:
    identities = [
        {"source": "phone", "target": "PHONE_SHA256"},
        {"source": "home", "target": "EMAIL_SHA256"},
        {"source": "work", "target": "email_lc_sha256"},
    ]
    profile = {"work": "w@b.c", "home": ["1@b.c", None, "2@b.c"], "phone": [None, NUMBER]}

    assert rows(tmp_path, identities, profile) == [
        [None, sha("1@b.c")],
        [sha(NUMBER), None],
        [None, sha("2@b.c")],
        [None, sha("w@b.c")],
    ]


@pytest.mark.parametrize(
    ("only", "taken"),
    [
        (None, [sha("a@b.c"), sha(NUMBER)]),
        (["EMAIL_SHA256"], [sha("a@b.c"), None]),
        (["phone_sha256_E.164"], [None, sha(NUMBER)]),
        (["PHONE_SHA256", "email_lc_sha256"], [sha("a@b.c"), sha(NUMBER)]),
    ],
)
def test_a_route_takes_the_identities_that_it_names(
    tmp_path: Path, only: list[str] | None, taken: Digests
) -> None:
    tree = right()
    if only is not None:
        tree["routes"][0]["identities"] = only
    settings = load_tree(tmp_path, tree)
    identities = identity_map(settings)
    first, second = routes_of(settings, identities)
    [row] = identities.rows({"email": "a@b.c", "phone": NUMBER})

    assert first.restrict(row) == taken
    assert second.restrict(row) == row


def test_a_route_that_takes_nothing_of_a_profile_gets_no_row(tmp_path: Path) -> None:
    tree = right()
    tree["routes"][0]["identities"] = ["EMAIL_SHA256"]
    settings = load_tree(tmp_path, tree)
    identities = identity_map(settings)
    [row] = identities.rows({"phone": NUMBER})

    assert routes_of(settings, identities)[0].restrict(row) is None
