"""A real Prometheus for the tests: Debian's program, run by hand on a free port, its data in a folder of the test.

Knows nothing of what it scrapes, and nothing of what is asked of it.
"""

import json
import math
import subprocess
import urllib.parse
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from tests.debian import program
from tests.end_to_end.deployment import free_port, get, until

JOB = "tiktok-connector"

_START_PATIENCE = 30.0  # seconds


class Series(NamedTuple):
    """One series of an answer.

    Attributes:
        points: (seconds since the epoch, value); one alone for an instant.
    """

    labels: dict[str, str]
    points: list[tuple[float, float]]


class Prometheus:
    """Runs with a configuration file of the caller's; `end` stops it.

    Args:
        folder: for its data and its log; it has to exist.
        config: Prometheus' own configuration file.
        options: further ones of the command line.
    """

    def __init__(self, folder: Path, config: Path, *options: str) -> None:
        self.port = free_port()
        self.root = f"http://127.0.0.1:{self.port}"
        self._log = folder / f"prometheus-{self.port}.log"
        with self._log.open("wb") as output:
            self.process = subprocess.Popen(
                [
                    program("prometheus", package="prometheus"),
                    f"--config.file={config}",
                    f"--storage.tsdb.path={folder / f'prometheus-{self.port}'}",
                    f"--web.listen-address=127.0.0.1:{self.port}",
                    *options,
                ],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        try:
            until(self._is_ready, _START_PATIENCE, "Prometheus")
        except AssertionError:
            self.end()
            raise

    def end(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def query(self, expression: str) -> list[Series]:
        """What an expression is now."""
        answer = self.api("query", query=expression)
        return [Series(one["metric"], _points([one["value"]])) for one in answer["result"]]

    def query_range(self, expression: str, start: float, end: float, step: float) -> list[Series]:
        """What an expression was, at each step of some seconds between two times."""
        answer = self.api(
            "query_range", query=expression, start=str(start), end=str(end), step=str(step)
        )
        return [Series(one["metric"], _points(one["values"])) for one in answer["result"]]

    def api(self, path: str, **parameters: str) -> Any:
        """The data of an answer of its HTTP API; fails with Prometheus' own words on an error."""
        query = urllib.parse.urlencode(parameters)
        status, text = get(f"{self.root}/api/v1/{path}?{query}")
        assert status == 200, f"{status} for {parameters}: {text or self._tail()}"
        return json.loads(text)["data"]

    def _is_ready(self) -> bool:
        assert self.process.poll() is None, self._tail()
        return get(f"{self.root}/-/ready")[0] == 200

    def _tail(self) -> str:
        return self._log.read_text(errors="replace")[-2000:]


def scrape_config(folder: Path, *ports: int, seconds: float = 1.0) -> Path:
    """Write a configuration that scrapes connectors on these ports of this machine, and nothing else."""
    path = folder / "prometheus.yaml"
    every = f"{seconds * 1000:.0f}ms"
    targets = [f"127.0.0.1:{port}" for port in ports]
    tree = {
        "global": {"scrape_interval": every, "scrape_timeout": every, "evaluation_interval": every},
        "scrape_configs": [{"job_name": JOB, "static_configs": [{"targets": targets}]}],
    }
    path.write_text(yaml.safe_dump(tree))
    return path


def _points(values: list[tuple[float, str]]) -> list[tuple[float, float]]:
    """The numbers alone: what is not a number says nothing."""
    pairs = ((at, float(text)) for at, text in values)
    return [(at, value) for at, value in pairs if not math.isnan(value)]
