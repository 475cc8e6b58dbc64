"""What delivery needs of the world, as small protocols. The composition root brings the real things."""

from collections.abc import Sequence
from typing import Protocol

from connector.core.batch import Batch
from connector.core.model import Letter
from connector.core.outcome import Outcome


class Destination(Protocol):
    """An advertiser's account at TikTok. Never raises for what TikTok or the network does: that is an outcome."""

    async def send(self, audience_id: str, batch: Batch) -> Outcome:
        """Make one call with the batch."""

    async def probe(self) -> Outcome:
        """Find out whether calls are accepted, without changing anything."""

    def renewed(self) -> bool:
        """Whether the account's secret has changed since it was last asked."""


class DeadLetters(Protocol):
    """Where letters go."""

    async def send(self, letters: Sequence[Letter]) -> None:
        """Return when the broker has acknowledged all of them; wait as long as it takes.

        Raises connector.errors.KafkaUnavailable for what cannot succeed as things are.
        """
