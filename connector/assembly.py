"""The composition root's first half: from settings to the parts, connected. Nothing is started here.

The only module that knows both sides of the seams; connector.app gives the parts their lifetime.
"""

import random
import time
from collections.abc import Callable, Sequence
from functools import cached_property

from connector.committer import Committer
from connector.core.checkpoint import Checkpoint
from connector.core.identity import IdentityMap, IdentityMapping, Target, Transformation
from connector.core.lease import Lease
from connector.core.rate_limit import RateLimit
from connector.core.room import Limits
from connector.core.routing import AudienceKey, Route, RoutingTable, slots_of
from connector.delivery.accounts import Account
from connector.delivery.backlog import Backlog
from connector.delivery.bulkheads import BlockedRules, Bulkheads
from connector.delivery.dead_letters import DeadLetterQueue
from connector.delivery.dispatcher import Bounds, Dispatcher
from connector.delivery.probes import Probes
from connector.delivery.rejections import Rejections
from connector.delivery.row_letters import RowLetters
from connector.delivery.settlement import Clocks, RetryRules, Settlement
from connector.formats import (
    adobe_xdm,
    custom,
    debezium,
    mparticle,
    native,
    rudderstack,
    segment,
)
from connector.formats.membership import Format
from connector.intake import Intake, Ownership
from connector.kafka import quiet
from connector.kafka.dead_letters import KafkaDeadLetters
from connector.kafka.security import Security
from connector.kafka.source import KafkaSource, SourceConfig
from connector.pauses import Pauses, ReadingBounds
from connector.pipeline import Pipeline
from connector.settings import MappingSettings, Secrets, Settings, TopicSettings
from connector.telemetry.catalogue import Catalogue
from connector.telemetry.events import DeliveryEvents, IntakeEvents, LifeEvents
from connector.telemetry.series import prepare
from connector.tiktok import protocol
from connector.tiktok.client import TikTokClient, TikTokDestination
from connector.until_end import UntilEnd

_LEASE_PART = 2.0 / 3.0
"""Of the session: heartbeats come three times in it, so one may be late or lost."""


