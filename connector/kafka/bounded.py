"""Ending a client of aiokafka within a bound.

Owns the one way to stop: on a dead or frozen broker a client's own stop may hang, or end in a CancelledError.
"""

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any


async def stop_within(stop: Coroutine[Any, Any, None], client: Any, timeout: float) -> None:
    """Run a client's stop as a task of its own; past the time cancel it and close the connections."""
    task = asyncio.create_task(stop)
    await asyncio.wait((task,), timeout=timeout)
    if not task.done():
        task.cancel()
        await asyncio.wait((task,), timeout=1.0)
    if task.done() and not task.cancelled() and task.exception() is None:
        return
    closing = asyncio.create_task(client.close())
    await asyncio.wait((closing,), timeout=1.0)
    closing.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.wait((closing,), timeout=0.5)
