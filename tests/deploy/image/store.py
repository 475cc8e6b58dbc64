"""Images and their files, in a folder of the test's own: buildah without an engine and without privileges of one.

Knows how buildah is spoken to; neither what is built nor how it is run.
"""

import json
import os
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

from tests.debian import program

_PATH = "/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin"


class Image(NamedTuple):
    """What is built.

    Attributes:
        config: how it is to be run, in the words of its format: User, Env, Entrypoint, Cmd, Labels, Healthcheck …
        files: the root of a copy of its files.
    """

    config: dict[str, Any]
    files: Path


class Store:
    """A place for images.

    Attributes:
        environ: what makes any buildah, also one in a script, use this place.
    """

    def __init__(self, folder: Path) -> None:
        storage = folder / "storage.conf"
        # vfs: overlays cannot be mounted on every file system.
        storage.write_text(
            "[storage]\n"
            'driver = "vfs"\n'
            f'graphroot = "{folder / "graph"}"\n'
            f'runroot = "{folder / "run"}"\n'
        )
        self.environ = {
            **os.environ,
            "CONTAINERS_STORAGE_CONF": str(storage),
            "BUILDAH_ISOLATION": "chroot",
        }
        self._buildah = program("buildah", package="buildah")

    def add(self, files: Path, name: str) -> None:
        """Make an image of the files in a tar."""
        container = self._run("from", "scratch")
        self._run("add", "--quiet", container, str(files), "/")
        self._run("config", "--env", f"PATH={_PATH}", container)
        self._run("commit", "--quiet", "--rm", container, name)

    def open(self, name: str) -> Image:
        """Unpack an image that is there."""
        container = self._run("from", "--pull-never", name)
        about = json.loads(self._run("inspect", "--type", "image", name))
        return Image(about["Docker"]["config"], Path(self._run("mount", container)))

    def _run(self, *arguments: str) -> str:
        done = subprocess.run(
            [self._buildah, *arguments],
            check=False,
            text=True,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            env=self.environ,
        )
        assert done.returncode == 0, f"buildah {arguments[0]}:\n{done.stdout}{done.stderr}"
        return done.stdout.strip()
