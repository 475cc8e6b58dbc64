"""What the service knows of suppressed people, as one part: ready or not, in numbers.

Owns what is said of the keeper and of erasure; changes neither.
"""

from datetime import UTC, datetime
from typing import Any

from connector.core.suppression import Status
from connector.governance.erasure import Erasure
from connector.governance.keeper import Keeper
from connector.telemetry.catalogue import Catalogue


class People:
    """Everything that the suppression topic sets in motion.

    Attributes:
        keeper: keeps the list true.
        erasure: deletes what it names.
    """

    def __init__(self, keeper: Keeper, erasure: Erasure) -> None:
        self.keeper = keeper
        self.erasure = erasure

    def not_ready(self) -> str | None:
        """Why no record may be handled yet; None when it may."""
        return None if self.keeper.is_loaded else "the suppression topic has not been read whole"

    def snapshot(self) -> dict[str, Any]:
        """As the status shows it."""
        counts = self.keeper.suppressed.counts
        oldest_ms = self.erasure.oldest_ms()
        return {
            "loaded": self.keeper.is_loaded,
            "problem": self.keeper.problem,
            "suppressed": counts.suppressed,
            "erased": counts.erased,
            "without_identities": counts.without_identities,
            "pending_erasures": len(self.erasure),
            "oldest_pending": None if oldest_ms is None else _time(oldest_ms),
        }

    def publish(self, metrics: Catalogue) -> None:
        """Set the gauges to what is true now."""
        counts = self.keeper.suppressed.counts
        metrics.suppression_loaded.set(float(self.keeper.is_loaded))
        metrics.suppression_entries.set(counts.suppressed, Status.SUPPRESSED)
        metrics.suppression_entries.set(counts.erased, Status.ERASED)
        metrics.suppression_entries_without_identities.set(counts.without_identities)
        metrics.erasure_pending_entries.set(len(self.erasure))
        metrics.erasure_oldest_pending_timestamp_seconds.clear()
        oldest_ms = self.erasure.oldest_ms()
        if oldest_ms is not None:
            metrics.erasure_oldest_pending_timestamp_seconds.set(oldest_ms / 1000.0)


def _time(at_ms: int) -> str:
    moment = datetime.fromtimestamp(at_ms / 1000.0, UTC)
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
