"""Programs as processes of their own, and the system's account of what they took.

Whole processes, start included: what a user pays. Knows nothing of Kafka.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
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
    """A process that was started, with its output in a temporary file.

    Attributes:
        started_at: when, by the system's clock.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command
        self._output = tempfile.TemporaryFile()  # noqa: SIM115  open as long as the process
        self._begun, self.started_at = time.perf_counter(), time.time()
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=self._output, stderr=subprocess.STDOUT
        )

    def finish(self) -> Usage:
        """Wait for its end.

        Raises:
            RuntimeError: it failed; with the end of what it wrote.
        """
        _, status, usage = os.wait4(self.process.pid, 0)
        self.process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.perf_counter() - self._begun
        if self.process.returncode:
            said = self.output()[-2000:].decode(errors="replace")
            raise RuntimeError(f"{self._command} ended with {self.process.returncode}:\n{said}")
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

    def output(self) -> bytes:
        """What it has written so far."""
        self._output.seek(0)
        return self._output.read()

    def cpu_seconds(self) -> float:
        """What it has taken so far, user and system."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

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
