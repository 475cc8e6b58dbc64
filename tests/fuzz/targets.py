"""What is fuzzed: functions of bytes that raise when a promise about foreign bytes is broken, with seeds made by code.

Each check says by itself what is right; nothing here knows a fuzzer.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar
from zlib import crc32

from connector.configured import FORMATS
from connector.core.identity import (
    DROP_REASONS,
    MOST_VALUES,
    OTHER_SOURCE,
    IdentityMap,
    IdentityMapping,
    Target,
    Transformation,
)
from connector.core.model import Action
from connector.core.outcome import Delivered, Outcome
from connector.core.suppression import Status, SuppressionEntry
from connector.errors import InvalidRecord
from connector.formats import native, suppression
from connector.formats.membership import (
    DECODE_REASONS,
    MALFORMED_TIMESTAMP,
    MOST_BRACKETS,
    Decode,
    Membership,
)
from connector.tiktok.protocol import CODE_LABELS, classify
from tests.cpu import assert_within
from tests.fuzz.hostile import MOST_SECONDS

Result = TypeVar("Result")


class Fuzzed(NamedTuple):
    """One target.

    Attributes:
        check: raises when the bytes break a promise.
        seeds: where the search begins.
    """

    check: Callable[[bytes], None]
    seeds: Callable[[], Sequence[bytes]]


def _in_time(work: Callable[[], Result]) -> Result:
    """What the work gives; where it takes too long, it may try again."""
    began = time.process_time()
    found = work()
    if time.process_time() - began >= MOST_SECONDS:
        assert_within(MOST_SECONDS, work)
    return found


def _decoded(decode: Decode, value: bytes) -> list[Membership] | tuple[str, str]:
    try:
        return decode(value)
    except InvalidRecord as invalid:
        return invalid.reason, invalid.detail


def decoding(decode: Decode) -> Callable[[bytes], None]:
    """Memberships of the right types, or a closed reason; in time, and the same each time."""

    def check(value: bytes) -> None:
        found = _in_time(lambda: _decoded(decode, value))
        if isinstance(found, tuple):
            assert found[0] in DECODE_REASONS
        else:
            for one in found:
                assert isinstance(one.segment, str)
                assert isinstance(one.action, Action)
                assert isinstance(one.identities, Mapping)
                assert one.problem in {None, MALFORMED_TIMESTAMP}
        assert _decoded(decode, value) == found

    return check


def both_ways(value: bytes) -> None:
    """The typed and the general way of the native format agree on everything."""

    def general(bytes_: bytes) -> list[Membership]:
        return [native._decode_any(bytes_)]

    found, other = _decoded(native.decode, value), _decoded(general, value)
    if len(value) <= MOST_BRACKETS:  # what is longer may be refused before any way is taken
        assert found == other


def suppressing(value: bytes) -> None:
    """An entry of the suppression list, or a closed reason; in time, and the same each time."""
    found = _in_time(lambda: _suppressed(value))
    if isinstance(found, SuppressionEntry):
        assert isinstance(found.profile_id, str)
        assert isinstance(found.status, Status)
        assert isinstance(found.identities, Mapping)
    else:
        assert found[0] in DECODE_REASONS
    assert _suppressed(value) == found


def _suppressed(value: bytes) -> SuppressionEntry | tuple[str, str]:
    try:
        return suppression.decode(value)
    except InvalidRecord as invalid:
        return invalid.reason, invalid.detail


_MAPPINGS: Sequence[Sequence[IdentityMapping]] = (
    (
        IdentityMapping("email", Target.EMAIL_SHA256),
        IdentityMapping("phone", Target.PHONE_SHA256, default_region="US"),
        IdentityMapping("idfa", Target.IDFA_SHA256),
    ),
    (
        IdentityMapping("email", Target.EMAIL_SHA256, strip_plus=True, strip_dots=True),
        IdentityMapping("Phone", Target.PHONE_SHA256, default_region="DE"),
        IdentityMapping("idfa", Target.IDFA_MD5),
        IdentityMapping("idfa", Target.AAID_SHA256, Transformation.NEVER),
        IdentityMapping("crm", Target.EMAIL_SHA256, Transformation.ALWAYS),
    ),
)


def identifying(value: bytes) -> None:
    """Whatever JSON holds as identities: rows of digests, or a reason; every drop has a reason of the closed set."""
    try:
        tree = json.loads(value)
    except (ValueError, RecursionError):
        return
    if not isinstance(tree, dict):
        return
    for mappings in _MAPPINGS:
        _identify(IdentityMap(mappings), tree)


def _identify(identities: IdentityMap, profile: Mapping[str, Any]) -> None:
    rows = _in_time(lambda: identities.rows(profile))
    for row in rows:
        assert any(row)
        for target, digest in zip(identities.targets, row, strict=True):
            length = 16 if target.endswith("MD5") else 32
            assert digest is None or (type(digest) is bytes and len(digest) == length)
    for source, reason in identities.dropped:
        assert source in identities.sources or source == OTHER_SOURCE
        assert reason in DROP_REASONS
    if not rows:
        verdict = _in_time(lambda: _judged(identities, profile))
        assert verdict in {None, "no_identities", "no_usable_identity"}


def _judged(identities: IdentityMap, profile: Mapping[str, Any]) -> str | None:
    try:
        identities.judge(profile)
    except InvalidRecord as invalid:
        return invalid.reason
    return None


_STATUSES = (200, 201, 204, 301, 400, 401, 404, 413, 429, 500, 502, 503, -1, 999)


def classifying(value: bytes) -> None:
    """An answer's body, under a status that its bytes choose. Success is only what the body calls so."""
    status = _STATUSES[crc32(value) % len(_STATUSES)]
    outcome = _in_time(lambda: classify(status, value))
    assert isinstance(outcome, Outcome)
    assert outcome.response.label in CODE_LABELS
    if isinstance(outcome, Delivered):
        code = json.loads(value)["code"]
        assert type(code) is int
        assert code in {20001, 40050} or (code == 0 and 200 <= status < 300)


