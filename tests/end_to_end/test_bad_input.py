"""Whatever stands in a topic: each bad record becomes one letter with its reason, and the stream goes on."""

import base64
import json
from collections.abc import Callable
from typing import Any

from connector.sandbox.generator import Event
from tests.end_to_end.deployment import Deployment, Emulator

GOOD = {
    "profile_id": "p-good",
    "segment": "vip",
    "status": "entered",
    "identities": {"email": "good@example.com"},
}


def _event(**changes: Any) -> bytes:
    return json.dumps({**GOOD, **changes}).encode()


def _without(key: str) -> bytes:
    return json.dumps({name: value for name, value in GOOD.items() if name != key}).encode()


BAD = [
    ("malformed_json", b"\xff\xfe not utf-8"),
    ("malformed_json", b'{"profile_id": "p'),
    ("malformed_json", b""),
    ("malformed_json", b"NaN"),
    ("malformed_json", _event(identities={"email": float("nan")})),
    ("malformed_json", b"[" * 100_000),
    ("malformed_json", b"x" * 990_000),
    ("not_an_object", b"[1, 2]"),
    ("not_an_object", b"null"),
    ("missing_field", _without("profile_id")),
    ("missing_field", _without("segment")),
    ("missing_field", _without("status")),
    ("missing_field", _without("identities")),
    ("wrong_type", _event(profile_id=7)),
    ("wrong_type", _event(segment=None)),
    ("wrong_type", _event(status=True)),
    ("wrong_type", _event(identities=["a@b.c"])),
    ("unknown_status", _event(status="existing")),
    ("no_identities", _event(identities={})),
    ("no_identities", _event(identities={"email": None, "phone": ""})),
    ("no_usable_identity", _event(identities={"email": "not an address"})),
    ("no_usable_identity", _event(identities={"email": 12, "phone": {"a": 1}})),
    ("no_usable_identity", _event(identities={"idfa": "00000000-0000-0000-0000-000000000000"})),
]
FILTERED = [
    None,
    _event(segment="nobody-asked"),
    _event(identities={"loyalty": "L1"}),
]
ACCEPTED = [
    _event(extra={"deep": [[[]]]}, timestamp="never"),
    _event(identities={"email": "twice@example.com"}).replace(b"{", b'{"segment": "x", ', 1),
    _event(padding="x" * 900_000, identities={"email": "large@example.com"}),
    _event(
        identities={"EMAIL": ["a@example.com", None, "b@example.com"], "phone": ["+12133734253"]}
    ),
]


def test_each_bad_record_becomes_one_letter_and_the_stream_goes_on(
    make_emulator: Callable[..., Emulator], deploy: Callable[..., Deployment]
) -> None:
    emulator = make_emulator(1)
    deployment = deploy(emulator, ["vip"])
    values = [*(value for _, value in BAD), *FILTERED, *ACCEPTED]
    deployment.feed(Event(0, b"key-%d" % number, value) for number, value in enumerate(values))
    assert deployment.run("--until-end").wait(60) == 0

    letters = deployment.letters()
    assert [one["source"]["offset"] for one in letters] == list(range(len(BAD)))
    assert [one["reason"] for one in letters] == [reason for reason, _ in BAD]
    for letter, (reason, value) in zip(letters, BAD, strict=True):
        identity = reason in {"no_identities", "no_usable_identity"}
        assert letter["stage"] == ("identity" if identity else "decode")
        assert letter["version"] == letter["attempts"] == 1
        assert not {"change", "response"} & letter.keys()
        if len(value) < 500_000:
            assert base64.b64decode(letter["payload"]) == value
        else:
            assert "payload" not in letter
            assert letter["payload_omitted"] is True
            assert letter["payload_bytes"] == len(value)
    deployment.verdict(emulator)
    assert deployment.is_all_committed()


def test_a_letter_has_the_records_key_and_its_headers(
    make_emulator: Callable[..., Emulator], deploy: Callable[..., Deployment]
) -> None:
    emulator = make_emulator(1)
    deployment = deploy(emulator, ["vip"])
    deployment.feed([Event(2, b"the-key", b"not json")])
    assert deployment.run("--until-end").wait(60) == 0
    letter = deployment.cluster.read(deployment.dead_letters, 1)[0]
    headers = dict(letter.headers)

    assert letter.key == b"the-key"
    assert headers["connector.reason"] == b"malformed_json"
    assert headers["connector.stage"] == b"decode"
    assert headers["connector.source"] == f"{deployment.topic}:2:0".encode()
    assert headers["connector.time"].endswith(b"Z")


def test_a_row_that_tiktok_rejects_becomes_a_delivery_letter(
    make_emulator: Callable[..., Emulator], deploy: Callable[..., Deployment]
) -> None:
    emulator = make_emulator(1)
    deployment = deploy(emulator, ["vip"])
    poison = "1" * 64
    emulator.faults({"endpoint": "segment/mapping", "poison": [poison]})
    emails = [poison, *(f"user-{number}@example.com" for number in range(20))]
    deployment.feed(
        Event(0, b"k%d" % number, _event(profile_id=f"p-{number}", identities={"email": email}))
        for number, email in enumerate(emails)
    )
    assert deployment.run("--until-end").wait(60) == 0
    (letter,) = deployment.letters()

    assert (letter["reason"], letter["stage"]) == ("rejected", "delivery")
    assert letter["change"]["row"] == {"EMAIL_SHA256": poison}
    assert letter["change"]["action"] == "add"
    assert letter["change"]["destination"] == "emea"
    assert letter["response"]["code"] == 40002
    assert letter["response"]["request_id"]
    assert "payload" not in letter
    members = next(iter(emulator.members().values()))
    assert len(members["EMAIL_SHA256"]) == 20
    assert deployment.is_all_committed()
