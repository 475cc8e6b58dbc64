"""Ending a client of aiokafka within a bound.

Owns the one way to stop: on a dead or frozen broker a client's own stop may hang, or end in a CancelledError.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any

_CANCEL_SECONDS = 1.0
_CLOSE_SECONDS = 1.0


async def stop_within(stop: Coroutine[Any, Any, None], client: Any, timeout: float) -> None:
    """Run a client's stop as a task of its own; past the time cancel it and close the connections.

    Never raises for what the client does. Takes up to two seconds more than the time. Cancelled, it leaves nothing
    running.
    """
    task = asyncio.create_task(stop)
    try:
        await asyncio.wait((task,), timeout=timeout)
    finally:
        if not task.done():
            task.cancel()
    await asyncio.wait((task,), timeout=_CANCEL_SECONDS)
    if _went_well(task):
        return
    closing = asyncio.create_task(client.close())
    try:
        await asyncio.wait((closing,), timeout=_CLOSE_SECONDS)
    finally:
        closing.cancel()
    _went_well(closing)


def _went_well(task: asyncio.Task[None]) -> bool:
    """Also fetches the error, which asyncio would log otherwise."""
    return task.done() and not task.cancelled() and task.exception() is None
