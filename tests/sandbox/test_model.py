import hashlib
import json
from collections.abc import Sequence
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.sandbox.digests import digest_of
from connector.sandbox.model import Identity, Model, Route

JANE = "d6117306485ed0e50afab3ac871e98f81699151f30281527d63ff5f233656c69"
ALICE = "848a771458438fc2ec420560d769fb9b9b86851ee338ec56517baabd79d3bb4f"
PHONE = "9f7ec22d72092cd3c0b58726ed9c2d91b92e51a3f29837508fb2948bb22dd2fd"
DEVICE = "83dc3f5f32b9472613b0f038d36f22585a609d018af6f6067f50da318bf354bd"
UUID = "5f3a2b18-9c4d-4e7f-b8e2-17d3a1e69b25"
ZERO = "00000000-0000-0000-0000-000000000000"

IDENTITIES = (
    Identity("email", "EMAIL_SHA256"),
    Identity("crm", "email_lc_sha256"),
    Identity("phone", "phone_sha256_E.164", "US"),
    Identity("idfa", "IDFA"),
    Identity("gaid", "GAID"),
)
ROUTES = (
    Route("all", "1"),
    Route("mail", "2", ("EMAIL_SHA256",)),
    Route("both", "3"),
    Route("both", "4", ("IDFA",)),
)


def _model() -> Model:
    return Model(ROUTES, IDENTITIES)


def _event(identities: Any, segment: Any = "all", status: Any = "entered", **more: Any) -> bytes:
    event = {"profile_id": "p", "segment": segment, "status": status, "identities": identities}
    return json.dumps({**event, **more}).encode()


def _verdict(value: bytes | None) -> str:
    model = _model()
    model.apply(2, 5, value)
    assert model.counts.total == 1
    assert model.invalid == ({(2, 5)} if model.counts.invalid else set())
    return next(name for name, count in vars(model.counts).items() if count)


@pytest.mark.parametrize(
    ("value", "target", "digest"),
    [
        ("janedoe@gmail.com", "EMAIL_SHA256", JANE),
        (" JaneDoe@Gmail.com\n", "EMAIL_SHA256", JANE),
        (JANE, "EMAIL_SHA256", JANE),
        (f" {JANE.upper()} ", "EMAIL_SHA256", JANE),
        (" ALICE_abc@gmail.com ", "EMAIL_SHA256", ALICE),
        ("+12133734253", "PHONE_SHA256", PHONE),
        ("+1 (213) 373-4253", "PHONE_SHA256", PHONE),
        ("+1.213.373.4253", "PHONE_SHA256", PHONE),
        ("(213) 373-4253", "PHONE_SHA256", PHONE),
        ("1-213-373-4253", "PHONE_SHA256", PHONE),
        (UUID, "IDFA_SHA256", DEVICE),
        (UUID.upper(), "AAID_SHA256", DEVICE),
        (UUID.upper(), "IDFA_MD5", hashlib.md5(UUID.encode()).hexdigest()),
        ("0" * 32, "IDFA_MD5", "0" * 32),
    ],
)
def test_digests_are_those_of_the_published_examples(value: str, target: str, digest: str) -> None:
    assert digest_of(value, target, region="US") == digest


@pytest.mark.parametrize(
    ("value", "target"),
    [
        ("", "EMAIL_SHA256"),
        ("nobody", "EMAIL_SHA256"),
        ("@example.com", "EMAIL_SHA256"),
        ("a@b@example.com", "EMAIL_SHA256"),
        ("a b@example.com", "EMAIL_SHA256"),
        ("a@localhost", "EMAIL_SHA256"),
        ("a@.com", "EMAIL_SHA256"),
        ("a@com.", "EMAIL_SHA256"),
        (f"x{JANE}", "EMAIL_SHA256"),
        (JANE[:-1], "EMAIL_SHA256"),
        (hashlib.sha256(b"").hexdigest(), "EMAIL_SHA256"),
        (hashlib.sha256(b"null").hexdigest().upper(), "PHONE_SHA256"),
        (hashlib.sha256(b"undefined").hexdigest(), "EMAIL_SHA256"),
        (hashlib.sha256(b"none").hexdigest(), "EMAIL_SHA256"),
        (hashlib.sha256(ZERO.encode()).hexdigest(), "IDFA_SHA256"),
        (hashlib.md5(ZERO.encode()).hexdigest(), "IDFA_MD5"),
        ("+123456", "PHONE_SHA256"),
        ("+1234567890123456", "PHONE_SHA256"),
        ("+02133734253", "PHONE_SHA256"),
        ("12345", "PHONE_SHA256"),
        ("213 373 4253 ext. 7", "PHONE_SHA256"),
        (ZERO, "IDFA_SHA256"),
        (UUID.replace("-", ""), "IDFA_SHA256"),
        (UUID[:-1], "IDFA_SHA256"),
    ],
)
def test_what_identifies_nobody_has_no_digest(value: str, target: str) -> None:
    assert digest_of(value, target, region="US") is None


def test_a_number_without_a_country_needs_a_region() -> None:
    assert digest_of("2133734253", "PHONE_SHA256") is None
    assert digest_of("+12133734253", "PHONE_SHA256") == PHONE


