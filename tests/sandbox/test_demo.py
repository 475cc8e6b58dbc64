"""The demo as a user runs it: a command, its output and its exit code."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_COMMAND = (sys.executable, "-m", "connector", "demo")


@contextmanager
def _demo(folder: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    # What the user has in the environment must not reach the demo's connector.
    environment = {
        **os.environ,
        "CONNECTOR_KAFKA__GROUP_ID": "",
        "PYTHONUNBUFFERED": "1",
        "TMPDIR": str(folder),
    }
    process = subprocess.Popen(
        [*_COMMAND, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _until(process: subprocess.Popen[str], text: str) -> str:
    assert process.stdout is not None
    found = ""
    for line in process.stdout:
        found += line
        if text in line:
            return found
    raise AssertionError(f"{text!r} was not said:\n{found}")


def test_all_is_equal_and_kept_until_interrupted(tmp_path: Path) -> None:
    with _demo(tmp_path, "--events", "1500", "--seed", "3", "--keep") as process:
        output = _until(process, "Ctrl-C ends it")
        assert "Equal: 20 audiences" in output
        address = re.search(r"(http://\S+)/status", output)
        assert address is not None
        with urllib.request.urlopen(address[1] + "/status") as answer:
            assert json.load(answer)["state"] == "running"
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=30)
        assert process.returncode == 0, rest
        assert "@" not in output + rest
        assert not re.search(r"[0-9a-f]{32}", output + rest)
    assert list(tmp_path.iterdir()) == [], "what is equal leaves nothing behind"


def test_interrupting_it_early_ends_it_cleanly(tmp_path: Path) -> None:
    with _demo(tmp_path, "--events", "1000000") as process:
        _until(process, "fed")
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=30)
        assert process.returncode == 1
        assert "Stopped before the comparison" in rest
        assert "Traceback" not in rest
    assert list(tmp_path.iterdir()) == []


def test_a_connector_that_dies_is_reported_at_once(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with _demo(tmp_path, "--events", "1000", "--port", str(taken.getsockname()[1])) as process:
            output, _ = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "the connector ended by itself, exit code 1" in output
    assert "cannot listen" in output
    assert "Traceback" not in output


def test_wrong_usage_is_exit_code_2() -> None:
    for options in (("--events", "0"), ("--port", "70000"), ("--seed", "x")):
        ran = subprocess.run([*_COMMAND, *options], capture_output=True, text=True, check=False)
        assert ran.returncode == 2
        assert options[0] in ran.stderr
