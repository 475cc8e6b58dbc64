"""What became of a call: one outcome of a closed set.

Owns the words; which answer means which outcome is TikTok's protocol, and what follows from it is delivery's.
"""

from dataclasses import dataclass
from enum import StrEnum


class Scope(StrEnum):
    """How far an outcome reaches beyond its own call."""

    AUDIENCE = "audience"
    DESTINATION = "destination"
    APP = "app"


@dataclass(frozen=True, slots=True)
class Response:
    """What came back.

    Attributes:
        label: the value of the metric label `code`, of a closed set.
        http_status: absent when no HTTP answer came.
        code: TikTok's code; absent when the body was not TikTok's envelope.
        message: TikTok's text, which may quote a digest: for dead letters only, never for a log.
        request_id: TikTok's id of the call, "" without one.
    """

    label: str
    http_status: int | None = None
    code: int | None = None
    message: str = ""
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Delivered:
    """TikTok accepted the whole batch. A warning is a closed reason to look at it all the same."""

    response: Response
    warning: str | None = None


@dataclass(frozen=True, slots=True)
class Retryable:
    """The same batch may succeed later.

    Attributes:
        reason: of a closed set, for metrics and logs.
        scope: what has to wait: the audience, the whole destination or the whole app.
        in_doubt: TikTok may have applied it, or may still.
    """

    reason: str
    response: Response
    scope: Scope = Scope.AUDIENCE
    in_doubt: bool = False


@dataclass(frozen=True, slots=True)
class Rejected:
    """TikTok will never accept this batch as it is."""

    reason: str
    response: Response


@dataclass(frozen=True, slots=True)
class Halted:
    """No batch for this scope can succeed until someone mends it; the batch itself is not at fault."""

    reason: str
    response: Response
    scope: Scope = Scope.DESTINATION


TIMEOUT = "timeout"
CONNECTION = "connection"
NO_ANSWER = frozenset({TIMEOUT, CONNECTION})
"""A Retryable's reasons when nothing came back: whether TikTok can be reached at all is in question."""

TOO_MANY_IDS = "too_many_ids"
"""A Retryable's reason: the batch is to be halved, and later ones kept as small."""

NO_PERMISSION = "no_permission"
"""A Halted's reason: the token's fault or the audience's; a probe of the destination tells."""

Outcome = Delivered | Retryable | Rejected | Halted
