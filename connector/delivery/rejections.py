"""Rejected batches: finding the bad rows, and setting these aside.

Owns the inquiries' way through the lanes. Whether an audience is halted is settlement's.
"""

from connector.core.batch import Batch, Row
from connector.core.inquiry import PARTS, Inquiry, Step
from connector.core.letter import REJECTED
from connector.core.outcome import Halted, Rejected, Retryable
from connector.delivery.accounts import Audience
from connector.delivery.row_letters import RowLetters


class Rejections:
    """What follows for a batch's rows: `rejected`, `accepted`, `vanished`."""

    def __init__(self, letters: RowLetters) -> None:
        self._letters = letters

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
        lane.suspects.try_apart(step.groups, inquiry)
        lane.take_out([row for row, _ in step.bad], inquiry)
        for row, outcome in step.bad:
            self._set_aside(audience, row, outcome)
        if step.is_audiences_fault:
            lane.unpark(inquiry)
        return step.is_audiences_fault

    def _set_aside(self, audience: Audience, row: Row, outcome: Rejected) -> None:
        detail = f"TikTok rejected the row: {describe(outcome)}"
        self._letters.write(audience, row, REJECTED, detail, outcome.response)


def describe(outcome: Rejected | Retryable | Halted) -> str:
    """The outcome in our words and TikTok's number; TikTok's own text may quote a digest."""
    response = outcome.response
    if response.code is not None:
        return f"{outcome.reason} (code {response.code})"
    if response.http_status is not None:
        return f"{outcome.reason} (HTTP {response.http_status})"
    return outcome.reason
