"""Rejected batches: finding the bad rows, and setting these aside.

Owns the inquiries' way through the lanes, and the letters about rows. Whether an audience is halted is settlement's.
"""

from collections.abc import Callable, Sequence

from connector.core.batch import Batch, Row
from connector.core.identity import Target
from connector.core.inquiry import PARTS, Inquiry, Step
from connector.core.letter import REJECTED, Origin, delivery_letter
from connector.core.outcome import Halted, Rejected, Retryable
from connector.delivery.accounts import Audience
from connector.delivery.backlog import Backlog
from connector.delivery.dead_letters import DeadLetterQueue
from connector.telemetry.events import ChangeEnd


class Rejections:
    """What follows for a batch's rows: `rejected`, `accepted`, `vanished`.

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

    def rejected(self, audience: Audience, batch: Batch, outcome: Rejected) -> bool:
        """Go on with the inquiry that the batch is a part of, or begin one; whether the audience is to blame."""
        if audience.is_halted and batch.inquiry is None and len(batch.rows) < PARTS:
            # Too few rows to tell whose fault it is, of an audience that was found at fault.
            audience.lane.give_back(batch)
            return True
        inquiry = batch.inquiry or Inquiry(len(batch.rows))
        audience.lane.park(batch, inquiry)
        return self._follow(audience, inquiry, inquiry.rejected(batch.rows, outcome))

    def accepted(self, audience: Audience, batch: Batch) -> None:
        """A batch was delivered: if it is a part of an inquiry, that goes on."""
        if batch.inquiry is not None:
            self._follow(audience, batch.inquiry, batch.inquiry.accepted())

    def vanished(self, audience: Audience, batch: Batch) -> bool:
        """Newer changes took over all rows of a part before it was tried; whether the audience is to blame."""
        return self._follow(audience, batch.inquiry, batch.inquiry.vanished())

    def _follow(self, audience: Audience, inquiry: Inquiry, step: Step) -> bool:
        lane = audience.lane
        lane.try_apart(step.groups, inquiry)
        lane.take_out([row for row, _ in step.bad], inquiry)
        for row, outcome in step.bad:
            self._set_aside(audience, row, outcome)
        if step.is_audiences_fault:
            lane.unpark(inquiry)
        return step.is_audiences_fault

    def _set_aside(self, audience: Audience, row: Row, outcome: Rejected) -> None:
        partition = row.span.partition
        letter = delivery_letter(
            Origin(partition, row.offset, row.timestamp_ms, row.key),
            REJECTED,
            f"TikTok rejected the row: {describe(outcome)}",
            self._change(audience, row),
            outcome.response,
            self._wall(),
            row.span.attempts,
        )
        self._dead_letters.put(letter, partition.topic, REJECTED, self._acknowledged(row))

    def _acknowledged(self, row: Row) -> Callable[[], None]:
        return lambda: self._backlog.end_row(row, ChangeEnd.DEAD_LETTERED)

    def _change(self, audience: Audience, row: Row) -> dict[str, object]:
        return {
            "destination": audience.key.destination,
            "audience_id": audience.key.audience_id,
            "action": row.action.value,
            "row": {
                target.value: digest
                for target, digest in zip(self._targets, row.digests, strict=True)
                if digest is not None
            },
        }


def describe(outcome: Rejected | Retryable | Halted) -> str:
    """The outcome in our words and TikTok's number; TikTok's own text may quote a digest."""
    response = outcome.response
    if response.code is not None:
        return f"{outcome.reason} (code {response.code})"
    if response.http_status is not None:
        return f"{outcome.reason} (HTTP {response.http_status})"
    return outcome.reason
