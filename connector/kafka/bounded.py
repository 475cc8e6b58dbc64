"""Ending a client of aiokafka within a bound.

Owns the one way to stop: on a dead or frozen broker a client's own stop may hang, or end in a CancelledError, and
leave tasks that connect again for ever.
"""

import asyncio
from collections.abc import Collection
from typing import Any

from connector.kafka import internals

_CANCEL_SECONDS = 1.0
_CLOSE_SECONDS = 1.0


async def stop_within(stoppable: Any, timeout: float) -> None:
    """Run a consumer's or producer's stop as a task of its own; past the time end its tasks and connections.

    Never raises for what it does. Takes up to three seconds more than the time.
    """
    stopping = asyncio.create_task(stoppable.stop())
    try:
        await asyncio.wait((stopping,), timeout=timeout)
    finally:
        stopping.cancel()
    await asyncio.wait((stopping,), timeout=_CANCEL_SECONDS)
    if _went_well(stopping):
        return
    await _end(internals.tasks_of(stoppable))
    closing = asyncio.create_task(internals.client_of(stoppable).close())
    await asyncio.wait((closing,), timeout=_CLOSE_SECONDS)
    await _end([closing])


async def _end(tasks: Collection[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=_CANCEL_SECONDS)
    for task in tasks:
        _went_well(task)


def _went_well(task: asyncio.Task[Any]) -> bool:
    """Also fetches the error, which asyncio would log otherwise."""
    return task.done() and not task.cancelled() and task.exception() is None
