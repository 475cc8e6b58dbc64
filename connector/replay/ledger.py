"""The backlog of a replay: lanes that can give a change up, and the account of how each letter's changes ended.

Owns that account. Delivery's own rules are untouched.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping

from connector.core.batch import Batch, Row
from connector.core.checkpoint import Span
from connector.core.lane import Veto
from connector.core.room import Limits
from connector.core.routing import AudienceKey, Route
from connector.delivery.accounts import Account
from connector.delivery.backlog import Backlog
from connector.replay.watch import Watch
from connector.telemetry.events import ChangeEnd, DeliveryEvents


class Ledger(Backlog):
    """A backlog that tells how the changes of each span ended.

    Attributes:
        watch: the identifiers of all rows that are accepted.
        ends: by span, how many of its changes ended how.
        gives_up: what is withdrawn from now on is left for another time, and not superseded.
    """

    def __init__(
        self,
        accounts: Mapping[str, Account],
        routes: Iterable[Route],
        slots: int,
        limits: Limits,
        cell_bytes: Callable[[str], int],
        telemetry: DeliveryEvents,
        veto: Veto | None = None,
    ) -> None:
        self.watch = Watch()
        self.ends: defaultdict[Span, Counter[ChangeEnd]] = defaultdict(Counter)
        self.gives_up = False
        super().__init__(accounts, routes, slots, limits, cell_bytes, telemetry, veto)

    def withdraw(self, audience: AudienceKey, slot: int, digest: bytes) -> bool:
        """Give up the pending change of the identifier; False when none is pending."""
        return self[audience].lane.withdraw(slot, digest)

    def end(self, batch: Batch, how: ChangeEnd) -> None:
        """All changes of a batch have ended in this way."""
        for row in batch.rows:
            self._note(row, how)
        super().end(batch, how)

    def end_row(self, row: Row, how: ChangeEnd) -> None:
        """One change has ended in this way."""
        self._note(row, how)
        super().end_row(row, how)

    def _note(self, row: Row, how: ChangeEnd) -> None:
        self.watch.row_ended(row)
        self.ends[row.span][how] += 1

    def _superseded(self, row: Row) -> None:
        self.end_row(row, ChangeEnd.HANDED_OVER if self.gives_up else ChangeEnd.SUPERSEDED)
