"""Waiting for brokers and topics at start, with a clear word about what is missing.

Owns the waiting. What there is to see is connector.kafka.inspection's: no group is joined and nothing changed.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from connector.errors import KafkaUnavailable
from connector.kafka.inspection import Cluster, inspect
from connector.kafka.security import Security

_RETRY_SECONDS = 1.0
_ASK_SECONDS = 10.0
_LEAST_ASK_SECONDS = 2.0
"""In less time a login over TLS may not be refused yet, and the last word would be that nobody answers."""


async def wait_for_topics(
    bootstrap_servers: Sequence[str],
    security: Security,
    topics: Sequence[str],
    timeout: float,
    on_retry: Callable[[str], None],
) -> Mapping[str, int]:
    """The number of partitions of each topic, once all exist.

    Raises:
        KafkaUnavailable: they do not within the time, or two seconds more; says what is missing.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout
    while True:
        patience = min(_ASK_SECONDS, max(_LEAST_ASK_SECONDS, deadline - loop.time()))
        cluster = await inspect(bootstrap_servers, security, topics, patience)
        problem = _problem(cluster)
        if problem is None:
            return {name: topic.partitions for name, topic in cluster.topics.items()}
        if loop.time() + _RETRY_SECONDS > deadline:
            raise KafkaUnavailable(problem)
        on_retry(problem)
        await asyncio.sleep(_RETRY_SECONDS)


def _problem(cluster: Cluster) -> str | None:
    """What keeps us from starting, in a sentence; None when nothing does."""
    if all(cluster.servers.values()):
        return (
            f"Kafka cannot be reached at {_listed(cluster.servers)}; "
            "check kafka.bootstrap_servers and kafka.security"
        )
    if cluster.refusal is not None:
        return f"Kafka does not tell of its topics ({cluster.refusal}); check kafka.security"
    refused = {name: one.refusal for name, one in cluster.topics.items() if one.refusal}
    if refused:
        return f"Kafka keeps topics from us: {_listed(refused)}; check kafka.security"
    missing = [name for name, topic in cluster.topics.items() if not topic.partitions]
    if missing:
        return f"Kafka has no topic {', '.join(missing)}: create it, or allow us to see it"
    if cluster.brokers and all(cluster.brokers.values()):
        return (
            f"Kafka tells its clients to use {_listed(cluster.brokers)}; "
            "check the brokers' advertised.listeners"
        )
    return None


def _listed(problems: Mapping[str, str | None]) -> str:
    return ", ".join(f"{name} ({why})" for name, why in problems.items())
