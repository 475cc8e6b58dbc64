"""The dead-letter topic: letters are written, and known to be written, or the caller hears why not.

Owns the producer. Knows nothing of what letters say.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from connector.core.model import Letter
from connector.errors import KafkaUnavailable
from connector.kafka.bounded import stop_within
from connector.kafka.security import Security

_MAX_REQUEST_BYTES = 4_000_000
"""A letter is below 1 MB; the broker's own limit decides what it takes."""

_START_SECONDS = 30.0
_DISCARD_SECONDS = 5.0


class KafkaDeadLetters:
    """Writes letters: `start`, `send`, `stop`.

    Args:
        request_seconds: how long one request may take; also how soon a missing topic is noticed.
    """

    def __init__(
        self,
        bootstrap_servers: Sequence[str],
        topic: str,
        security: Security,
        request_seconds: float = 15.0,
    ) -> None:
        self._servers = list(bootstrap_servers)
        self._topic = topic
        self._security = security
        self._request_seconds = request_seconds
        self._producer: AIOKafkaProducer | None = None

    async def start(self) -> None:
        """Connect. Raises KafkaUnavailable."""
        producer = AIOKafkaProducer(
            bootstrap_servers=self._servers,
            client_id="tiktok-audience-connector",
            acks="all",
            enable_idempotence=True,
            request_timeout_ms=int(self._request_seconds * 1000),
            max_request_size=_MAX_REQUEST_BYTES,
            **self._security.arguments(),
        )
        self._producer = producer
        try:
            async with asyncio.timeout(_START_SECONDS):
                await producer.start()
        except (KafkaError, TimeoutError) as error:
            await self.stop(_DISCARD_SECONDS)
            raise KafkaUnavailable(
                f"Kafka refuses the dead letters' producer: {type(error).__name__}; "
                "check kafka.bootstrap_servers and kafka.security"
            ) from None

    async def send(self, letters: Sequence[Letter]) -> None:
        """Write all; return when the broker has acknowledged every one, however long that takes.

        Cancelled, it is not known which were written. Raises KafkaUnavailable for what cannot succeed as things
        are, such as a missing topic or a missing permission; some may have been written all the same.
        """
        if self._producer is None:
            await self.start()
        try:
            await self._write(letters)
        except KafkaError as error:
            # After a refusal an idempotent producer's numbers have a gap, and the broker refuses all that follows.
            await self.stop(_DISCARD_SECONDS)
            raise KafkaUnavailable(
                f"the topic {self._topic} does not take dead letters: {type(error).__name__}"
            ) from None

    async def _write(self, letters: Sequence[Letter]) -> None:
        producer: Any = self._producer
        handed_in: list[asyncio.Future[Any]] = []
        refusal: BaseException | None = None
        for letter in letters:
            headers = list(letter.headers)
            try:
                handed_in.append(
                    await producer.send(self._topic, letter.value, letter.key, headers=headers)
                )
            except KafkaError as error:
                refusal = error
                break
        # Those that were handed in before one was refused are waited for too: nobody else looks at them.
        answers = await asyncio.gather(*handed_in, return_exceptions=True)
        for answer in (refusal, *answers):
            if isinstance(answer, BaseException):
                raise answer

    def renew_secrets(self) -> None:
        """Log in with the present secrets from the next connection on."""
        if self._producer is not None:
            self._security.renew(self._producer.client)

    async def stop(self, timeout: float) -> None:
        """Stop within the time, also when the broker is dead or frozen. A later `send` connects anew."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await stop_within(producer, timeout)
