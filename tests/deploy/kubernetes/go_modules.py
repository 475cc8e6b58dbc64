"""Go modules: a program built from one, and the files of one.

Owns the versions. Fetched through Go's own settings, checked against Go's checksums, and kept: the programs in
.cache, the files where Go keeps them. Without Go the tests fail, and say how to mend it.
"""

import fcntl
import functools
import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.debian import program

_CACHE = Path(__file__).parents[3] / ".cache"

# The last one that Debian 12's own Go can build.
_KUSTOMIZE = "sigs.k8s.io/kustomize/kustomize/v5@v5.0.3"

KEDA = "github.com/kedacore/keda/v2@v2.21.0"
PROMETHEUS_OPERATOR = "github.com/prometheus-operator/prometheus-operator@v0.85.0"


@functools.cache
def kustomize() -> Path:
    """The program, built once. Safe to call from several processes at once: one builds, the others wait for it."""
    folder = _CACHE / f"kustomize-{_KUSTOMIZE.rpartition('@')[2]}"
    built = folder / "kustomize"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not built.exists():
            _go("install", _KUSTOMIZE, environ={"GOBIN": str(folder)})
    return built


@functools.cache
def files_of(module: str) -> Path:
    """The folder with this module's files."""
    answer = json.loads(_go("mod", "download", "-json", module))
    return Path(answer["Dir"])


def _go(*arguments: str, environ: Mapping[str, str] | None = None) -> str:
    command = [program("go", package="golang-go"), *arguments]
    done = subprocess.run(
        command,
        check=False,
        text=True,
        capture_output=True,
        cwd=_CACHE,  # in no module of anybody's
        env={**os.environ, **(environ or {})},
    )
    assert done.returncode == 0, f"go {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}"
    return done.stdout
