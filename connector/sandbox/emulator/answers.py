"""What goes back: TikTok's envelope, and a reply as bytes with the manner in which it is to be written.

Pure. The manner is data here; writing it, slowly or brokenly, is reply_writer's business.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple

import orjson

from connector.sandbox.emulator.tiktok_facts import Code, Violation

JSON: Final = "application/json"
HTML: Final = "text/html"
TEXT: Final = "text/plain"


class Answer(NamedTuple):
    """The envelope's code, message and data."""

    code: int
    message: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer, and how it is written.

    Attributes:
        outcome: what it is counted as.
        hold: seconds until it is written.
        trickle: seconds over which its body is written byte by byte.
        broken: "reset" writes nothing and resets the connection; "truncated" closes it half-way.
        after_hold: done when the hold is over, whether or not the caller still listens.
    """

    status: int
    body: bytes
    content_type: str
    outcome: str
    request_id: str = ""
    hold: float = 0.0
    trickle: float = 0.0
    broken: Literal["reset", "truncated"] | None = None
    after_hold: Callable[[float], object] | None = None


def ok(data: Mapping[str, Any] | None = None) -> Answer:
    """Return the answer of success."""
    return Answer(Code.OK, "OK", data or {})


def refusal(violation: Violation) -> Answer:
    """Return the answer that refuses. TikTok refuses with HTTP 200 and an empty data."""
    return Answer(violation.code, violation.message, {})


def envelope(answer: Answer, request_id: str) -> Reply:
    """Return the answer as TikTok sends it."""
    body = {
        "code": int(answer.code),
        "message": answer.message,
        "request_id": request_id,
        "data": answer.data,
    }
    return Reply(200, orjson.dumps(body), JSON, str(int(answer.code)), request_id)


def plain(status: int, text: str, request_id: str = "") -> Reply:
    """Return an answer without the envelope, as a gateway before TikTok's own code sends it."""
    return Reply(status, text.encode(), TEXT, f"http_{status}", request_id)


class RequestIds:
    """Numbers the calls in TikTok's shape: 14 digits of UTC time, then 18 of a number."""

    def __init__(self) -> None:
        self._count = 0

    def next(self, now: float) -> str:
        """Return an id not given before."""
        self._count += 1
        return f"{time.strftime('%Y%m%d%H%M%S', time.gmtime(now))}{self._count:018X}"
