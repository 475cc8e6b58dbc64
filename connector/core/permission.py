"""Whether a person may be added to audiences: what the rules about people make of one membership.

Owns the decision, in the one place where the service, a replay and an explanation take it from. An addition that is
not permitted becomes a deletion of the same identifiers, for staying in the audience is not permitted either; exits
always pass. Pure: what events say of consent, and who is suppressed, is known to others.
"""

from collections.abc import Sequence
from typing import Protocol

from connector.core.consent import Consent
from connector.core.identity import Digests
from connector.core.model import Action
from connector.core.suppression import SuppressionList

NO_CONSENT = "no_consent"
SUPPRESSED = "suppressed"
BLOCKED_REASONS = (NO_CONSENT, SUPPRESSED)
"""Why an addition was not made as it was asked for."""


class Asked(Protocol):
    """What a membership says that the rules are about."""

    action: Action
    profile_id: str | None
    consent: object


class Permission:
    """The rules about people: `judge` a membership, then `clear` its rows.

    Args:
        consent: what must have been consented to; None where nothing must.
        suppressed: who must be in no audience; it may grow at any time. None where nobody is asked about.
    """

    def __init__(self, consent: Consent | None, suppressed: SuppressionList | None) -> None:
        self.consent = consent
        self.suppressed = suppressed

    def judge(self, membership: Asked) -> str | None:
        """Make a deletion of an addition that is not permitted; returns why, as one of BLOCKED_REASONS, else None."""
        if membership.action is not Action.ADD:
            return None
        reason = self._reason(membership)
        if reason is not None:
            membership.action = Action.DELETE
        return reason

    def _reason(self, membership: Asked) -> str | None:
        if self.consent is not None and not self.consent.is_given(membership.consent):
            return NO_CONSENT
        if self.suppressed and self.suppressed.has_profile(membership.profile_id):
            return SUPPRESSED
        return None

    def clear(self, rows: Sequence[Digests]) -> list[Digests] | None:
        """The rows of an addition without the suppressed identifiers among them; None when there are none of these.

        A row that loses all is left out. The rows that are given stay as they are: a deletion may need them.
        """
        suppressed = self.suppressed
        if not suppressed:
            return None
        left = [row.copy() for row in rows]
        if not sum(map(suppressed.clear_row, left)):
            return None
        return [row for row in left if any(row)]
