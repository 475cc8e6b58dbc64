"""The real connector in a process of its own, as a user would run it.

Owns the process and its log file: start, notice its end, stop it gently and, failing that, not gently.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Final

_STOP_SECONDS: Final = 40.0
"""More than the connector may take to drain."""


class ServiceProcess:
    """`connector run` with a configuration; what it says goes to a file."""

    def __init__(self, config: Path, log: Path) -> None:
        self._config = config
        self._log = log
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it, in a session of its own: Ctrl-C in the terminal is the demo's to handle."""
        # The user's own settings must not reach the demo's connector.
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("CONNECTOR_")
        }
        with self._log.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "connector",
                "run",
                "--config",
                str(self._config),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,
            )

    async def ended(self) -> int:
        """Wait until it ends, for whatever reason, and return its exit code."""
        assert self._process is not None  # noqa: S101  -- start() comes first
        return await self._process.wait()

    async def stop(self) -> int | None:
        """Ask it to stop with SIGTERM and return its exit code; None if it was never started.

        It is killed if it takes too long, or if this is cancelled.
        """
        process = self._process
        if process is None or process.returncode is not None:
            return None if process is None else process.returncode
        process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(_STOP_SECONDS):
                return await process.wait()
        except TimeoutError:
            pass
        finally:
            if process.returncode is None:
                process.kill()
        return await process.wait()

    def last_lines(self, count: int = 15) -> list[str]:
        """Return the end of its log."""
        try:
            text = self._log.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return []
        return text.splitlines()[-count:]
