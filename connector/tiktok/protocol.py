"""TikTok's Business API v1.3 as pure functions: a batch to a request's body, an answer to an outcome.

Owns every fact about TikTok's wire format and return codes, as data. Does no IO and knows no lane.

Facts and where they come from: the body of segment/mapping as public connectors (Segment, RudderStack) and a
field-by-field Go client write it; return codes and their advice from TikTok's own tables as transcribed in
2026-08. TikTok answers nearly everything with HTTP 200 and says in the body's `code` what happened.
"""

from collections.abc import Sequence
from typing import Any

import orjson

from connector.core.batch import Batch
from connector.core.identity import Target
from connector.core.outcome import (
    CONNECTION,
    NO_PERMISSION,
    TIMEOUT,
    TOO_MANY_IDS,
    Delivered,
    Halted,
    Outcome,
    Rejected,
    Response,
    Retryable,
    Scope,
)

SEGMENT_MAPPING = "segment/mapping"
USER_INFO = "user/info"
AUDIENCE_GET = "dmp/custom_audience/get"
AUDIENCE_LIST = "dmp/custom_audience/list"

_WARNINGS = {20001: "partial_success", 40050: "duplicate_request"}

_RATE: dict[int, tuple[str, Scope]] = {
    40100: ("rate_limited", Scope.APP),
    40016: ("rate_limited", Scope.APP),
    40133: ("advertiser_rate_limited", Scope.DESTINATION),
    40132: ("source_rate_limited", Scope.AUDIENCE),
}

_RETRYABLE = {
    40011: TOO_MANY_IDS,
    40201: "not_ready",
    40202: "write_conflict",
    40902: "fetch_failed",
    40903: "fetch_failed",
    40913: "fetch_failed",
}

_BUSY_TEXTS = ("processing", "not editable", "unfinished replace")
"""What a 40002 says when the audience is merely busy; every other 40002 is a fault of the batch."""

AUDIENCE_BUSY = "audience_busy"
TIKTOK_ERROR = "tiktok_error"
UNKNOWN_CODE = "unknown_code"
HTTP_ERROR = "http_error"
NOT_AN_ENVELOPE = "not_an_envelope"

RETRY_REASONS = tuple(
    dict.fromkeys(
        (
            *(reason for reason, _ in _RATE.values()),
            *_RETRYABLE.values(),
            *(AUDIENCE_BUSY, TIKTOK_ERROR, UNKNOWN_CODE),
            *(HTTP_ERROR, NOT_AN_ENVELOPE, TIMEOUT, CONNECTION),
        )
    )
)
"""Why a call may have to be made again."""

_HALTED: dict[int, tuple[str, Scope]] = {
    40001: (NO_PERMISSION, Scope.DESTINATION),
    40007: ("audience_missing", Scope.AUDIENCE),
    40006: ("api_unavailable", Scope.DESTINATION),
    40008: ("api_unavailable", Scope.DESTINATION),
    40009: ("api_unavailable", Scope.DESTINATION),
    40010: ("api_unavailable", Scope.DESTINATION),
    40014: ("api_unavailable", Scope.DESTINATION),
    40051: ("api_unavailable", Scope.DESTINATION),
    40013: ("account_missing", Scope.DESTINATION),
    40300: ("advertiser_missing", Scope.DESTINATION),
    40301: ("advertiser_missing", Scope.DESTINATION),
    41000: ("region_refused", Scope.DESTINATION),
    41001: ("api_unavailable", Scope.DESTINATION),
    41002: ("api_unavailable", Scope.DESTINATION),
    40118: ("not_allow_listed", Scope.DESTINATION),
}

_AUTHORIZATION = range(40101, 40200)
"""Bad, expired, revoked, missing: whatever stands here and is not a rate is the token's or the app's fault."""

_REJECTED = {40000: "bad_parameters", 40002: "bad_parameters", 40700: "validation_failed"}

_KNOWN_CODES = frozenset(
    (
        *(0, *_WARNINGS, *_RATE, *_RETRYABLE, *_HALTED, *_REJECTED),
        *(40101, 40102, 40104, 40105, 40106, 40110, 40113, 40115, 40119, 40124, 40125),
        *(40200, 40900, 50000, 50002, 51305, 60001),
    )
)

_MOST_BRACKETS = 20_000
"""Of `[` and `{` in an answer: TikTok's have some dozens, and half a million lists hold the event loop for 0.1 seconds."""

HTTP_5XX = "http_5xx"
OTHER = "other"

CODE_LABELS = (*sorted(str(code) for code in _KNOWN_CODES), HTTP_5XX, TIMEOUT, CONNECTION, OTHER)
"""All values of the metric label `code`."""


def cell_bytes(audience_id: str) -> int:
    """The most bytes that one identifier takes in a body: a cell with a SHA-256 digest, and a comma."""
    return len(_cell_start()) + 64 + len(_cell_end(audience_id).encode()) + 1


