"""From settings to the values that the parts are made of. Nothing is made here that runs.

Owns which setting becomes which value; a setting that becomes a part of its own is connector.assembly's.
"""

from collections.abc import Sequence

from connector.core.consent import Consent
from connector.core.identity import IdentityMap, IdentityMapping, Target, Transformation
from connector.core.permission import Permission
from connector.core.room import Limits
from connector.core.routing import AudienceKey, Route, RoutingTable, slots_of
from connector.core.suppression import SuppressionList
from connector.delivery.bulkheads import BlockedRules
from connector.delivery.dispatcher import Bounds
from connector.delivery.settlement import RetryRules
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
from connector.formats.paths import with_consent
from connector.governance.erasure import ErasureRules
from connector.kafka.security import Security
from connector.kafka.source import SourceConfig
from connector.pauses import ReadingBounds
from connector.settings.credentials import Secrets
from connector.settings.model import Settings
from connector.settings.topics import MappingSettings, TopicSettings

FORMATS: dict[str, Format] = {
    "native": native.FORMAT,
    "segment": segment.FORMAT,
    "adobe_xdm": adobe_xdm.FORMAT,
    "mparticle": mparticle.FORMAT,
    "rudderstack": rudderstack.FORMAT,
}


def format_of(settings: Settings, topic: TopicSettings) -> Format:
    """How the topic's records are read: with the consent that they carry, where some is required."""
    if topic.consent is not None:
        return with_consent(_shape_of(topic), topic.consent)
    if settings.governance.require_consent and topic.format == "native":
        return native.WITH_CONSENT
    return _shape_of(topic)


def _shape_of(topic: TopicSettings) -> Format:
    if topic.columns is not None:
        return debezium.make(topic.columns)
    if topic.mapping is not None:
        return custom.make(_custom_mapping(topic.mapping))
    return FORMATS[topic.format]


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


def permission(settings: Settings, suppressed: SuppressionList | None) -> Permission | None:
    """The rules about people; None where there are none.

    Args:
        suppressed: who must be in no audience; None where nobody is asked about.
    """
    purposes = settings.governance.require_consent
    if not purposes and suppressed is None:
        return None
    return Permission(Consent(purposes) if purposes else None, suppressed)


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
    suppression = settings.governance.suppression_topic
    read_whole = () if suppression is None else (suppression,)
    return SourceConfig(
        bootstrap_servers=kafka.bootstrap_servers,
        group_id=kafka.group_id,
        topics=(*(topic.name for topic in kafka.topics), *read_whole),
        read_whole=read_whole,
        auto_offset_reset=kafka.auto_offset_reset,
        isolation_level=kafka.isolation_level,
        session_timeout_seconds=kafka.session_timeout_seconds,
        drain_seconds=settings.delivery.drain_seconds,
    )


def limits(settings: Settings) -> Limits:
    """When a batch is full."""
    delivery = settings.delivery
    return Limits(delivery.max_rows, delivery.max_bytes, delivery.linger_seconds)


def reading_bounds(settings: Settings) -> ReadingBounds:
    """How much may be read."""
    delivery = settings.delivery
    return ReadingBounds(delivery.max_pending_rows, delivery.max_uncommitted_records)


def blocked_rules(settings: Settings) -> BlockedRules:
    """When an audience is blocked."""
    delivery = settings.delivery
    return BlockedRules(delivery.max_pending_rows_per_audience, delivery.retry_max_seconds)


def erasure_rules(settings: Settings, topic: str) -> ErasureRules:
    """How much may be erased at once, and when for the second time."""
    most = settings.delivery.max_pending_rows
    return ErasureRules(topic, most, settings.tiktok.request_timeout_seconds)


def retries(settings: Settings) -> RetryRules:
    """How failed calls are tried again."""
    delivery = settings.delivery
    doubt = settings.tiktok.request_timeout_seconds
    return RetryRules(delivery.retry_initial_seconds, delivery.retry_max_seconds, doubt)


def bounds(settings: Settings) -> Bounds:
    """How many calls may be under way."""
    delivery = settings.delivery
    timeout = settings.tiktok.request_timeout_seconds
    return Bounds(delivery.max_in_flight, delivery.max_in_flight_per_audience, timeout)
