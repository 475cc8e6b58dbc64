"""The image as `make image` builds it, once for all tests of it."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.deploy.image.stand_in import stand_in_base
from tests.deploy.image.store import Image, Store

ROOT: Final = Path(__file__).parents[3]
SOURCE: Final = "https://code.example/tiktok-audience-connector"

_BASE = "localhost/stand-in-for-python:1"
_NAME = "localhost/tiktok-audience-connector:test"


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    """The built image, on a base that stands in for the usual one. Its folder is gone afterwards: it is large."""
    folder = tmp_path_factory.mktemp("images")
    try:
        store = Store(folder)
        store.add(stand_in_base(), _BASE)
        _make_image(store, folder)
        yield store.open(_NAME)
    finally:
        shutil.rmtree(folder)


def _make_image(store: Store, folder: Path) -> None:
    variables = {
        "BUILDER": "buildah",
        "IMAGE": _NAME,
        "BASE": _BASE,
        "SOURCE": SOURCE,
        "PIP_CONF": str(_pip_conf(folder)),
    }
    done = subprocess.run(
        ["make", "image"],
        check=False,
        cwd=ROOT,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**store.environ, **variables},
    )
    assert done.returncode == 0, f"make image failed:\n{done.stdout[-5000:]}"


def _pip_conf(folder: Path) -> Path:
    """Where this machine takes packages from, for the build to take them from there too."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], check=True, text=True, capture_output=True
    )
    path = folder / "pip.conf"
    wanted = ("index-url", "extra-index-url", "trusted-host", "proxy")
    lines = (line.partition("=") for line in listed.stdout.splitlines())
    found = {name.rpartition(".")[2]: value.strip("'") for name, _, value in lines}
    path.write_text("\n".join(["[global]", *(f"{k} = {found[k]}" for k in wanted if k in found)]))
    return path
