"""Fixtures of the whole suite: a real Kafka, and topics of one's own in it."""

import os
from collections.abc import Iterator
from uuid import uuid4

import pytest

from tests.kafka_broker import Broker, Cluster, Listener
from tests.kafka_broker.jars import BOOTSTRAP_VARIABLE


@pytest.fixture(scope="session")
def broker() -> Iterator[Cluster]:
    """A Kafka that all tests share: named by the environment, else one of our own. Not to be stopped."""
    external = os.environ.get(BOOTSTRAP_VARIABLE)
    if external:
        yield Cluster(external)
        return
    own = Broker().start()
    try:
        yield own
    finally:
        own.stop()


@pytest.fixture(scope="session")
def own_broker() -> Iterator[Broker]:
    """A broker that is always ours, with every listener: for tests of security, and tests that kill it.

    Whoever stops, kills or freezes it leaves it running again.
    """
    own = Broker(Listener).start()
    try:
        yield own
    finally:
        own.stop()


@pytest.fixture
def topic(broker: Cluster) -> str:
    """A new topic with one partition."""
    return broker.create_topic()


@pytest.fixture
def group() -> str:
    """The name of a consumer group that nobody has used."""
    return f"group-{uuid4().hex[:12]}"
