"""The intake's task: poll, hand over to who takes the topic's records in; and what a rebalance means.

Owns the polling loop and the reaction to partitions that come and go. What is paused, and why, is
connector.pauses. Knows Kafka only as the source that it declares.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping
from typing import Protocol

from connector.committer import Committer
from connector.core.checkpoint import Checkpoint
from connector.core.model import Chunk, Partition, slices
from connector.core.turns import Part
from connector.delivery.accounts import Audience
from connector.delivery.dead_letters import DeadLetterQueue
from connector.delivery.dispatcher import Dispatcher
from connector.pauses import Pauses
from connector.telemetry.events import IntakeEvents

_PART_RECORDS = 250
_PART_BYTES = 32_000
"""Of national phone numbers, which take longest, a part of this size takes 40 milliseconds."""

_BREATH_SECONDS = 0.005
"""Nobody else runs for so long, and the time of one part."""


class Source(Protocol):
    """Where records come from. One task polls."""

    async def poll(self) -> Mapping[Partition, Chunk]:
        """Wait a short while for records of the partitions that are not paused; empty when none came.

        Never raises for a record that cannot be parsed: its offset stands in the chunk's `unreadable`.
        A chunk without records says that the position moved past control records.
        """


class Taker(Protocol):
    """Who takes in the records of a topic."""

    def take(self, partition: Partition, chunk: Chunk, now: float) -> set[Audience]:
        """Take in what a poll brought of one partition; returns the audiences that got changes."""


class Stint(Protocol):
    """How far to read: see connector.until_end."""

    async def learn(self, partitions: Collection[Partition]) -> None:
        """Find out what there is to read of these partitions, where it is not known yet."""

    def restart(self) -> None:
        """A rebalance: reading goes on from the committed positions."""

    def clip(self, partition: Partition, chunk: Chunk) -> Chunk:
        """The part of the chunk that belongs to the stint."""

    def is_done(self, partition: Partition) -> bool:
        """Whether nothing of the partition is left to read."""


class Intake:
    """Polls: `run`. Closed by a rebalance or a stop, it drops what a late poll brings.

    Args:
        takers: by topic.
        stint: None to read on for ever.
        clock: monotonic seconds.

    Attributes:
        polled_at: when a poll last came back: the intake's sign of life.
        joined: whether the group has given us partitions, or none, since the last revocation.
    """

    def __init__(
        self,
        source: Source,
        takers: Mapping[str, Taker],
        dispatcher: Dispatcher,
        checkpoint: Checkpoint,
        pauses: Pauses,
        stint: Stint | None,
        clock: Callable[[], float],
    ) -> None:
        self.polled_at = clock()
        self.joined = False
        self._source = source
        self._takers = takers
        self._dispatcher = dispatcher
        self._checkpoint = checkpoint
        self._pauses = pauses
        self._stint = stint
        self._clock = clock

    async def run(self) -> None:
        """Poll for ever; also when the stint is done, for the membership lives by polling."""
        self.polled_at = self._clock()
        while True:
            chunks = await self._source.poll()
            self.polled_at = self._clock()
            epoch = self._checkpoint.epoch
            if self._stint is not None:
                await self._stint.learn(self._checkpoint.partitions())
            if self._may_take(epoch):
                await self._take(chunks, epoch)
            await asyncio.sleep(0)  # a poll that had records at hand has not let anyone else run

    def open(self) -> None:
        """Take in what comes from now on."""
        self.joined = True
        self._pauses.forget()
        if self._stint is not None:
            self._stint.restart()

    def close(self) -> None:
        """Take nothing in: what a poll still brings will be read again by whoever owns it then."""
        self.joined = False

    def _may_take(self, epoch: int) -> bool:
        return self.joined and epoch == self._checkpoint.epoch

    async def _take(self, chunks: Mapping[Partition, Chunk], epoch: int) -> None:
        """Take in what a poll brought, part by part: others run in between when it takes long.

        Each part is taken whole. What is left when the partitions change hands meanwhile is read again.
        """
        since = self._clock()
        touched: set[Audience] = set()
        for partition, chunk in chunks.items():
            if not self._checkpoint.owns(partition):
                continue
            mine = self._stint.clip(partition, chunk) if self._stint else chunk
            for part in slices(mine, _PART_RECORDS, _PART_BYTES):
                now = self._clock()
                if now - since > _BREATH_SECONDS:
                    self._dispatcher.added(touched)
                    touched.clear()
                    await asyncio.sleep(0)
                    if not self._may_take(epoch):
                        return
                    since = now = self._clock()
                touched |= self._takers[partition.topic].take(partition, part, now)
        if touched:
            self._dispatcher.added(touched)
        self._pauses.regulate(self._checkpoint.partitions(), self._done())

    def _done(self) -> set[Partition]:
        if self._stint is None:
            return set()
        return {one for one in self._checkpoint.partitions() if self._stint.is_done(one)}

    def is_done(self) -> bool:
        """Whether the stint has been read; a rebalance may make it untrue again."""
        return (
            self._stint is not None
            and self.joined
            and len(self._done()) == len(self._checkpoint.partitions())
        )


class Ownership:
    """What happens when partitions are taken and given: the Assignment that the source tells."""

    def __init__(
        self,
        intake: Intake,
        checkpoint: Checkpoint,
        committer: Committer,
        dispatcher: Dispatcher,
        dead_letters: DeadLetterQueue,
        drain_seconds: float,
        telemetry: IntakeEvents,
    ) -> None:
        self._intake = intake
        self._checkpoint = checkpoint
        self._committer = committer
        self._dispatcher = dispatcher
        self._dead_letters = dead_letters
        self._is_leaving = False
        self._drain_seconds = drain_seconds
        self._telemetry = telemetry

    async def revoked(self, partitions: Collection[Partition]) -> None:
        """Close intake, commit, drain, commit again, and forget: the next owner reads on from there."""
        self._intake.close()
        if partitions:
            self._telemetry.revoked(partitions)
            await self._hand_over()
        self._dispatcher.forget()
        self._checkpoint.assign(())

    def assigned(self, partitions: Collection[Partition], part: Part) -> None:
        """Begin anew with these partitions."""
        self._telemetry.assigned(partitions, part.fraction)
        self._checkpoint.assign(partitions)
        if not self._is_leaving:
            self._dispatcher.resume(part)
            self._intake.open()

    def confirmed(self, at: float) -> None:
        """We are a member still, as of then."""
        self._dispatcher.confirmed(at)

    async def leave(self) -> None:
        """The process stops: as a revocation of everything, but that nothing comes after."""
        self._is_leaving = True
        self._intake.close()
        await self._hand_over()

    async def _hand_over(self) -> None:
        """Takes the drain's time and one commit's at most: the group waits for us, or whoever stops us."""
        committing = asyncio.create_task(self._committer.commit())
        try:
            async with asyncio.timeout(self._drain_seconds):
                await self._dispatcher.drain(self._drain_seconds)
                await self._dead_letters.flush()
        except TimeoutError:
            pass  # what is not resolved is not committed, and read again
        finally:
            committing.cancel()  # where the broker does not answer it hangs; the last one says all that it says
        await asyncio.wait((committing,))
        await self._committer.commit()
