"""Letters about rows: a change that has been taken out of its lane for good is set aside with its reason.

Owns the way from a row to its letter. Why a row is set aside is the caller's.
"""

from collections.abc import Callable, Sequence

from connector.core.batch import Row
from connector.core.identity import Target
from connector.core.letter import Origin, delivery_letter
from connector.core.outcome import Response
from connector.delivery.accounts import Audience
from connector.delivery.backlog import Backlog
from connector.delivery.dead_letters import DeadLetterQueue
from connector.telemetry.events import ChangeEnd


class RowLetters:
    """Writes a letter about a row: `write`.

    Args:
        wall: seconds since the epoch.
    """

    def __init__(
        self,
        backlog: Backlog,
        dead_letters: DeadLetterQueue,
        targets: Sequence[Target],
        wall: Callable[[], float],
    ) -> None:
        self._backlog = backlog
        self._dead_letters = dead_letters
        self._targets = targets
        self._wall = wall

    @property
    def room(self) -> int:
        """How many more letters may wait for the broker."""
        return self._dead_letters.room

    def write(
        self, audience: Audience, row: Row, reason: str, detail: str, response: Response | None
    ) -> None:
        """Set the row aside: its change ends when the broker has acknowledged the letter."""
        partition = row.span.partition
        letter = delivery_letter(
            Origin(partition, row.offset, row.timestamp_ms, row.key),
            reason,
            detail,
            self._change(audience, row),
            response,
            self._wall(),
            row.span.attempts,
        )
        self._dead_letters.put(letter, partition.topic, reason, self._acknowledged(row))

    def _acknowledged(self, row: Row) -> Callable[[], None]:
        return lambda: self._backlog.end_row(row, ChangeEnd.DEAD_LETTERED)

    def _change(self, audience: Audience, row: Row) -> dict[str, object]:
        return {
            "destination": audience.key.destination,
            "audience_id": audience.key.audience_id,
            "action": row.action.value,
            "row": {
                target.value: digest.hex()
                for target, digest in zip(self._targets, row.digests, strict=True)
                if digest is not None
            },
        }
