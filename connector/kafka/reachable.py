"""Waiting for brokers and topics at start, with a clear word about what is missing.

Owns the look at the cluster's metadata. Joins no group and changes nothing.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError

from connector.errors import KafkaUnavailable
from connector.kafka.security import Security

_RETRY_SECONDS = 1.0
_ASK_SECONDS = 10.0


async def wait_for_topics(
    bootstrap_servers: Sequence[str],
    security: Security,
    topics: Sequence[str],
    timeout: float,
    on_retry: Callable[[str], None],
) -> Mapping[str, int]:
    """The number of partitions of each topic, once all exist.

    Raises:
        KafkaUnavailable: they do not within the time; says what is missing.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout
    while True:
        try:
            counts = await partition_counts(bootstrap_servers, security)
            missing = [topic for topic in topics if topic not in counts]
            if not missing:
                return counts
            problem = KafkaUnavailable(
                f"Kafka has no topic {', '.join(missing)}: create it, or allow us to see it"
            )
        except KafkaUnavailable as error:
            problem = error
        if loop.time() + _RETRY_SECONDS > deadline:
            raise problem
        on_retry(str(problem))
        await asyncio.sleep(_RETRY_SECONDS)


async def partition_counts(
    bootstrap_servers: Sequence[str], security: Security
) -> Mapping[str, int]:
    """All topics that we may see, with the number of their partitions. Raises KafkaUnavailable."""
    where = ", ".join(bootstrap_servers)
    client = AIOKafkaClient(
        bootstrap_servers=list(bootstrap_servers),
        client_id="tiktok-audience-connector",
        request_timeout_ms=int(_ASK_SECONDS * 1000),
        **security.arguments(),
    )
    try:
        async with asyncio.timeout(_ASK_SECONDS):
            await client.bootstrap()
            cluster = await client.fetch_all_metadata()
    except (KafkaError, OSError, TimeoutError) as error:
        raise KafkaUnavailable(
            f"Kafka cannot be reached at {where}: {type(error).__name__}; "
            "check kafka.bootstrap_servers and kafka.security"
        ) from None
    finally:
        await client.close()
    names = cluster.topics(exclude_internal_topics=False)
    return {name: len(cluster.partitions_for_topic(name) or ()) for name in names}
