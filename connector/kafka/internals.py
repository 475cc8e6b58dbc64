"""What aiokafka 0.14 keeps to itself and this folder has to know: the one place to look at when its version changes.

Owns every access to the consumer's private parts. Each has a test on a real broker that would notice it missing.
"""
# ruff: noqa: SLF001  the library has no accessors for these

from typing import Any

from aiokafka import TopicPartition


def client_of(consumer: Any) -> Any:
    """The client that holds the consumer's connections."""
    return consumer._client


def position_now(consumer: Any, partition: TopicPartition) -> int | None:
    """The offset that is read next; None while there is none. `position()` would wait for it, and let time pass."""
    subscription = consumer._subscription.subscription
    assignment = None if subscription is None else subscription.assignment
    if assignment is None or partition not in assignment.tps:
        return None
    state = assignment.state_value(partition)
    return state.position if state.has_valid_position else None


def failed_partition(consumer: Any) -> TopicPartition | None:
    """Whose records made `getmany` raise just now.

    It goes through the fetched partitions in their order, takes away each that it has finished with, and stops
    at once when it has enough records: so the first that is left is the one that raised.
    """
    return next(iter(consumer._fetcher._records), None)


def dead_task(consumer: Any) -> str | None:
    """Which of the consumer's tasks has ended; it would be silent for ever after."""
    if consumer._fetcher._fetch_task.done():
        return "fetch"
    task = getattr(consumer._coordinator, "_coordination_task", None)
    return "group" if task is not None and task.done() else None
