"""What aiokafka 0.14 keeps to itself and this folder has to know: the one place to look at when its version changes.

Owns every access to the consumer's private parts. Each has a test on a real broker that would notice it missing.
"""
# ruff: noqa: SLF001  the library has no accessors for these

import asyncio
from collections.abc import Callable
from typing import Any

from aiokafka import AIOKafkaProducer, TopicPartition


def client_of(owner: Any) -> Any:
    """The client that holds a consumer's or a producer's connections."""
    return owner.client if isinstance(owner, AIOKafkaProducer) else owner._client


def tasks_of(owner: Any) -> set[asyncio.Task[Any]]:
    """The tasks that run for a consumer or a producer. It has no list of them: some are nobody's but the loop's."""
    names = ("_fetcher", "_coordinator", "_sender", "_message_accumulator")
    parts = [owner, client_of(owner), *(getattr(owner, name, None) for name in names)]
    return {
        task
        for task in asyncio.all_tasks()
        if (frame := getattr(task.get_coro(), "cr_frame", None)) is not None
        and any(frame.f_locals.get("self") is part for part in parts if part is not None)
    }


def position_now(consumer: Any, partition: TopicPartition) -> int | None:
    """The offset that is read next; None while there is none. `position()` would wait for it, and let time pass."""
    subscription = consumer._subscription.subscription
    assignment = None if subscription is None else subscription.assignment
    if assignment is None or partition not in assignment.tps:
        return None
    state = assignment.state_value(partition)
    return state.position if state.has_valid_position else None


def assign_nothing(consumer: Any) -> None:
    """Read no partition. Its own `assign` would go on to ask the brokers about all topics that they have."""
    consumer._subscription.assign_from_user([])


def failed_partition(consumer: Any) -> TopicPartition | None:
    """Whose records made `getmany` raise just now.

    It goes through the fetched partitions in their order, takes away each that it has finished with, and stops
    at once when it has enough records: so the first that is left is the one that raised.
    """
    return next(iter(consumer._fetcher._records), None)


def tell_heartbeats(consumer: Any, told: Callable[[float], None]) -> None:
    """Tell when each heartbeat that the group answered was sent, on the event loop's clock.

    One that is answered with a rebalance under way counts: the group waits for its members meanwhile.
    """
    coordinator = consumer._coordinator
    beat = coordinator._do_heartbeat

    async def beat_and_tell() -> bool:
        sent_at = asyncio.get_running_loop().time()
        is_member: bool = await beat()
        if is_member:
            told(sent_at)
        return is_member

    coordinator._do_heartbeat = beat_and_tell


def dead_task(consumer: Any) -> str | None:
    """Which of the consumer's tasks has ended; it would be silent for ever after."""
    if consumer._fetcher._fetch_task.done():
        return "fetch"
    task = getattr(consumer._coordinator, "_coordination_task", None)
    return "group" if task is not None and task.done() else None
