"""Letters as they are read back: what a record of the dead-letter topic says, or that it is no letter of ours.

Owns the reading of a letter's shape, and which letters are about the same thing. Others may write to the topic
too: nothing is believed before it has been checked, for what is read here is shown and sent. Pure.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal, NamedTuple

import msgspec

from connector.core.identity import IDENTITY_REASONS, Target
from connector.core.letter import BLOCKED, REJECTED, UNREADABLE_RECORD, Origin, content_type
from connector.core.model import Action, Partition, Record, Stage
from connector.core.routing import AUDIENCE_REASONS, AudienceKey
from connector.formats.membership import DECODE_REASONS

REASONS: dict[str, Stage] = {
    **dict.fromkeys((*DECODE_REASONS, *AUDIENCE_REASONS, UNREADABLE_RECORD), Stage.DECODE),
    **dict.fromkeys(IDENTITY_REASONS, Stage.IDENTITY),
    **dict.fromkeys((REJECTED, BLOCKED), Stage.DELIVERY),
}
"""The closed list, with the stage that each belongs to."""


class NotALetter(Exception):  # noqa: N818
    """A record of the dead-letter topic that this connector did not write, or cannot read."""


class SetAside(NamedTuple):
    """The change that a delivery letter is about."""

    audience: AudienceKey
    action: Action
    row: tuple[tuple[Target, str], ...]


@dataclass(frozen=True, slots=True)
class Letter:
    """One letter, read back.

    Attributes:
        origin: the source record.
        time: when it was set aside, in seconds since the epoch.
        payload: the record's value; None when the letter has none.
        omitted_bytes: the size of a payload that was too large for the letter; None otherwise.
        change: of delivery letters alone.
        code: TikTok's code, where it gave one.
        headers: what the record's headers say of how the payload is to be read.
    """

    reason: str
    stage: Stage
    detail: str
    attempts: int
    origin: Origin
    time: float
    payload: bytes | None
    omitted_bytes: int | None
    change: SetAside | None
    code: int | None
    headers: Sequence[tuple[str, bytes]] = ()


_END_OF_TIME = 253_402_300_799.0
"""The last second of the year 9999: what stands beyond it cannot be written as a date."""

_Long = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
_Digest = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]+\Z")]


class _Source(msgspec.Struct):
    topic: Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9._-]{1,249}\Z")]
    partition: Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
    offset: _Long
    timestamp_ms: Annotated[int, msgspec.Meta(ge=-1, le=2**63 - 1)] = -1


class _Change(msgspec.Struct):
    destination: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    audience_id: Annotated[str, msgspec.Meta(pattern=r"\A[0-9]{1,32}\Z")]
    action: Action
    row: Annotated[dict[Target, _Digest], msgspec.Meta(min_length=1)]


class _Response(msgspec.Struct):
    code: Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31)] | None = None


class _Shape(msgspec.Struct):
    version: Literal[1]
    reason: str
    stage: Stage
    source: _Source
    detail: str
    attempts: Annotated[int, msgspec.Meta(ge=1, le=2**31)]
    payload: bytes | None = None
    payload_omitted: bool = False
    payload_bytes: _Long | None = None
    change: _Change | None = None
    response: _Response | None = None


_decode = msgspec.json.Decoder(_Shape).decode


def read_letter(record: Record) -> Letter:
    """Read a record of the dead-letter topic. Raises NotALetter, and nothing else, whatever its bytes are."""
    try:
        shape = _decode(record.value or b"")
    except (msgspec.MsgspecError, RecursionError, ValueError):
        raise NotALetter from None  # the library's message may quote the record
    if REASONS.get(shape.reason) is not shape.stage:
        raise NotALetter
    change = _change(shape.change)
    if (change is None) is (shape.stage is Stage.DELIVERY):
        raise NotALetter
    source = shape.source
    return Letter(
        shape.reason,
        shape.stage,
        shape.detail,
        shape.attempts,
        Origin(
            Partition(source.topic, source.partition),
            source.offset,
            source.timestamp_ms,
            record.key,
        ),
        _time(record),
        shape.payload,
        shape.payload_bytes if shape.payload_omitted else None,
        change,
        None if shape.response is None else shape.response.code,
        content_type(record.headers),
    )


def one_of_each(letters: Iterable[Letter]) -> list[Letter]:
    """Of letters about the same thing the one with the most attempts, in the order of their sources.

    The same thing is one record, or one row of it: a record that failed to decode and, tried again, had no usable
    identity, is one record.
    """
    best: dict[tuple[Partition, int, SetAside | None], Letter] = {}
    for letter in letters:
        thing = letter.origin.partition, letter.origin.offset, letter.change
        other = best.get(thing)
        if other is None or letter.attempts >= other.attempts:
            best[thing] = letter
    return sorted(
        best.values(), key=lambda one: (one.origin.partition, one.origin.offset, one.attempts)
    )


def _change(change: _Change | None) -> SetAside | None:
    if change is None:
        return None
    if any(len(digest) != target.digits for target, digest in change.row.items()):
        raise NotALetter
    audience = AudienceKey(change.destination, change.audience_id)
    return SetAside(audience, change.action, tuple(sorted(change.row.items())))


def _time(record: Record) -> float:
    """When it was set aside, by its header; else by the topic."""
    time = record.timestamp / 1000.0
    for name, value in record.headers:
        if name == "connector.time":
            try:
                told = datetime.fromisoformat(value.decode())
                time = told.timestamp() if told.tzinfo is not None else time
            except (ValueError, OverflowError, AttributeError):
                break
    return min(max(time, 0.0), _END_OF_TIME)
