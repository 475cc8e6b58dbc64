"""A base image where none can be fetched: Debian's smallest system with Python, near the usual base in shape and size.

Like the usual one it has no bytecode of Python's own library, no manuals and no compiler. Made once, and kept
in the cache under the name of its recipe.
"""

import fcntl
import hashlib
import subprocess
from pathlib import Path

from tests.debian import program

_CACHE = Path(__file__).parents[3] / ".cache" / "image-base"
_SUITE = "bookworm"
_PACKAGES = ("usr-is-merged", "python3", "python3-venv", "ca-certificates")
_LEFT_OUT = tuple(f"/usr/share/{name}/*" for name in ("doc", "info", "locale", "man"))
_AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"

_RECIPE = (
    "--variant=minbase",
    f"--include={','.join(_PACKAGES)}",
    "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr",
    *(f"--dpkgopt=path-exclude={one}" for one in _LEFT_OUT),
    "--dpkgopt=path-include=/usr/share/doc/*/copyright",
    """--customize-hook=find "$1/usr/lib" -name '*.pyc' -delete""",
    # The build fetches packages: whom this machine trusts, its base trusts.
    f"--customize-hook=copy-in {_AUTHORITIES} {Path(_AUTHORITIES).parent}",
)


def stand_in_base() -> Path:
    """The base's files as a tar. Safe to call from several processes at once: one makes it, the others wait."""
    recipe = "\n".join((_SUITE, *_RECIPE)).encode() + Path(_AUTHORITIES).read_bytes()
    made = _CACHE / f"{hashlib.sha256(recipe).hexdigest()[:16]}.tar"
    _CACHE.mkdir(parents=True, exist_ok=True)
    with (_CACHE / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            _make(made)
    return made


def _make(target: Path) -> None:
    scratch = target.with_suffix(".part")
    mmdebstrap = program("mmdebstrap", package="mmdebstrap")
    done = subprocess.run(
        [mmdebstrap, "--quiet", *_RECIPE, "--format=tar", _SUITE, str(scratch)],
        check=False,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert done.returncode == 0, f"mmdebstrap could not make the base:\n{done.stdout[-3000:]}"
    # Only a complete file ever has the name that is looked for.
    scratch.rename(target)
