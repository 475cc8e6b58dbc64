"""Programs that Debian packages, for the tests: found on the PATH, or installed where that is possible.

Never a skip: a machine without the program fails the test, with the ways to mend it.
"""

import fcntl
import functools
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

_LOCK = Path(__file__).parents[1] / ".cache" / "apt.lock"
"""One for all that the tests install: apt-get does not wait for another one."""


class NotInstalled(Exception):  # noqa: N818 - it is about a thing, not a fault in the code
    """Packages that are not there and could not be installed; the text says why."""


class ProgramNotFound(Exception):  # noqa: N818 - it is about a thing, not a fault in the code
    """No way to a program; the text names the two that there are."""

    def __init__(self, name: str, package: str, cause: str) -> None:
        super().__init__(
            f"The tests need {name} and found none. Either of these gives it:\n"
            f"  1. {name} on the PATH\n"
            f"  2. Debian or Ubuntu as root: the tests install the package {package} with apt-get\n"
            f"What went wrong: {cause}"
        )


@functools.cache
def program(name: str, *, package: str) -> str:
    """The program's path. Raises ProgramNotFound where it is not there and cannot be installed."""
    try:
        install(package, unless=lambda: shutil.which(name) is not None)
    except NotInstalled as error:
        raise ProgramNotFound(name, package, str(error)) from None
    found = shutil.which(name)
    if found is None:
        raise ProgramNotFound(name, package, "it is still not there after apt-get install.")
    return found


def install(*packages: str, unless: Callable[[], bool]) -> None:
    """Install these, unless what they bring is there. Raises NotInstalled.

    Safe to call from several processes at once: one installs, the others wait for it.
    """
    if unless():
        return
    _LOCK.parent.mkdir(exist_ok=True)
    with _LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not unless():
            _install(packages)


def _install(packages: tuple[str, ...]) -> None:
    if not Path("/etc/debian_version").exists() or shutil.which("apt-get") is None:
        raise NotInstalled("this is not Debian or Ubuntu, so it was not installed.")
    if os.geteuid() != 0:
        raise NotInstalled("not run as root, so it was not installed.")
    for command in (["update"], ["install", "--yes", "--no-install-recommends", *packages]):
        done = subprocess.run(
            ["apt-get", "--quiet", *command],
            check=False,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        )
        if done.returncode != 0:
            raise NotInstalled(f"apt-get {command[0]} failed:\n{done.stdout[-2000:]}")
