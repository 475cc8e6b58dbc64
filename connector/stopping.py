"""The wish to stop, as a signal says it: the first asks to finish, the second ends at once.

Owns the signals. What finishing takes is up to those who look.
"""

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


class Stop:
    """Whether somebody wants the process to stop: `is_wanted`, `wait`, `unless_wanted`."""

    def __init__(self) -> None:
        self._wanted = asyncio.Event()

    def listen(self) -> None:
        """Listen to SIGTERM and SIGINT from now on, on behalf of the present task."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_signal, asyncio.current_task())

    def is_wanted(self) -> bool:
        return self._wanted.is_set()

    async def wait(self) -> None:
        """Wait for the first signal."""
        await self._wanted.wait()

    async def unless_wanted(self, work: Coroutine[None, None, Result]) -> Result | None:
        """Do the work, but give it up when a signal comes; None then."""
        doing = asyncio.create_task(work)
        stopping = asyncio.create_task(self._wanted.wait())
        try:
            await asyncio.wait((doing, stopping), return_when=asyncio.FIRST_COMPLETED)
            return doing.result() if doing.done() else None
        finally:
            for task in (doing, stopping):
                task.cancel()
            await asyncio.wait((doing, stopping))

    def _on_signal(self, listening: asyncio.Task[Any] | None) -> None:
        if self._wanted.is_set() and listening is not None:
            listening.cancel()
        self._wanted.set()
