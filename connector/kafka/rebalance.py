"""Rebalances as aiokafka tells them, passed on to whoever owns the work.

Owns the gate for commits and the count of assignments. Knows neither the consumer nor what revoking means.
"""

from collections.abc import Callable, Collection
from typing import Protocol

from aiokafka import ConsumerRebalanceListener, TopicPartition

from connector.core.model import Partition
from connector.core.turns import Part


class Assignment(Protocol):
    """Who hears of rebalances. `revoked` may take as long as the drain; `assigned` must be instant."""

    async def revoked(self, partitions: Collection[Partition]) -> None:
        """These partitions will be another member's when this returns."""

    def assigned(self, partitions: Collection[Partition], part: Part) -> None:
        """These, and no others, are ours from their committed offsets on, and this part of the calls with them."""

    def confirmed(self, at: float) -> None:
        """What was sent to the group then, on the event loop's clock, was answered: we are a member still."""


class Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    """Passes rebalances on. aiokafka logs what is raised here and goes on, so it is kept for the next poll.

    Args:
        part: tells the part of the calls that is ours by the present assignment.

    Attributes:
        epoch: goes up whenever partitions are taken or given: what was asked before may be another member's.
        may_commit: false between the end of a revocation and the next assignment, where a commit would reset
            the group's generation and force more rebalances.
        failure: what the assignment raised.
    """

    def __init__(self, assignment: Assignment, part: Callable[[], Part]) -> None:
        self.epoch = 0
        self.may_commit = False
        self.failure: Exception | None = None
        self._assignment = assignment
        self._part = part
        self._is_closed = False

    def close(self) -> None:
        """We leave: a commit from now on might rewind the group."""
        self._is_closed = True
        self.may_commit = False

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        self.epoch += 1
        try:
            await self._assignment.revoked([Partition(*one) for one in revoked])
        except Exception as error:  # noqa: BLE001  kept, and raised from poll
            self.failure = error
        finally:
            self.may_commit = False

    # No heartbeats run during this call: it must be instant.
    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        self.epoch += 1
        try:
            self._assignment.assigned([Partition(*one) for one in assigned], self._part())
        except Exception as error:  # noqa: BLE001  kept, and raised from poll
            self.failure = error
        self.may_commit = not self._is_closed
