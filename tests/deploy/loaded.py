"""A connector under load and in every kind of trouble at once: for tests of what its metrics say.

Owns the load and the faults. It is the whole service, between the real broker and the emulator, with two
destinations: `emea` works, with one audience deleted and TikTok erring now and then; `apac`'s token is revoked.
"""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from connector.sandbox.generator import segment_names
from tests.chaos.load import LOAD_IDENTITIES, Load
from tests.deploy.prometheus import Prometheus, scrape_config
from tests.end_to_end.deployment import (
    ADVERTISER,
    FIRST_AUDIENCE,
    Deployment,
    Emulator,
    Process,
    until,
)
from tests.kafka_broker import Cluster, Message

OTHER_ADVERTISER = "7000000000000000002"
OTHER_TOKEN = "other-token-0123456789abcdef"
SEGMENTS = segment_names(8)
MISSING_AUDIENCE = str(FIRST_AUDIENCE + 5)
OTHER_AUDIENCES = tuple(str(FIRST_AUDIENCE + number) for number in (6, 7))

SUPPRESSED = (
    b'{"profile_id": "s-1", "status": "suppressed", "identities": {"email": "s1@example.com"}}',
    b'{"profile_id": "s-2", "status": "erased", "identities": {"email": "s2@example.com"}}',
    b'{"profile_id": "s-3", "status": "suppressed"}',
)
"""Their deletes wait for ever for the account whose token is revoked."""

EVENTS_PER_SECOND = 150
"""Little: what counts is that everything happens, on a machine that does other things, too."""

SERIES_PATIENCE = 270.0
"""Every series of it is there after so long, in seconds. Most are within some; how many users were matched is asked for a
minute after the start, when a call is to spare or after another minute, and again after each failure."""

_LONGEST_SECONDS = 900.0
_CALLS_ALLOWED = 8
_CALLS_TRIED = 12
_START_PATIENCE = 30.0


class Loaded(NamedTuple):
    """What runs. The emulator takes further faults; the deployment knows topics, metrics and the admin port."""

    deployment: Deployment
    emulator: Emulator
    connector: Process

    @property
    def admin_port(self) -> int:
        return self.deployment.admin_port


@contextlib.contextmanager
def loaded_connector(folder: Path, broker: Cluster) -> Iterator[Loaded]:
    """Run one until the block ends. It is given once something was delivered, set aside, retried and halted.

    Args:
        folder: an empty one, for configuration and logs.
    """
    emulator = Emulator(folder, audiences=6, qps=_CALLS_ALLOWED)
    try:
        deployment = _deployment(folder, broker, emulator)
        load = Load(deployment, 1, _LONGEST_SECONDS, EVENTS_PER_SECOND)
        _trouble(emulator, load.poison)
        connector = deployment.run()
        load.start()
        try:
            until(lambda: _has_trouble(deployment, connector), _START_PATIENCE, "load and trouble")
            yield Loaded(deployment, emulator, connector)
        finally:
            load.stop()
            deployment.close()
    finally:
        emulator.end()


@pytest.fixture(scope="session")
def loaded(tmp_path_factory: pytest.TempPathFactory, broker: Cluster) -> Iterator[Loaded]:
    """A loaded connector that all tests share. Not to be stopped or mended: for that, run one of your own."""
    with loaded_connector(tmp_path_factory.mktemp("loaded"), broker) as one:
        yield one


@pytest.fixture(scope="session")
def make_prometheus(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[..., Prometheus]]:
    """Run a Prometheus with a configuration file and options; it ends with the session."""
    started: list[Prometheus] = []

    def make(config: Path, *options: str) -> Prometheus:
        started.append(Prometheus(tmp_path_factory.mktemp("prometheus"), config, *options))
        return started[-1]

    yield make
    for one in started:
        one.end()


@pytest.fixture(scope="session")
def prometheus(
    tmp_path_factory: pytest.TempPathFactory,
    loaded: Loaded,
    make_prometheus: Callable[..., Prometheus],
) -> Prometheus:
    """A Prometheus that scrapes the loaded connector each second."""
    return make_prometheus(
        scrape_config(tmp_path_factory.mktemp("prometheus-config"), loaded.admin_port)
    )


def _deployment(folder: Path, broker: Cluster, emulator: Emulator) -> Deployment:
    emulator.post(
        "accounts",
        {
            "tokens": {OTHER_TOKEN: [OTHER_ADVERTISER]},
            "audiences": [
                {"advertiser_id": OTHER_ADVERTISER, "audience_id": one, "name": one}
                for one in OTHER_AUDIENCES
            ],
        },
    )
    other_file = folder / "other-token"
    other_file.write_text(OTHER_TOKEN)
    suppression = broker.create_topic(config={"cleanup.policy": "compact"})
    broker.produce(suppression, [Message(one, key=one[16:19]) for one in SUPPRESSED])
    overrides: dict[str, Any] = {
        "tiktok__request_timeout_seconds": 2,
        "tiktok__rate_limit__queries_per_second": _CALLS_TRIED,
        "destinations": [
            _destination("emea", ADVERTISER, folder / "token"),
            _destination("apac", OTHER_ADVERTISER, other_file),
        ],
        "routes": [_route(number, segment) for number, segment in enumerate(SEGMENTS)],
        "governance__suppression_topic": suppression,
    }
    return Deployment(
        folder,
        broker,
        emulator.base_url,
        segments=SEGMENTS,
        identities=LOAD_IDENTITIES,
        **overrides,
    )


def _destination(name: str, advertiser: str, token_file: Path) -> dict[str, str]:
    return {"name": name, "advertiser_id": advertiser, "access_token_file": str(token_file)}


def _route(number: int, segment: str) -> dict[str, str]:
    audience = str(FIRST_AUDIENCE + number)
    destination = "apac" if audience in OTHER_AUDIENCES else "emea"
    return {"segment": segment, "destination": destination, "audience_id": audience}


def _trouble(emulator: Emulator, poison: list[str]) -> None:
    """What TikTok does to this connector, for as long as it runs."""
    emulator.post("tokens", {"token": OTHER_TOKEN, "action": "revoke"})
    emulator.post("audiences", {"audience_id": MISSING_AUDIENCE, "action": "delete"})
    mapping = {"endpoint": "segment/mapping"}
    emulator.faults(
        {**mapping, "poison": poison},
        {**mapping, "probability": 0.03, "code": 50002},
        {**mapping, "probability": 0.02, "status": 502},
        {**mapping, "probability": 0.02, "reset": "before"},
        {**mapping, "probability": 0.01, "timeout": 3},
        {**mapping, "delay": 0.15},
    )


def _has_trouble(deployment: Deployment, connector: Process) -> bool:
    assert connector.process.poll() is None, f"it ended:\n{connector.text()[-3000:]}"
    return all(
        deployment.total(name, **labels) > 0
        for name, labels in (
            ("changes_total", {"outcome": "delivered"}),
            ("dead_letters_total", {"reason": "rejected"}),
            ("dead_letters_total", {"reason": "malformed_json"}),
            ("destination_halted", {"destination": "apac"}),
            ("audience_halted", {"audience": MISSING_AUDIENCE}),
            ("api_retries_total", {}),
            ("rate_limited_total", {}),
        )
    )
