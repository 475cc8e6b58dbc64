"""`connector run` before the service stands."""

import os
import signal
import subprocess
import sys
from pathlib import Path


def test_a_stop_before_the_service_stands_is_a_stop(tmp_path: Path) -> None:
    config = tmp_path / "connector.yaml"
    os.mkfifo(config)  # reading it waits until somebody writes
    process = subprocess.Popen(
        [sys.executable, "-m", "connector", "run", "--config", str(config)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    with config.open("wb"):  # opens when the other side does
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=20)

    assert process.returncode == 0
    assert output == b""
