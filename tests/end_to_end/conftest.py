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
def deploy(tmp_path: Path, broker: Cluster) -> Callable[..., Deployment]:
    def make(emulator: Emulator, segments: list[str], **overrides: Any) -> Deployment:
        return Deployment(tmp_path, broker, emulator.base_url, segments=segments, **overrides)

    return make