class Parts:
    """Everything that runs, in the order of the flow. Each part says what it is made of, and is made once.

    Args:
        clock: monotonic seconds, the event loop's.
        until_end: read up to the ends that the partitions have at start.
    """

    def __init__(
        self, settings: Settings, secrets: Secrets, clock: Callable[[], float], *, until_end: bool
    ) -> None:
        quiet.install()
        self._settings = settings
        self._secrets = secrets
        self._until_end = until_end
        self._clocks = Clocks(clock, time.time, random.random)
        self._targets = self.identities.targets
        self._routes = routes_of(settings, self.identities)
        prepare(
            self.metrics,
            self._formats,
            self.identities.sources,
            self._targets,
            protocol.CODE_LABELS,
        )

    # What is seen from outside

    @cached_property
    def metrics(self) -> Catalogue:
        return Catalogue()

    @cached_property
    def life(self) -> LifeEvents:
        return LifeEvents(self.metrics, self._clocks.now, self._clocks.wall)

    @cached_property
    def on_intake(self) -> IntakeEvents:
        return IntakeEvents(self.metrics, self._clocks.now, self._clocks.wall)

    @cached_property
    def _on_delivery(self) -> DeliveryEvents:
        return DeliveryEvents(self.metrics, self._clocks.now, self._clocks.wall)

    # Kafka's side

    @cached_property
    def security(self) -> Security:
        return kafka_security(self._settings, self._secrets)

    @cached_property
    def source(self) -> KafkaSource:
        return KafkaSource(source_config(self._settings), self.security)

    @cached_property
    def letters(self) -> KafkaDeadLetters:
        kafka = self._settings.kafka
        return KafkaDeadLetters(kafka.bootstrap_servers, kafka.dead_letter_topic, self.security)

    # From records to changes

    @cached_property
    def intake(self) -> Intake:
        stint = UntilEnd(self.source) if self._until_end else None
        return Intake(
            self.source,
            self._pipeline,
            self.dispatcher,
            self.checkpoint,
            self.pauses,
            stint,
            self._clocks.now,
        )

    @cached_property
    def pauses(self) -> Pauses:
        bounds = _reading_bounds(self._settings)
        letters, bulkheads = self.dead_letters, self._bulkheads
        return Pauses(self.source, self.checkpoint, letters, bulkheads, bounds, self.on_intake)

    @cached_property
    def _pipeline(self) -> Pipeline:
        return Pipeline(
            self._formats,
            self.identities,
            self._table,
            self.checkpoint,
            self.backlog,
            self.dead_letters,
            self.on_intake,
            self._clocks.wall,
        )

    @cached_property
    def _formats(self) -> dict[str, Format]:
        return {topic.name: format_of(topic) for topic in self._settings.kafka.topics}

    @cached_property
    def _table(self) -> RoutingTable:
        return routing_table(self._settings, self._routes)

    @cached_property
    def identities(self) -> IdentityMap:
        return identity_map(self._settings)

    # From changes to calls

    @cached_property
    def backlog(self) -> Backlog:
        return Backlog(
            self._accounts,
            self._routes,
            len(self._targets),
            _limits(self._settings),
            protocol.cell_bytes,
            self._on_delivery,
        )

    @cached_property
    def _accounts(self) -> dict[str, Account]:
        tokens = self._secrets.tokens
        return {
            one.name: Account(
                one.name,
                TikTokDestination(self.client, one.advertiser_id, tokens[one.name], self._targets),
            )
            for one in self._settings.destinations
        }

    @cached_property
    def client(self) -> TikTokClient:
        tiktok = self._settings.tiktok
        return TikTokClient(tiktok.base_url, tiktok.request_timeout_seconds)

    @cached_property
    def rate(self) -> RateLimit:
        return RateLimit(self._settings.tiktok.rate_limit.calls_per_second)

    @cached_property
    def dispatcher(self) -> Dispatcher:
        bounds, told = _bounds(self._settings), self._on_delivery
        settlement, rate, now = self._settlement, self.rate, self._clocks.now
        lease = Lease(self._settings.kafka.session_timeout_seconds * _LEASE_PART)
        return Dispatcher(self.backlog, settlement, rate, bounds, lease, told, now)

    @cached_property
    def probes(self) -> Probes:
        return Probes(
            self._settlement, self.dispatcher, self.rate, self._on_delivery, self._clocks.now
        )

    @cached_property
    def dead_letters(self) -> DeadLetterQueue:
        return DeadLetterQueue(self.letters, self._on_delivery, self._clocks.chance)

    @cached_property
    def _row_letters(self) -> RowLetters:
        return RowLetters(self.backlog, self.dead_letters, self._targets, self._clocks.wall)

    @cached_property
    def _bulkheads(self) -> Bulkheads:
        rules = _blocked_rules(self._settings)
        letters, told = self._row_letters, self._on_delivery
        return Bulkheads(self.backlog, letters, rules, told, self._clocks.now)

    @cached_property
    def _settlement(self) -> Settlement:
        return Settlement(
            self.backlog,
            self.rate,
            Rejections(self._row_letters),
            self._targets,
            _retries(self._settings),
            self._clocks,
            self._on_delivery,
        )

    # From outcomes to commits

    @cached_property
    def checkpoint(self) -> Checkpoint:
        return Checkpoint()

    @cached_property
    def committer(self) -> Committer:
        interval = self._settings.kafka.commit_interval_seconds
        return Committer(self.source, self.checkpoint, interval, self.on_intake)

    @cached_property
    def ownership(self) -> Ownership:
        return Ownership(
            self.intake,
            self.checkpoint,
            self.committer,
            self.dispatcher,
            self.dead_letters,
            self.rate,
            self._settings.delivery.drain_seconds,
            self.on_intake,
        )


