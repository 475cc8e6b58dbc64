"""A process in an image as a strict runtime starts it, made of the kernel's own parts: no engine is needed.

The root file system cannot be written, only /tmp can; the process is number 1 among those that it sees, has the
image's user and environment, no capability and no way to a new one. The network is this machine's.
"""

import os
import shlex
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.deploy.image.store import Image
from tests.end_to_end.deployment import Process

_NO_RIGHTS = ("--clear-groups", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs")


class Container(Process):
    """One process of the image; what it says goes to a file. `end` or `kill` ends it.

    Args:
        arguments: in place of the image's command; its entrypoint stays.
        files: of this machine, by the path where the container sees them, not to be written.
        entrypoint: in place of the image's.
    """

    def __init__(
        self,
        image: Image,
        log: Path,
        *arguments: str,
        files: Mapping[str, Path] | None = None,
        environ: Mapping[str, str] | None = None,
        entrypoint: Sequence[str] | None = None,
    ) -> None:
        self.log = log
        shown = {"/etc/hosts": Path("/etc/hosts"), **(files or {})}
        first = entrypoint or image.config["Entrypoint"]
        command = [*first, *(arguments or image.config["Cmd"])]
        variables = [*image.config["Env"], *(f"{k}={v}" for k, v in (environ or {}).items())]
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [
                    *("unshare", "--mount", "--propagation", "private", "--pid", "--fork"),
                    *("--kill-child", "sh", "-euc", _script(image, shown, variables, command)),
                ],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    def end(self, number: int = signal.SIGTERM, seconds: float = 40.0) -> int:
        """Signal the process itself, as a runtime does, and wait for its exit code."""
        around = self.process.pid
        children = Path(f"/proc/{around}/task/{around}/children").read_text().split()
        assert len(children) == 1, "the container has not started, or is over"
        os.kill(int(children[0]), number)
        return self.wait(seconds)

    def kill(self) -> None:
        """End it, if it has not ended, and all that it started."""
        self.process.kill()
        self.process.wait()


def _script(
    image: Image, files: Mapping[str, Path], variables: Sequence[str], command: Sequence[str]
) -> str:
    """The shell's part: the file system's shape, then to become the process."""
    root = image.files
    user, _, group = image.config["User"].partition(":")
    lines = [["mount", "--bind", str(root), str(root)]]
    for inside, outside in files.items():
        target = root / inside.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
        lines.append(["mount", "--bind", "--options", "ro", str(outside), str(target)])
    lines += [
        ["mount", "--types", "tmpfs", "--options", "mode=1777", "tmpfs", f"{root}/tmp"],
        ["mount", "--types", "proc", "proc", f"{root}/proc"],
        ["mount", "--rbind", "/dev", f"{root}/dev"],
        ["mount", "--options", "remount,bind,ro", str(root)],
        [
            *("exec", "chroot", str(root), "setpriv", f"--reuid={user}", f"--regid={group}"),
            *(*_NO_RIGHTS, "env", "--ignore-environment", *variables, *command),
        ],
    ]
    return "\n".join(map(shlex.join, lines))
