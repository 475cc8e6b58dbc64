"""Commits what the checkpoint allows.

Owns when commits happen; which positions is the checkpoint's word alone, and how is the source's.
"""

import asyncio
from collections.abc import Mapping
from typing import Protocol

from connector.core.checkpoint import Checkpoint
from connector.core.model import Partition
from connector.errors import KafkaUnavailable
from connector.telemetry.events import IntakeEvents


class Commits(Protocol):
    """Where progress is committed."""

    async def commit(self, positions: Mapping[Partition, int]) -> None:
        """Commit these positions, within a bound of time.

        Raises connector.errors.KafkaUnavailable when it is not known to have been committed; it may still be
        applied.
        """


class Committer:
    """Commits in an interval, and whenever it is asked to.

    Attributes:
        commits: how many have succeeded.
    """

    def __init__(
        self,
        commits: Commits,
        checkpoint: Checkpoint,
        interval_seconds: float,
        telemetry: IntakeEvents,
    ) -> None:
        self.commits = 0
        self._commits = commits
        self._checkpoint = checkpoint
        self._interval = interval_seconds
        self._telemetry = telemetry

    async def run(self) -> None:
        """Commit in an interval, for ever."""
        while True:
            await asyncio.sleep(self._interval)
            await self.commit()

    async def commit(self) -> bool:
        """Commit what is resolved; whether all of it is now known to be committed."""
        positions = self._checkpoint.committable()
        if not positions:
            return True
        epoch = self._checkpoint.epoch
        try:
            await self._commits.commit(positions)
        except KafkaUnavailable as error:
            self._telemetry.commit_failed(str(error))
            return False
        if epoch == self._checkpoint.epoch:
            self._checkpoint.committed(positions)
        self.commits += 1
        self._telemetry.committed(len(positions))
        return True
