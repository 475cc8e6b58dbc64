"""Programs as processes of their own, and the system's account of what they took.

Whole processes, start included: what a user pays. Knows nothing of Kafka.
"""

import os
import select
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, NamedTuple, Self

CONNECTOR: Final = str(Path(sys.executable).with_name("connector"))
QUIX_PYTHON: Final = str(Path(__file__).parents[2] / ".cache" / "bench" / "venv" / "bin" / "python")
_LOOK_SECONDS: Final = 0.05


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
    """A process that was started, with its output in a temporary file. Leaving its block ends it.

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
        peak = self._watch()
        wall = time.perf_counter() - self._begun
        _, status, usage = os.wait4(self.process.pid, 0)
        self.process.returncode = os.waitstatus_to_exitcode(status)
        if self.process.returncode:
            said = self.output()[-2000:].decode(errors="replace")
            raise RuntimeError(f"{self._command} ended with {self.process.returncode}:\n{said}")
        return Usage(usage.ru_utime + usage.ru_stime, wall, peak)

    def _watch(self) -> float:
        """Look at its memory until it ends; the most that it held.

        Not by wait4's account of it: that begins with what this process held when it started the other one.
        """
        peak, end = 0.0, os.pidfd_open(self.process.pid)
        try:
            while not select.select([end], [], [], _LOOK_SECONDS)[0]:
                peak = self._memory_mb("VmHWM") or peak
        finally:
            os.close(end)
        return peak

    def stop(self) -> Usage:
        """Ask it to end, and wait."""
        self.process.terminate()
        return self.finish()

    def close(self) -> None:
        """End it, whatever it does, and drop its output."""
        if self.process.returncode is None:
            self.process.kill()
            self.process.wait()
        self._output.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def output(self) -> bytes:
        """What it has written so far."""
        size = os.fstat(self._output.fileno()).st_size
        return os.pread(self._output.fileno(), size, 0)  # the process goes on writing at its place

    def cpu_seconds(self) -> float:
        """What it has taken so far, user and system."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_mb(self) -> float:
        """What it holds now, in MiB."""
        return self._memory_mb("VmRSS")

    def _memory_mb(self, name: str) -> float:
        """The kernel's figure of that name; 0 when the process has just ended."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) / 1024
        return 0.0


def median_cpu(some: Iterable[Usage]) -> float:
    return statistics.median(one.cpu_seconds for one in some)


def cost(one: Iterable[Usage], other: Iterable[Usage]) -> float:
    """How many times the CPU of the other the one takes: the median of rounds that ran after each other.

    A machine that is slow for a while makes both of a round slow.
    """
    pairs = zip(one, other, strict=True)
    return statistics.median(a.cpu_seconds / b.cpu_seconds for a, b in pairs)


def run(command: Sequence[str]) -> Usage:
    """Run a program to its end."""
    with Program(command) as program:
        return program.finish()


def module(name: str, *arguments: object, python: str = sys.executable) -> list[str]:
    """The command that runs one of the benchmark's own programs."""
    return [python, "-m", f"tests.benchmarks.{name}", *map(str, arguments)]