def mapping_body(
    advertiser_id: str, audience_id: str, batch: Batch, targets: Sequence[Target]
) -> bytes:
    """The body of POST /segment/mapping/ for a batch.

    `id_schema` names the targets that occur, in configured order; each row has one cell per position, `{}`
    where the user has none. Written by joining prepared text, a tenth of the cost of a JSON encoder; every
    part that is not a digest of ours goes through one.
    """
    head = {
        "advertiser_ids": [advertiser_id],
        "action": batch.action.value,
        "id_schema": [targets[slot].value for slot in batch.columns],
    }
    rows = _rows(batch, _cell_start(), _cell_end(audience_id))
    return f'{orjson.dumps(head)[:-1].decode()},"batch_data":[[{rows}]]}}'.encode()


def _rows(batch: Batch, start: str, end: str) -> str:
    """The cells of all rows, between the brackets of the first and those of the last."""
    columns = {slot: _in_hex(digests) for slot, digests in batch.columns.items()}
    if all(len(column) == len(batch.rows) for column in columns.values()):
        rows = map(f"{end},{start}".join, zip(*columns.values(), strict=True))
        return f"{start}{f'{end}],[{start}'.join(rows)}{end}"
    cells = [
        [f"{start}{next(rest)}{end}" if row.digests[slot] else "{}" for row in batch.rows]
        for slot, rest in zip(columns, map(iter, columns.values()), strict=True)
    ]
    return "],[".join(map(",".join, zip(*cells, strict=True)))


def _in_hex(digests: Sequence[bytes]) -> list[str]:
    """All of a column: at once, a third of the cost of one by one."""
    return b"".join(digests).hex(" ", len(digests[0])).split()


def _cell_start() -> str:
    return '{"id":"'


def _cell_end(audience_id: str) -> str:
    return f'","audience_ids":[{orjson.dumps(audience_id).decode()}]}}'


def classify(http_status: int, body: bytes) -> Outcome:
    """What an answer means. A pure function over (HTTP status, body); the body decides where it is TikTok's.

    Never raises, whatever the bytes.
    """
    envelope = _envelope(body)
    if envelope is None:
        return _by_status(http_status)
    code: int = envelope["code"]
    label = str(code) if code in _KNOWN_CODES else OTHER
    message, request_id = envelope.get("message"), envelope.get("request_id")
    response = Response(
        label,
        http_status,
        code,
        message if isinstance(message, str) else "",
        request_id if isinstance(request_id, str) else "",
    )
    if code == 0 and not 200 <= http_status < 300:
        return _by_status(http_status)
    return _by_code(code, response)


def _by_code(code: int, response: Response) -> Outcome:
    if code == 0 or code in _WARNINGS:
        return Delivered(response, _WARNINGS.get(code))
    if code in _RATE:
        reason, scope = _RATE[code]
        return Retryable(reason, response, scope)
    if code in _RETRYABLE:
        return Retryable(_RETRYABLE[code], response)
    if code in _HALTED:
        reason, scope = _HALTED[code]
        return Halted(reason, response, scope)
    if code in _AUTHORIZATION:
        return Halted("token_refused", response)
    if code == 40002 and any(text in response.message.lower() for text in _BUSY_TEXTS):
        return Retryable(AUDIENCE_BUSY, response)
    if 40000 <= code < 50000:
        return Rejected(_REJECTED.get(code, "refused"), response)
    if 50000 <= code < 70000:
        return Retryable(TIKTOK_ERROR, response)
    return Retryable(UNKNOWN_CODE, response)


def _by_status(http_status: int) -> Outcome:
    """The body is not TikTok's: something between us and it answered, or it failed."""
    if http_status >= 500:
        # A gateway that gave up does not know what TikTok has done, or still does.
        return Retryable(HTTP_ERROR, Response(HTTP_5XX, http_status), in_doubt=True)
    response = Response(OTHER, http_status)
    if http_status == 404:
        return Halted("wrong_path", response)
    if 400 <= http_status < 500 and http_status != 429:
        return Rejected(HTTP_ERROR, response)
    return Retryable(NOT_AN_ENVELOPE, response, in_doubt=http_status != 429)


def _envelope(body: bytes) -> dict[str, Any] | None:
    """TikTok's envelope, if the body is one: a JSON object whose `code` is an integer."""
    if len(body) > _MOST_BRACKETS and body.count(b"[") + body.count(b"{") > _MOST_BRACKETS:
        return None
    try:
        envelope = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if isinstance(envelope, dict) and type(envelope.get("code")) is int:
        return envelope
    return None


def timed_out() -> Outcome:
    """No answer in time: TikTok may have applied the call, or may still."""
    return Retryable(TIMEOUT, Response(TIMEOUT), in_doubt=True)


def disconnected(*, sent: bool) -> Outcome:
    """No connection, or one that broke; when anything had been sent, TikTok may have applied it."""
    return Retryable(CONNECTION, Response(CONNECTION), in_doubt=sent)


def unusable_token() -> Outcome:
    """The token cannot stand in an HTTP header: nothing was sent."""
    return Halted("token_malformed", Response(OTHER))
