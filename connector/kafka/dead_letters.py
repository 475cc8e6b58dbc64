"""The dead-letter topic: letters are written, and known to be written, or the caller hears why not.

Owns the producer. Knows nothing of what letters say.
"""

import asyncio
from collections.abc import Sequence

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from connector.core.model import Letter
from connector.errors import KafkaUnavailable
from connector.kafka.bounded import stop_within
from connector.kafka.security import Security

_MAX_REQUEST_BYTES = 4_000_000
"""A letter is below 1 MB; the broker's own limit decides what it takes."""


class KafkaDeadLetters:
    """Writes letters: `start`, `send`, `stop`."""

    def __init__(self, bootstrap_servers: Sequence[str], topic: str, security: Security) -> None:
        self._servers = list(bootstrap_servers)
        self._topic = topic
        self._security = security
        self._producer: AIOKafkaProducer | None = None

    async def start(self) -> None:
        """Connect. Raises KafkaUnavailable."""
        producer = AIOKafkaProducer(
            bootstrap_servers=self._servers,
            client_id="tiktok-audience-connector",
            acks="all",
            enable_idempotence=True,
            max_request_size=_MAX_REQUEST_BYTES,
            **self._security.arguments(),
        )
        self._producer = producer
        try:
            await producer.start()
        except KafkaError as error:
            raise KafkaUnavailable(
                f"Kafka refuses the dead letters' producer: {_name(error)}"
            ) from None

    async def send(self, letters: Sequence[Letter]) -> None:
        """Write all; return when the broker has acknowledged every one, however long that takes.

        Cancelled, it is not known which were written. Raises KafkaUnavailable for what cannot succeed as things
        are, such as a missing topic or a missing permission; some may have been written all the same.
        """
        if self._producer is None:
            raise KafkaUnavailable("the dead letters' producer has not been started")
        try:
            futures = [
                await self._producer.send(
                    self._topic, letter.value, letter.key, headers=list(letter.headers)
                )
                for letter in letters
            ]
            await asyncio.gather(*futures)
        except KafkaError as error:
            raise KafkaUnavailable(
                f"the topic {self._topic} does not take dead letters: {_name(error)}"
            ) from None

    def renew_secrets(self) -> None:
        """Log in with the present password from the next connection on."""
        if self._producer is not None:
            self._security.renew(self._producer.client)

    async def stop(self, timeout: float) -> None:
        """Stop within the time, also when the broker is dead or frozen."""
        if self._producer is not None:
            await stop_within(self._producer.stop(), self._producer.client, timeout)
            self._producer = None


def _name(error: KafkaError) -> str:
    """The error's kind; its text may quote a request."""
    return type(error).__name__