def _events() -> list[bytes]:
    event: dict[str, Any] = {
        "profile_id": "p-1",
        "segment": "s",
        "status": "entered",
        "timestamp": "2026-11-20T12:00:00.123Z",
        "identities": {"email": "jane@example.com", "phone": ["+12133734253", None]},
    }
    trees: list[Any] = [
        event,
        event | {"status": "exited", "identities": {"email": "a@b.c"}},
        event | {"timestamp": "yesterday", "extra": {"a": [1, 1.5e300, True, None, "\u00fc"]}},
        event | {"timestamp": 1_763_640_000, "identities": {}},
        event | {"segment": None},
        {key: value for key, value in event.items() if key != "identities"},
        [event],
        "entered",
    ]
    whole = [json.dumps(tree).encode() for tree in trees]
    odd = [b"", b"\xef\xbb\xbf{}", b'{"a":"\\ud800"}', b'{"a":1e999}', b'{"a":NaN}', b"[" * 2_000]
    return [*whole, *odd, json.dumps(trees[2], ensure_ascii=False).encode()]


def _entries() -> list[bytes]:
    trees: list[Any] = [
        {"profile_id": "p-1", "status": "suppressed", "identities": {"email": "jane@example.com"}},
        {"profile_id": "p-1", "status": "erased", "identities": {"phone": ["+12133734253", None]}},
        {"profile_id": "p-1", "status": "released"},
        {"profile_id": "\u00fc", "status": "erased", "identities": None, "extra": [1, {}]},
        {"profile_id": 7, "status": "entered", "identities": []},
        [],
    ]
    return [*(json.dumps(tree).encode() for tree in trees), b"", b'{"profile_id":"\\ud800"}']


def _profiles() -> list[bytes]:
    trees: list[Any] = [
        {"email": " Jane.Doe+tag@Example.com ", "phone": "(213) 373-4253"},
        {"EMAIL": ["a@b.c", None, ""], "phone": ["+49 30 123456", "030 123456"], "crm": 7},
        {"idfa": "5F3A2B18-9C4D-4E7F-B8E2-17D3A1E69B25", "email": "a" * 64},
        {"phone": ["0011 49 30 123456", "\u0661\u0662\u0663", "+1\u00a0213"], "crm": "e" * 32},
        {"email": [[], {}, True, 1.5, "\ud800@b.c"], "other": [None]},
        {"email": ["a@b.c"] * (MOST_VALUES + 2)},
        {},
    ]
    return [json.dumps(tree).encode() for tree in trees]


def _answers() -> list[bytes]:
    bodies: list[bytes] = [
        b'{"code":%d,"message":"OK","request_id":"r-1","data":{}}' % code
        for code in (0, 20001, 40001, 40002, 40007, 40011, 40050, 40100, 40105, 40133, 50000, 7)
    ]
    bodies += [b"", b"<html>", b"[]", b'{"code":"0"}', b'{"code":0.0}', b'{"code":true}']
    bodies.append(b'{"code":40002,"message":"audience is processing"}')
    return [body + b" " * spaces for body in bodies for spaces in range(3)]  # other statuses


TARGETS: Mapping[str, Fuzzed] = {
    **{name: Fuzzed(decoding(one.decode), _events) for name, one in FORMATS.items()},
    "native-with-consent": Fuzzed(decoding(native.WITH_CONSENT.decode), _events),
    "native-both-ways": Fuzzed(both_ways, _events),
    "suppression": Fuzzed(suppressing, _entries),
    "identities": Fuzzed(identifying, _profiles),
    "classifier": Fuzzed(classifying, _answers),
}

WORDS = (
    *("profile_id", "segment", "status", "identities", "timestamp", "entered", "exited"),
    *("suppressed", "erased", "released", "consent", "advertising"),
    *("email", "phone", "idfa", "crm", "code", "message", "request_id", "data", "processing"),
    *("null", "true", "false", "NaN", "1e999", "-0", "18446744073709551616", "@", "+", "00"),
    *("[", "]", "{", "}", ":", ",", '"', "\\u0000", "\\ud800", "\\ud83d\\ude00", "\ufeff"),
    *("2026-11-20T12:00:00Z", "40002", "20001", "2133734253", "\u0661", "\u0130", "\u00a0"),
)
"""What the bytes are made of, for a fuzzer that takes a dictionary."""
