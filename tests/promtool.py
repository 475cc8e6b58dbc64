"""Prometheus's own checker for the tests: found on the PATH, or installed where that is possible.

Never a skip: a machine without promtool fails the tests, with the ways to mend it.
"""

import fcntl
import functools
import os
import shutil
import subprocess
from pathlib import Path

_LOCK = Path(__file__).parents[1] / ".cache" / "apt.lock"
"""One for all that the tests install: apt-get does not wait for another one."""

_WAYS = """\
The tests need promtool and found none. Either of these gives it:
  1. promtool on the PATH: it comes with Prometheus
  2. Debian or Ubuntu as root: the tests install the package prometheus with apt-get
What went wrong: """


class PromtoolNotFound(Exception):  # noqa: N818 - it is about a thing, not a fault in the code
    """No way to promtool; the text names the two that there are."""

    def __init__(self, cause: str) -> None:
        super().__init__(_WAYS + cause)


def check_metrics(exposition: bytes) -> str:
    """What promtool finds wrong with a page of metrics in Prometheus's text format; "" when nothing."""
    done = _run([promtool(), "check", "metrics"], text=exposition)
    return done.stdout.decode() if done.returncode != 0 else ""


def run(*arguments: str | Path) -> subprocess.CompletedProcess[bytes]:
    """Promtool with these arguments; stdout holds all that it says."""
    return _run([promtool(), *map(str, arguments)])


@functools.cache
def promtool() -> str:
    """The program's path. Raises PromtoolNotFound where it is not there and cannot be installed.

    Safe to call from several processes at once: one installs, the others wait for it.
    """
    found = shutil.which("promtool")
    if found is None:
        _LOCK.parent.mkdir(exist_ok=True)
        with _LOCK.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            found = shutil.which("promtool") or _install()
    return found


def _install() -> str:
    if not Path("/etc/debian_version").exists() or shutil.which("apt-get") is None:
        raise PromtoolNotFound("this is not Debian or Ubuntu, so it was not installed.")
    if os.geteuid() != 0:
        raise PromtoolNotFound("not run as root, so it was not installed.")
    for command in (["update"], ["install", "--yes", "--no-install-recommends", "prometheus"]):
        done = _run(["apt-get", "--quiet", *command])
        if done.returncode != 0:
            raise PromtoolNotFound(
                f"apt-get {command[0]} failed:\n{done.stdout.decode(errors='replace')[-2000:]}"
            )
    found = shutil.which("promtool")
    if found is None:
        raise PromtoolNotFound("it is still not there after apt-get install.")
    return found


def _run(command: list[str], text: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        command,
        check=False,
        input=text,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
    )
