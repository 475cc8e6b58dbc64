"""From settings to the parts of a replay, connected: delivery as the service has it, with a look before each call.

Knows both sides of the seams. Nothing is started here.
"""

import asyncio
from collections.abc import Callable, Mapping
from functools import cached_property

from connector import configured
from connector.assembly import Parts
from connector.core.model import Chunk, Partition
from connector.core.room import Limits
from connector.core.suppression import SuppressionList
from connector.kafka.log import KafkaLog
from connector.kafka.reachable import wait_for_topics
from connector.replay.feed import Extent, Feed, Rules
from connector.replay.ledger import Ledger
from connector.replay.pace import Pace, WatchedDestination
from connector.replay.reading import Reading
from connector.replay.scan import Scan
from connector.replay.sending import Keeper
from connector.settings.credentials import Secrets
from connector.settings.model import Settings
from connector.tiktok import protocol

_REACH_SECONDS = 20.0
_CLOSE_SECONDS = 5.0


async def read_dead_letters(
    settings: Settings,
    secrets: Secrets,
    take: Callable[[Chunk], None],
    on_retry: Callable[[str], None] = lambda _: None,
) -> None:
    """Hand over the dead-letter topic, from its beginning to the end it has now. Raises KafkaUnavailable.

    Args:
        on_retry: told in a sentence what is being waited for.
    """
    kafka = settings.kafka
    security = configured.kafka_security(settings, secrets)
    topic, patience = kafka.dead_letter_topic, _patience(settings)
    counts = await wait_for_topics(kafka.bootstrap_servers, security, [topic], patience, on_retry)
    log = KafkaLog(kafka.bootstrap_servers, security, kafka.isolation_level)
    try:
        extents = await log.start([Partition(topic, number) for number in range(counts[topic])])
        log.begin({partition: first for partition, (first, _) in extents.items()})
        async for _, chunk in log.read():
            take(chunk)
    finally:
        await log.stop(_CLOSE_SECONDS)


async def read_suppressed(settings: Settings, secrets: Secrets) -> SuppressionList | None:
    """Who is suppressed by now; None where no topic says so. Raises KafkaUnavailable."""
    parts = ReplayParts(settings, secrets, asyncio.get_running_loop().time, 1.0)
    if parts.suppression is None:
        return None
    try:
        await parts.load_suppressed(lambda _: None)
    finally:
        await parts.suppression.follower.stop(_CLOSE_SECONDS)
    return parts.suppression.suppressed


def _patience(settings: Settings) -> float:
    """How long to wait for Kafka: who types a command does not wait for a minute."""
    return min(_REACH_SECONDS, settings.kafka.startup_timeout_seconds)


class ReplayParts(Parts):
    """The parts of the service that a replay uses, and those of its own.

    Args:
        share: the part of the allowance that it may use.
    """

    def __init__(
        self, settings: Settings, secrets: Secrets, clock: Callable[[], float], share: float
    ) -> None:
        super().__init__(settings, secrets, clock, until_end=False)
        self._share = share

    @cached_property
    def rate(self) -> Pace:
        return Pace(self._settings.tiktok.rate_limit.calls_per_second * self._share)

    @cached_property
    def backlog(self) -> Ledger:
        delivery = self._settings.delivery
        ledger = Ledger(
            self._accounts,
            self._routes,
            len(self._targets),
            Limits(delivery.max_rows, delivery.max_bytes, 0.0),  # all is there: nothing to wait for
            protocol.cell_bytes,
            self._on_delivery,
            self._veto,
        )
        doubt, now = self._settings.tiktok.request_timeout_seconds, self._clocks.now
        for account in ledger.accounts:
            account.destination = WatchedDestination(
                account.name, account.destination, ledger.watch, doubt, now
            )
        return ledger

    @cached_property
    def log(self) -> KafkaLog:
        kafka = self._settings.kafka
        return KafkaLog(kafka.bootstrap_servers, self.security, kafka.isolation_level)

    @cached_property
    def reading(self) -> Reading:
        return Reading(self._formats, self.identities, self._table, self._permission)

    @property
    def keeper(self) -> Keeper | None:
        return None if self.suppression is None else self.suppression.keeper

    async def load_suppressed(self, on_retry: Callable[[str], None]) -> None:
        """Read the suppression topic whole, where there is one. Raises KafkaUnavailable.

        Args:
            on_retry: told in a sentence what is being waited for.
        """
        if self.suppression is not None:
            await self.suppression.follower.start(_patience(self._settings), on_retry)
            await self.suppression.keeper.load()

    def feed(self, extents: Mapping[Partition, Extent], rules: Rules) -> Feed:
        clocks = self._clocks
        return Feed(
            self.reading,
            self.backlog,
            self.checkpoint,
            self.dead_letters,
            extents,
            rules,
            clocks.now,
            clocks.wall,
        )

    def scan(self, feed: Feed) -> Scan:
        return Scan(
            self.log, self.reading, self.backlog, self.checkpoint, feed.meet, self._clocks.now
        )
