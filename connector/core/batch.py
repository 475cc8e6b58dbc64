"""A row is one change: one user's identifiers for one audience. A batch is what one call will carry.

Owns their shapes. Knows no lane's rules, no JSON and no TikTok endpoint.
"""

import math
from collections import Counter
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import msgspec

from connector.core.checkpoint import Span
from connector.core.model import Action


class Row(msgspec.Struct, gc=False, eq=False):
    """One accepted change. It lives in its lane until every identifier is delivered or taken over.

    A struct that the garbage collector does not track: hundreds of thousands may be pending.

    Attributes:
        digests: by slot; an entry becomes None when a newer change takes the identifier over.
        left: how many digests are not None.
        span: its part of the checkpoint.
        before: how many offsets its record lies before the span's position. A small number nearly always, of which
            there is one for all rows; the offset itself would be 32 bytes.
        later_ms: likewise, how much later than the span's oldest record it was written.
        since: when its wait began: its arrival, or that of a change it took an identifier from.
        queue: where in the lane it stands; None while a call with it is under way.
        profile: whose identifiers they are; told only where people may be suppressed.
        urgent: whether it goes before all that is not: what a person has refused.
    """

    digests: list[bytes | None]
    left: int
    action: Action
    span: Span
    before: int
    later_ms: int
    key: bytes | None
    since: float = math.inf
    queue: Any = None
    profile: str | None = None
    urgent: bool = False

    @property
    def offset(self) -> int:
        """Where its record stands in the partition."""
        return self.span.position - self.before

    @property
    def timestamp_ms(self) -> int:
        """When its record was written, in milliseconds since the epoch; -1 where the producer did not say."""
        return self.span.oldest_ms + self.later_ms


def row_of(
    digests: list[bytes | None],
    action: Action,
    span: Span,
    offset: int,
    timestamp_ms: int,
    key: bytes | None,
    profile: str | None = None,
) -> Row:
    """A row of a record at this offset and of this time."""
    left = len(digests) - digests.count(None)
    before, later_ms = span.position - offset, timestamp_ms - span.oldest_ms
    return Row(digests, left, action, span, before, later_ms, key, profile=profile)


_span_of = attrgetter("span")


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows cut from one lane for one call, with the action they share.

    Attributes:
        columns: the slots that occur, in order, with all their digests: the call's id_schema.
        trigger: why it was cut: size, bytes, age or drain.
        inquiry: what the batch is a part of, when it is tried to find out which rows are bad.
    """

    action: Action
    rows: list[Row]
    columns: dict[int, list[bytes]]
    trigger: str
    inquiry: Any = None

    def spans(self) -> Counter[Span]:
        """How many rows of each span it holds."""
        return Counter(map(_span_of, self.rows))