_FORMATS: dict[str, Format] = {
    "native": native.FORMAT,
    "segment": segment.FORMAT,
    "adobe_xdm": adobe_xdm.FORMAT,
    "mparticle": mparticle.FORMAT,
    "rudderstack": rudderstack.FORMAT,
}


def format_of(topic: TopicSettings) -> Format:
    """How the topic's records are read."""
    if topic.columns is not None:
        return debezium.make(topic.columns)
    if topic.mapping is not None:
        return custom.make(_custom_mapping(topic.mapping))
    return _FORMATS[topic.format]


def _custom_mapping(mapping: MappingSettings) -> custom.CustomMapping:
    status = mapping.status
    return custom.CustomMapping(
        mapping.profile_id,
        mapping.segment,
        status.path,
        status.entered,
        status.exited,
        mapping.timestamp,
        mapping.identities,
    )


def identity_map(settings: Settings) -> IdentityMap:
    """The configured identities."""
    return IdentityMap(identity_mappings(settings))


def identity_mappings(settings: Settings) -> list[IdentityMapping]:
    """The configured ways from namespaces to targets."""
    return [
        IdentityMapping(
            one.source,
            Target(one.target),
            Transformation(one.transformation),
            one.default_region,
            one.strip_plus,
            one.strip_dots,
        )
        for one in settings.identities
    ]


def routes_of(settings: Settings, identities: IdentityMap) -> list[Route]:
    """The configured routes, each restricted to the identities it names."""
    return [
        Route(
            one.segment,
            AudienceKey(one.destination, one.audience_id),
            slots_of(
                identities.targets,
                None if one.identities is None else [Target(name) for name in one.identities],
            ),
            sets_aside=one.when_blocked == "dead_letter",
        )
        for one in settings.routes
    ]


def routing_table(settings: Settings, routes: Sequence[Route]) -> RoutingTable:
    """Which audience an event's segment leads to."""
    return RoutingTable(routes, {one.name: one.advertiser_id for one in settings.destinations})


def kafka_security(settings: Settings, secrets: Secrets) -> Security:
    """How to reach the brokers."""
    configured = settings.kafka.security
    password = secrets.kafka_password
    return Security(
        configured.protocol,
        configured.sasl_mechanism,
        configured.username,
        None if password is None else password.value,
        configured.ca_file,
        configured.cert_file,
        configured.key_file,
    )


def source_config(settings: Settings) -> SourceConfig:
    """What the source needs of the settings."""
    kafka = settings.kafka
    return SourceConfig(
        bootstrap_servers=kafka.bootstrap_servers,
        group_id=kafka.group_id,
        topics=tuple(topic.name for topic in kafka.topics),
        auto_offset_reset=kafka.auto_offset_reset,
        isolation_level=kafka.isolation_level,
        session_timeout_seconds=kafka.session_timeout_seconds,
        drain_seconds=settings.delivery.drain_seconds,
    )


def _limits(settings: Settings) -> Limits:
    delivery = settings.delivery
    return Limits(delivery.max_rows, delivery.max_bytes, delivery.linger_seconds)


def _reading_bounds(settings: Settings) -> ReadingBounds:
    delivery = settings.delivery
    return ReadingBounds(delivery.max_pending_rows, delivery.max_uncommitted_records)


def _blocked_rules(settings: Settings) -> BlockedRules:
    delivery = settings.delivery
    return BlockedRules(delivery.max_pending_rows_per_audience, delivery.retry_max_seconds)


def _retries(settings: Settings) -> RetryRules:
    delivery = settings.delivery
    doubt = settings.tiktok.request_timeout_seconds
    return RetryRules(delivery.retry_initial_seconds, delivery.retry_max_seconds, doubt)


def _bounds(settings: Settings) -> Bounds:
    delivery = settings.delivery
    timeout = settings.tiktok.request_timeout_seconds
    return Bounds(delivery.max_in_flight, delivery.max_in_flight_per_audience, timeout)
