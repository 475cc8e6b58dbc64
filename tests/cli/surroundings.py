"""What commands need around them: a configuration, a TikTok that runs beside the test, a Kafka that is not there.

Commands run an event loop of their own, so the emulator has its own in a thread.
"""

import asyncio
import json
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from connector.cli.main import main
from connector.sandbox.emulator import (
    DEFAULT_TOKEN,
    Accounts,
    Emulator,
    Limits,
    default_accounts,
    read_faults,
)

ADVERTISER = "7000000000000000001"
AUDIENCE = "7100000000000000001"
OTHER_AUDIENCE = "7100000000000000002"


def free_port() -> int:
    """A port that nobody listens on, for a moment at least."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


class RunningEmulator:
    """An emulator in a thread."""

    def __init__(self, emulator: Emulator, loop: asyncio.AbstractEventLoop) -> None:
        self.emulator = emulator
        self.port = 0
        self._loop = loop

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/open_api/v1.3"

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        future: Future[Any] = asyncio.run_coroutine_threadsafe(work, self._loop)
        return future.result(timeout=10)

    def fault(self, **fault: Any) -> None:
        self.emulator.add_faults(read_faults(fault))

    def calls(self) -> dict[str, dict[str, int]]:
        by_endpoint: dict[str, dict[str, int]] = self.emulator.stats()["calls"]["by_endpoint"]
        return by_endpoint


@contextmanager
def tiktok(
    accounts: Accounts | None = None, limits: Limits | None = None
) -> Iterator[RunningEmulator]:
    """Run an emulator, unlimited unless said otherwise."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    emulator = Emulator(accounts or default_accounts(), limits or Limits(qps=0))
    running = RunningEmulator(emulator, loop)
    try:
        running.port = running.run(emulator.start())
        yield running
        running.run(emulator.stop())
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def configuration(
    folder: Path,
    base_url: str,
    bootstrap_servers: str,
    *,
    token: str = DEFAULT_TOKEN,
    change: Callable[[dict[str, Any]], None] = lambda _: None,
) -> Path:
    """Write a configuration that is right, then changed; returns its path."""
    secret = folder / "token"
    secret.write_text(token)
    tree: dict[str, Any] = {
        "kafka": {
            "bootstrap_servers": bootstrap_servers,
            "topics": [{"name": "members"}],
            "dead_letter_topic": "members.dead-letter",
        },
        "tiktok": {"base_url": base_url, "rate_limit": {"queries_per_second": 500}},
        "destinations": [
            {"name": "emea", "advertiser_id": ADVERTISER, "access_token_file": str(secret)}
        ],
        "routes": [{"segment": "gold", "destination": "emea", "audience_id": AUDIENCE}],
    }
    change(tree)
    path = folder / "connector.yaml"
    path.write_text(yaml.safe_dump(tree))
    return path


def check(capsys: Any, path: Path, *options: str) -> tuple[int, dict[str, tuple[str, str]], str]:
    """Run `connector check`: the exit code, verdict and detail by subject, and what stderr got."""
    code = main(["check", "--config", str(path), "--output", "json", *options])
    output, errors = capsys.readouterr()
    findings = json.loads(output)
    return code, {one["subject"]: (one["verdict"], one["detail"]) for one in findings}, errors
