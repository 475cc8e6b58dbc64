"""Programs as processes of their own, and the system's account of what they took.

Whole processes, start included: what a user pays. Knows nothing of Kafka.
"""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

CONNECTOR: Final = str(Path(sys.executable).with_name("connector"))
QUIX_PYTHON: Final = str(Path(__file__).parents[2] / ".cache" / "bench" / "venv" / "bin" / "python")


class Usage(NamedTuple):
    """What a finished process took.

    Attributes:
        cpu_seconds: user and system, of all its threads.
        peak_mb: the most that it held in memory, in MiB.
    """

    cpu_seconds: float
    wall_seconds: float
    peak_mb: float


class Program:
    """A process that was started. What it writes to stdout goes to `log`, or nowhere; its errors are shown."""

    def __init__(
        self,
        command: Sequence[str],
        environ: Mapping[str, str] | None = None,
        log: Path | None = None,
    ) -> None:
        self._begun = time.perf_counter()
        self.started_at = time.time()
        self._name = " ".join(command[:3])
        with (log or Path(os.devnull)).open("wb") as output:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                env={**os.environ, **(environ or {})},
            )

    def finish(self) -> Usage:
        """Wait for its end.

        Raises:
            RuntimeError: it failed.
        """
        _, status, usage = os.wait4(self.process.pid, 0)
        self.process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.perf_counter() - self._begun
        if self.process.returncode:
            raise RuntimeError(f"{self._name} ended with {self.process.returncode}")
        return Usage(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / 1024)

    def stop(self) -> Usage:
        """Ask it to end, and wait."""
        self.process.terminate()
        return self.finish()

    def kill(self) -> None:
        """End it, whatever it does; nothing happens where it has ended."""
        if self.process.returncode is None:
            self.process.kill()
            self.process.wait()

    def memory_mb(self) -> float:
        """What it holds now, in MiB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(one for one in status.splitlines() if one.startswith("VmRSS:"))
        return int(line.split()[1]) / 1024


def module(name: str, *arguments: object, python: str = sys.executable) -> list[str]:
    """The command that runs one of the benchmark's own programs."""
    return [python, "-W", "ignore", "-m", f"tests.benchmarks.{name}", *map(str, arguments)]


def median_cpu(some: Iterable[Usage]) -> float:
    return statistics.median(one.cpu_seconds for one in some)


def cost(one: Iterable[Usage], other: Iterable[Usage]) -> float:
    """How many times the CPU of the other the one takes: the median of rounds that ran after each other.

    A machine that is slow for a while makes both of a round slow.
    """
    pairs = zip(one, other, strict=True)
    return statistics.median(a.cpu_seconds / b.cpu_seconds for a, b in pairs)
