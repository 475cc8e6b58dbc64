"""The composition root's first half: from settings to the parts, connected. Nothing is started here.

The only module that knows both sides of the seams; connector.app gives the parts their lifetime.
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from connector.committer import Committer
from connector.core.checkpoint import Checkpoint
from connector.core.identity import IdentityMap, IdentityMapping, Target, Transformation
from connector.core.lane import Limits
from connector.core.rate_limit import RateLimit
from connector.core.routing import AudienceKey, Route, by_segment, slots_of
from connector.delivery.accounts import Account
from connector.delivery.backlog import Backlog
from connector.delivery.dead_letters import DeadLetterQueue
from connector.delivery.dispatcher import Bounds, Dispatcher
from connector.delivery.probes import Probes
from connector.delivery.settlement import Clocks, RetryRules, Settlement
from connector.formats import native
from connector.formats.membership import Decode
from connector.intake import Intake, Ownership, Pauses
from connector.kafka.dead_letters import KafkaDeadLetters
from connector.kafka.security import Security
from connector.kafka.source import KafkaSource, SourceConfig
from connector.pipeline import Pipeline
from connector.settings import Secrets, Settings
from connector.telemetry.catalogue import Catalogue
from connector.telemetry.events import Telemetry
from connector.tiktok import protocol
from connector.tiktok.client import TikTokClient, TikTokDestination
from connector.until_end import UntilEnd

_FORMATS: dict[str, Decode] = {"native": native.decode}


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything that runs, in the order of the flow."""

    telemetry: Telemetry
    security: Security
    source: KafkaSource
    letters: KafkaDeadLetters
    client: TikTokClient
    identities: IdentityMap
    checkpoint: Checkpoint
    rate: RateLimit
    backlog: Backlog
    dead_letters: DeadLetterQueue
    dispatcher: Dispatcher
    probes: Probes
    committer: Committer
    pauses: Pauses
    intake: Intake
    ownership: Ownership


def build(
    settings: Settings, secrets: Secrets, clock: Callable[[], float], *, until_end: bool
) -> Parts:
    """Build all parts.

    Args:
        clock: monotonic seconds, the event loop's.
        until_end: read up to the ends that the partitions have at start.
    """
    clocks = Clocks(clock, time.time, random.random)
    telemetry = Telemetry(Catalogue(), clocks.now, clocks.wall)
    security = kafka_security(settings, secrets)
    source = KafkaSource(source_config(settings), security)
    letters = KafkaDeadLetters(
        settings.kafka.bootstrap_servers, settings.kafka.dead_letter_topic, security
    )
    client = TikTokClient(settings.tiktok.base_url, settings.tiktok.request_timeout_seconds)
    identities = identity_map(settings)
    routes = routes_of(settings, identities)
    checkpoint = Checkpoint()
    rate = RateLimit(settings.tiktok.rate_limit.calls_per_second)
    dead_letters = DeadLetterQueue(letters, telemetry, clocks.chance)

    accounts = {
        one.name: Account(
            one.name,
            TikTokDestination(
                client, one.advertiser_id, secrets.tokens[one.name], identities.targets
            ),
        )
        for one in settings.destinations
    }
    backlog = Backlog(
        accounts,
        routes,
        len(identities.targets),
        _limits(settings),
        {route.audience_id: protocol.cell_bytes(route.audience_id) for route in settings.routes},
        telemetry,
    )
    settlement = Settlement(
        backlog, rate, dead_letters, identities.targets, _retries(settings), clocks, telemetry
    )
    dispatcher = Dispatcher(backlog, settlement, rate, _bounds(settings), telemetry, clock)
    probes = Probes(settlement, dispatcher, rate, telemetry, clock)

    formats = {topic.name: _FORMATS[topic.format] for topic in settings.kafka.topics}
    segments = by_segment(routes)
    pipeline = Pipeline(
        formats, identities, segments, checkpoint, backlog, dead_letters, telemetry, clocks.wall
    )
    most = settings.delivery.max_pending_rows
    pauses = Pauses(source, backlog, dead_letters, most, telemetry)
    stint = UntilEnd(source) if until_end else None
    intake = Intake(source, pipeline, dispatcher, checkpoint, pauses, stint, clock)
    committer = Committer(source, checkpoint, settings.kafka.commit_interval_seconds, telemetry)
    drain = settings.delivery.drain_seconds
    ownership = Ownership(
        intake, checkpoint, committer, dispatcher, backlog, rate, drain, telemetry
    )
    telemetry.prepare(formats, identities.sources, identities.targets, protocol.CODE_LABELS)
    return Parts(
        telemetry,
        security,
        source,
        letters,
        client,
        identities,
        checkpoint,
        rate,
        backlog,
        dead_letters,
        dispatcher,
        probes,
        committer,
        pauses,
        intake,
        ownership,
    )


def identity_map(settings: Settings) -> IdentityMap:
    """The configured identities."""
    return IdentityMap(
        [
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
    )


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
        )
        for one in settings.routes
    ]


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


def _retries(settings: Settings) -> RetryRules:
    delivery = settings.delivery
    doubt = settings.tiktok.request_timeout_seconds
    return RetryRules(delivery.retry_initial_seconds, delivery.retry_max_seconds, doubt)


def _bounds(settings: Settings) -> Bounds:
    delivery = settings.delivery
    timeout = settings.tiktok.request_timeout_seconds
    return Bounds(delivery.max_in_flight, delivery.max_in_flight_per_audience, timeout)
