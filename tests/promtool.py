"""Prometheus's own checker for the tests: found on the PATH, or installed where that is possible."""

import subprocess
from pathlib import Path

from tests.debian import program


def check_metrics(exposition: bytes) -> str:
    """What promtool finds wrong with a page of metrics in Prometheus's text format; "" when nothing."""
    done = _run("check", "metrics", text=exposition)
    return done.stdout.decode() if done.returncode != 0 else ""


def run(*arguments: str | Path) -> subprocess.CompletedProcess[bytes]:
    """Promtool with these arguments; stdout holds all that it says."""
    return _run(*map(str, arguments))


def promtool() -> str:
    """The program's path. Raises tests.debian.ProgramNotFound."""
    return program("promtool", package="prometheus")


def _run(*arguments: str, text: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [promtool(), *arguments],
        check=False,
        input=text,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