def test_options_of_a_mapping() -> None:
    assert digest_of(JANE, "EMAIL_SHA256", transformation="always") is None
    assert digest_of("janedoe@gmail.com", "EMAIL_SHA256", transformation="never") is None
    assert digest_of(JANE.upper(), "EMAIL_SHA256", transformation="never") == JANE
    assert digest_of("jane.doe+x@gmail.com", "EMAIL_SHA256", strip_plus=True) != JANE
    stripped = digest_of("j.ane.doe+x@gmail.com", "EMAIL_SHA256", strip_plus=True, strip_dots=True)
    assert stripped == JANE
    assert digest_of("+x@gmail.com", "EMAIL_SHA256", strip_plus=True) is None


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b" ",
        b"{",
        b"null",
        b"[]",
        b"NaN",
        b"\xff\xfe",
        _event({"email": "a@b.co"}).decode().encode("utf-16"),
        _event({"email": "a@b.co"}) + b"}",
        _event({"email": "a@b.co"}, more=float("nan")),
        b"[" * 100_000,
        _event({"email": "a@b.co"}, segment=1),
        _event({"email": "a@b.co"}, segment=None),
        _event({"email": "a@b.co"}, status="joined"),
        _event({"email": "a@b.co"}, status=["entered"]),
        _event({"email": "a@b.co"}, profile_id=7),
        _event([{"email": "a@b.co"}]),
        _event(None),
        _event({}),
        _event({"email": None}),
        _event({"email": "nobody"}),
        _event({"email": 42, "phone": {"value": "+12133734253"}}),
        _event({"email": [], "idfa": ZERO}),
        _event({"email": "nobody", "loyalty": "L1"}),
        _event({"phone": "12345"}, segment="mail"),
    ],
)
def test_invalid(value: bytes | None) -> None:
    assert _verdict(value) == "invalid"


@pytest.mark.parametrize(
    "value",
    [
        None,
        _event({"email": "a@b.co"}, segment="of nobody"),
        _event({}, segment="of nobody"),
        _event({"email": "nobody"}, segment="of nobody"),
        _event({"loyalty": "L1"}),
        _event({"loyalty": "L1", "email": ""}),
        _event({"idfa": UUID}, segment="mail"),
        _event({"idfa": UUID, "email": "nobody"}, segment="mail"),
    ],
)
def test_filtered(value: bytes | None) -> None:
    assert _verdict(value) == "filtered"


@pytest.mark.parametrize(
    "value",
    [
        _event({"email": "a@b.co"}),
        _event({"EMAIL": "a@b.co"}),
        _event({"email": [None, "nobody", "a@b.co"]}),
        _event({"email": "nobody", "idfa": UUID}),
        _event({"email": "a@b.co"}, timestamp="yesterday"),
        _event({"email": "a@b.co"}, timestamp=7, extra=[1]),
        _event({"email": "a@b.co"}, segment="both"),
        _event({"email": "a@b.co"}, status="exited"),
    ],
)
def test_accepted(value: bytes | None) -> None:
    assert _verdict(value) == "accepted"


def test_all_values_of_all_sources_are_members_of_their_type() -> None:
    model = _model()
    given = {"email": ["a@b.co", "janedoe@gmail.com"], "crm": "c@d.co", "idfa": UUID, "gaid": UUID}
    model.apply(0, 0, _event(given, segment="both"))
    mails = {hashlib.sha256(one).hexdigest() for one in (b"a@b.co", b"c@d.co")}
    assert model.audiences["3"] == {
        "EMAIL_SHA256": mails | {JANE},
        "IDFA_SHA256": {DEVICE},
        "AAID_SHA256": {DEVICE},
    }
    assert model.audiences["4"] == {"IDFA_SHA256": {DEVICE}}
    assert model.audiences["1"] == {}


_MAILS = st.sampled_from([f"{name}@b.co" for name in "abcd"])
_NAMED = st.dictionaries(
    st.sampled_from(["email", "crm", "phone", "idfa", "gaid", "loyalty"]),
    st.lists(st.one_of(_MAILS, st.just(UUID), st.just("+12133734253"), st.none(), st.integers())),
)
_EVENTS = st.lists(
    st.builds(
        _event,
        _NAMED,
        st.sampled_from(["all", "mail", "both", "none"]),
        st.sampled_from(["entered", "exited"]),
    )
)


def _audiences(
    events: list[bytes], identities: Sequence[Identity] = IDENTITIES
) -> dict[str, dict[str, set[str]]]:
    model = Model(ROUTES, identities)
    for offset, event in enumerate(events):
        model.apply(0, offset, event)
    return {
        one: {kind: digests for kind, digests in kinds.items() if digests}
        for one, kinds in model.audiences.items()
    }


@given(_EVENTS, st.permutations(IDENTITIES))
def test_the_order_of_the_mapping_changes_nothing(
    events: list[bytes], permuted: list[Identity]
) -> None:
    assert _audiences(events) == _audiences(events, permuted)


@given(_NAMED, st.randoms(use_true_random=False))
def test_the_order_within_an_event_changes_nothing(named: dict[str, Any], random: Random) -> None:
    items = list(named.items())
    random.shuffle(items)
    shuffled = {name: random.sample(values, len(values)) for name, values in items}
    assert _audiences([_event(named)]) == _audiences([_event(shuffled)])


@given(_EVENTS, _NAMED)
def test_entering_and_leaving_is_leaving(events: list[bytes], named: dict[str, Any]) -> None:
    entered, exited = _event(named), _event(named, status="exited")
    assert _audiences([*events, entered, exited]) == _audiences([*events, exited])


@given(_EVENTS)
def test_reading_the_last_event_again_changes_nothing(events: list[bytes]) -> None:
    assert _audiences([*events, *events[-1:]]) == _audiences(events)


@given(_EVENTS)
def test_reading_all_again_changes_nothing(events: list[bytes]) -> None:
    assert _audiences([*events, *events]) == _audiences(events)


@given(st.binary())
def test_any_bytes_get_one_verdict(value: bytes) -> None:
    assert _verdict(value) in ("filtered", "invalid")
