"""Letters about records: what could not be read is set aside with its reason.

Owns the way from a record to its letter. Why a record is refused is said by whoever read it.
"""

from collections.abc import Callable

from connector.core.checkpoint import Span
from connector.core.identity import IDENTITY_REASONS
from connector.core.letter import UNREADABLE_RECORD, Origin, record_letter
from connector.core.model import Record, Stage
from connector.core.routing import AUDIENCE_REASONS
from connector.delivery.dead_letters import DeadLetterQueue
from connector.errors import InvalidRecord
from connector.formats.membership import DECODE_REASONS
from connector.telemetry.events import IntakeEvents

_DECODE_STAGE = frozenset((*DECODE_REASONS, *AUDIENCE_REASONS, UNREADABLE_RECORD))

RECORD_REASONS = (*DECODE_REASONS, *AUDIENCE_REASONS, UNREADABLE_RECORD, *IDENTITY_REASONS)
"""Why a record may be set aside."""

_UNREADABLE = InvalidRecord(UNREADABLE_RECORD, "Kafka's client could not parse the record")


class RecordLetters:
    """Writes a letter about a record: `set_aside`.

    Args:
        wall: seconds since the epoch.
    """

    def __init__(
        self, dead_letters: DeadLetterQueue, telemetry: IntakeEvents, wall: Callable[[], float]
    ) -> None:
        self._dead_letters = dead_letters
        self._telemetry = telemetry
        self._wall = wall

    def set_aside(self, record: Record, invalid: InvalidRecord, span: Span) -> None:
        """Write a letter about the record; its span stays open until the broker has it."""
        topic = span.partition.topic
        origin = Origin(span.partition, record.offset, record.timestamp, record.key)
        stage = Stage.DECODE if invalid.reason in _DECODE_STAGE else Stage.IDENTITY
        letter = record_letter(
            origin,
            stage,
            invalid.reason,
            invalid.detail,
            record.value,
            self._wall(),
            headers=record.headers,
        )
        span.open += 1
        self._dead_letters.put(letter, topic, invalid.reason, span.resolve)
        self._telemetry.record_error(topic, invalid.reason)

    def set_unreadable_aside(self, offset: int, span: Span) -> None:
        """Write a letter about a record that Kafka's client could not parse."""
        self.set_aside(_Unreadable(offset), _UNREADABLE, span)


class _Unreadable:
    """A record of which nothing is known but where it stands."""

    timestamp = -1
    key = None
    value = None
    headers: tuple[tuple[str, bytes], ...] = ()

    def __init__(self, offset: int) -> None:
        self.offset = offset
