"""The image, really built, and run as a strict runtime runs it: tests/deploy/image says how."""

import json
import os
import re
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connector import __version__
from connector.sandbox.generator import Traffic, generate, segment_names
from tests.deploy.image.built import ROOT, SOURCE, image
from tests.deploy.image.container import Container
from tests.deploy.image.store import Image
from tests.end_to_end.deployment import ADVERTISER, Deployment, Emulator, until
from tests.kafka_broker import Cluster

__all__ = ["image"]

pytestmark = pytest.mark.deploy

LARGEST_BYTES = 250_000_000
SEGMENTS = segment_names(8)
LABEL = "org.opencontainers.image."

Run = Callable[..., Container]


@pytest.fixture
def run(image: Image, tmp_path: Path) -> Iterator[Run]:
    """Start a container; what a failed test leaves running is ended."""
    started: list[Container] = []

    def start(*arguments: str, **options: object) -> Container:
        log = tmp_path / f"container-{len(started)}.log"
        started.append(Container(image, log, *arguments, **options))  # type: ignore[arg-type]
        return started[-1]

    yield start
    for one in started:
        one.kill()


# What it is


def test_the_dockerfile_has_no_fault_that_hadolint_knows() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run(
        [hadolint, ROOT / "deploy" / "Dockerfile"], check=False, text=True, capture_output=True
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_it_says_how_it_is_run(image: Image) -> None:
    config = image.config

    assert config["User"] == "10001:10001"
    assert config["Entrypoint"] == ["connector"]
    assert config["Cmd"] == ["run"]
    assert config["StopSignal"] == "SIGTERM"
    assert config["Healthcheck"]["Test"] == ["CMD", "connector", "healthcheck"]
    assert list(config["ExposedPorts"]) == ["8080/tcp"]
    assert "CONNECTOR_CONFIG=/etc/connector/connector.yaml" in config["Env"]


def test_it_says_what_it_was_made_from(image: Image) -> None:
    labels = {
        name.removeprefix(LABEL): value
        for name, value in image.config["Labels"].items()
        if name.startswith(LABEL)
    }
    created = datetime.fromisoformat(labels.pop("created"))
    revision = labels.pop("revision")
    description = labels.pop("description")

    assert labels == {
        "title": "tiktok-audience-connector",
        "licenses": "Apache-2.0",
        "version": __version__,
        "source": SOURCE,
    }
    assert f'description = "{description}"' in (ROOT / "pyproject.toml").read_text()
    assert timedelta(0) <= datetime.now(UTC) - created < timedelta(hours=1)
    assert re.fullmatch(r"[0-9a-f]{40}(-modified)?|unknown", revision)


def test_it_is_smaller_than_250_megabytes(image: Image) -> None:
    size = sum(path.lstat().st_size for path in _files(image.files))

    assert size < LARGEST_BYTES, f"{size / 1e6:.0f} MB"


def test_its_own_files_are_roots_and_nobody_elses_to_write(image: Image) -> None:
    ours = list(_files(image.files / "opt" / "connector"))

    assert ours
    for path in ours:
        about = path.lstat()
        assert about.st_uid == about.st_gid == 0, path
        assert path.is_symlink() or not about.st_mode & (stat.S_IWGRP | stat.S_IWOTH), path


def test_it_holds_what_is_locked_and_nothing_that_installs(run: Run) -> None:
    code = (
        "import json; from importlib.metadata import distributions\n"
        "print(json.dumps({one.name.lower().replace('_', '-'): one.version for one in distributions()}))"
    )
    asking = run("-c", code, entrypoint=["python3"])
    assert asking.wait(30) == 0, asking.text()
    lock = (ROOT / "requirements.lock").read_text()
    locked = dict(re.findall(r"^([A-Za-z0-9._-]+)==([^\s;]+)", lock, re.MULTILINE))

    assert json.loads(asking.text()) == {**locked, "tiktok-audience-connector": __version__}


def test_nothing_has_to_be_compiled_at_the_start(run: Run) -> None:
    code = (
        "import os, sys, connector.app, connector.cli.healthcheck, connector.cli.run\n"
        "for name, one in sorted(sys.modules.items()):\n"
        "    cached = getattr(getattr(one, '__spec__', None), 'cached', None)\n"
        "    if cached and not os.path.exists(cached): print(name)"
    )
    asking = run("-c", code, entrypoint=["python3"])

    assert asking.wait(30) == 0
    assert asking.text() == ""


# How it runs


def test_it_has_no_rights_and_nowhere_to_write_but_tmp(run: Run) -> None:
    code = (
        "import os, re\n"
        "print(os.getpid(), os.getuid(), os.getgid(), os.getgroups())\n"
        "print(re.findall(r'(?:CapEff|CapBnd|NoNewPrivs):\\t(\\w+)', open('/proc/self/status').read()))\n"
        "written = []\n"
        "for folder, _, _ in os.walk('/'):\n"
        "    if not folder.startswith(('/proc', '/dev', '/sys')):\n"
        "        try: open(folder + '/probe', 'w'); written.append(folder)\n"
        "        except OSError: pass\n"
        "print(written)"
    )
    asking = run("-c", code, entrypoint=["python3"])

    assert asking.wait(60) == 0, asking.text()
    assert asking.text().splitlines() == [
        "1 10001 10001 []",
        str(["0" * 16, "0" * 16, "1"]),
        "['/tmp']",
    ]


def test_it_tells_its_commands(run: Run) -> None:
    asking = run("--help")

    assert asking.wait(30) == 0
    assert re.search(r"^ +run +", asking.text(), re.MULTILINE)


def test_without_a_configuration_it_says_where_it_looked(run: Run) -> None:
    asking = run()

    assert asking.wait(30) == 2
    assert "/etc/connector/connector.yaml: there is no such file" in asking.text()


def test_the_demo_runs_in_it(run: Run) -> None:
    demo = run("demo", "--events", "5000")

    assert demo.wait(120) == 0, demo.text()[-3000:]
    assert "Equal: 20 audiences" in demo.text()


def test_it_streams_from_kafka_to_tiktok_and_a_stop_loses_nothing(
    tmp_path: Path, broker: Cluster, run: Run
) -> None:
    emulator = Emulator(tmp_path, len(SEGMENTS))
    try:
        # Slow enough that the stop comes in the middle of calls.
        emulator.faults({"endpoint": "segment/mapping", "probability": 1.0, "delay": 0.3})
        deployment = _deployment(tmp_path, broker, emulator)
        traffic = Traffic(events=50_000, profiles=25_000, segments=len(SEGMENTS))
        deployment.feed(generate(traffic))
        files = {
            "/etc/connector/connector.yaml": deployment.config,
            "/run/secrets/tiktok_emea": deployment.token_file,
        }
        first = run(files=files)
        until(lambda: deployment.get("/readyz")[0] == 200, 30, "readiness")
        assert run("healthcheck", "--ready", files=files).wait(30) == 0
        for path in ("/", "/status", "/metrics"):  # what they are made of has to be in the image
            assert deployment.get(path)[0] == 200, path
        until(lambda: emulator.applied() > 0, 30, "a call")

        assert first.end() == 0, first.text()[-3000:]
        assert run("healthcheck", files=files).wait(30) == 1
        assert not deployment.is_all_committed(), "it was over before the stop"
        assert run("run", "--until-end", files=files).wait(60) == 0
        assert deployment.is_all_committed()
        deployment.verdict(emulator)
    finally:
        emulator.end()


def _deployment(folder: Path, broker: Cluster, emulator: Emulator) -> Deployment:
    destination = {
        "name": "emea",
        "advertiser_id": ADVERTISER,
        "access_token_file": "/run/secrets/tiktok_emea",
    }
    return Deployment(
        folder,
        broker,
        emulator.base_url,
        segments=SEGMENTS,
        destinations=[destination],
        delivery__max_rows=100,
    )


def _files(folder: Path) -> Iterator[Path]:
    for path, _, names in os.walk(folder):
        yield from (Path(path, name) for name in names)
