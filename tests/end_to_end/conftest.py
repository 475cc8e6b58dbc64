from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.deployment import Deployment, Emulator
from tests.kafka_broker import Cluster


@pytest.fixture
def make_emulator(tmp_path: Path) -> Iterator[Callable[..., Emulator]]:
    started: list[Emulator] = []

    def make(audiences: int = 20, qps: float = 50, port: int = 0) -> Emulator:
        started.append(Emulator(tmp_path, audiences, qps, port))
        return started[-1]

    yield make
    for one in started:
        one.end()


@pytest.fixture
def deploy_at(tmp_path: Path, broker: Cluster) -> Iterator[Callable[..., Deployment]]:
    """Deploy against a TikTok under a URL."""
    made: list[Deployment] = []

    def make(url: str, segments: list[str], **overrides: Any) -> Deployment:
        made.append(Deployment(tmp_path, broker, url, segments=segments, **overrides))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def deploy(deploy_at: Callable[..., Deployment]) -> Callable[..., Deployment]:
    """Deploy against an emulator."""

    def make(emulator: Emulator, segments: list[str], **overrides: Any) -> Deployment:
        return deploy_at(emulator.base_url, segments, **overrides)

    return make
