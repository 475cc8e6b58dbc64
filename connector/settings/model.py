"""The settings: every key, its default, its bounds and its description.

The descriptions are what users read in the reference and in their editors. Rules that need more than one key are in
connector.settings.checks. Knows nothing of files, of the environment or of secrets' values.
"""

from typing import Annotated, Literal

from pydantic import Field

from connector.settings.address import DEFAULT_HOST, DEFAULT_PORT
from connector.settings.fields import (
    BaseUrl,
    BootstrapServers,
    Count,
    Digits,
    DigitsOrFromEvent,
    File,
    Names,
    NotBoolean,
    Region,
    Seconds,
    SecondsOrNone,
    TargetName,
    Text,
    Topic,
)
from connector.settings.governance import GovernanceSettings, SegmentSettings
from connector.settings.topics import Frozen, TopicSettings


class KafkaSecurity(Frozen):
    """How to reach brokers that ask for encryption or a login."""

    protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        default="PLAINTEXT",
        description="SSL encrypts; SASL asks for username, password and sasl_mechanism.",
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = Field(
        default=None,
        description="How the login is done. Needed with a SASL protocol.",
        examples=["SCRAM-SHA-512"],
    )
    username: Text | None = Field(
        default=None,
        description="Needed with a SASL protocol.",
        examples=["connector"],
    )
    password_file: File | None = Field(
        default=None,
        description="The file that holds the password; or set CONNECTOR_KAFKA__SECURITY__PASSWORD, which wins.",
        examples=["/run/secrets/kafka_password"],
    )
    ca_file: File | None = Field(
        default=None,
        description="The authorities that sign the brokers' certificates, in PEM; without it, the system's.",
        examples=["/etc/kafka/ca.pem"],
    )
    cert_file: File | None = Field(
        default=None,
        description="Our certificate in PEM, for mutual TLS; goes with key_file.",
        examples=["/etc/kafka/client.pem"],
    )
    key_file: File | None = Field(
        default=None,
        description="The key of cert_file in PEM, without a passphrase.",
        examples=["/run/secrets/kafka_client.key"],
    )


class KafkaSettings(Frozen):
    """Where changes come from, and where letters go."""

    bootstrap_servers: BootstrapServers = Field(
        description="The brokers to ask first, as host:port; several separated by commas or as a list.",
        examples=["localhost:9092"],
    )
    group_id: Text = Field(
        default="tiktok-audiences",
        description="The consumer group. Replicas with one group share the partitions.",
    )
    auto_offset_reset: Literal["earliest", "latest"] = Field(
        default="earliest",
        description="Where to begin in a partition of which the group has committed nothing yet.",
    )
    isolation_level: Literal["read_committed", "read_uncommitted"] = Field(
        default="read_committed",
        description="Whether records of transactions that are not committed are left out.",
    )
    session_timeout_seconds: Seconds = Field(
        default=10.0,
        description="A replica that is silent for so long loses its partitions to the others.",
    )
    commit_interval_seconds: Seconds = Field(
        default=1.0,
        description="How often progress is committed.",
    )
    startup_timeout_seconds: Seconds = Field(
        default=60.0,
        description="How long to wait at start for the brokers and the topics.",
    )
    topics: tuple[TopicSettings, ...] = Field(
        min_length=1,
        description="The topics to read.",
    )
    dead_letter_topic: Topic = Field(
        description="Where records go that cannot be delivered. It must exist, and be none of the topics read.",
        examples=["segment-membership.dead-letter"],
    )
    security: KafkaSecurity = Field(
        default=KafkaSecurity(),
        description="How to reach brokers that ask for encryption or a login.",
    )


_QUERIES_PER_SECOND = {"basic": 10.0, "advanced": 20.0, "premium": 30.0, "ultimate": 50.0}


class RateLimitSettings(Frozen):
    """How many calls TikTok allows, and how many of these are ours."""

    tier: Literal["basic", "advanced", "premium", "ultimate"] = Field(
        default="basic",
        description="The level of the TikTok app: 10, 20, 30 or 50 calls a second for all its users together.",
    )
    queries_per_second: Annotated[float, Field(gt=0, allow_inf_nan=False), NotBoolean] | None = (
        Field(
            default=None,
            description="Overrides the tier's calls a second, up or down.",
            examples=[10],
        )
    )
    share: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False), NotBoolean] = Field(
        default=1.0,
        description="The part of the app's allowance that all replicas together may use.",
    )

    @property
    def calls_per_second(self) -> float:
        """What all replicas together may use."""
        return (self.queries_per_second or _QUERIES_PER_SECOND[self.tier]) * self.share


class TikTokSettings(Frozen):
    """How TikTok is called."""

    base_url: BaseUrl = Field(
        default="https://business-api.tiktok.com/open_api/v1.3",
        description="TikTok's API for marketing. Plain http is for a loopback address alone.",
    )
    request_timeout_seconds: Seconds = Field(
        default=15.0,
        description="After so long a call has failed. Less than delivery.drain_seconds.",
    )
    rate_limit: RateLimitSettings = Field(
        default=RateLimitSettings(),
        description="How many calls TikTok allows, and how many of these are ours.",
    )


class DestinationSettings(Frozen):
    """A TikTok Ads Manager account whose audiences are fed."""

    name: Text = Field(
        description="What routes, logs and metrics call this account.",
        examples=["emea"],
    )
    description: str = Field(default="", description="For people.")
    advertiser_id: Digits = Field(
        description="The account's id in TikTok Ads Manager, in quotes.",
        examples=["7000000000000000001"],
    )
    access_token_file: File | None = Field(
        default=None,
        description="The file that holds the access token, read again when it changes; or set"
        " CONNECTOR_ACCESS_TOKEN_<NAME>, which wins (the name in capitals, other characters as _).",
        examples=["/run/secrets/tiktok_emea"],
    )
    marketing_actions: Names = Field(
        default=(),
        description="What its audiences are used for, in the words of the policy. Without any, the policy takes it to"
        " be used for everything.",
        examples=[["retargeting"]],
    )


class IdentitySettings(Frozen):
    """A namespace of the events' identities, and what TikTok is told of it."""

    source: Text = Field(
        description="The namespace in the events, capitals or not.",
        examples=["email"],
    )
    target: TargetName = Field(
        description="What TikTok matches by.",
        examples=["EMAIL_SHA256"],
    )
    transformation: Literal["auto", "always", "never"] = Field(
        default="auto",
        description="auto: digests pass and anything else is normalised and hashed; always: all values are plain;"
        " never: all values are digests, and a plain one is refused.",
    )
    strip_plus: bool = Field(
        default=False,
        description="Cut an email's local part at the first +. For email targets.",
    )
    strip_dots: bool = Field(
        default=False,
        description="Take the dots out of an email's local part. For email targets.",
    )
    default_region: Region | None = Field(
        default=None,
        description="The country (ISO 3166) of phone numbers without +. For phone targets.",
        examples=["US"],
    )


class RouteSettings(Frozen):
    """Which segment feeds which audience."""

    segment: Text = Field(
        description="The segment's id, exactly as in the events.",
        examples=["high-value"],
    )
    destination: Text = Field(
        description="The name of the destination that owns the audience.",
        examples=["emea"],
    )
    audience_id: DigitsOrFromEvent = Field(
        description="The audience's id at TikTok, in quotes, or from_event for the one that each event names. One"
        " audience is fed by one segment.",
        examples=["7100000000000000001"],
    )
    identities: Annotated[tuple[TargetName, ...], Field(min_length=1)] | None = Field(
        default=None,
        description="Sends these targets only; without it, all that the identities make.",
        examples=[["EMAIL_SHA256"]],
    )
    when_blocked: Literal["hold", "dead_letter"] = Field(
        default="hold",
        description="When more than delivery.max_pending_rows_per_audience wait for the audience while it is blocked:"
        " hold pauses reading until it is mended; dead_letter sets its oldest changes aside.",
    )


class DeliverySettings(Frozen):
    """How changes become calls."""

    max_rows: Annotated[int, Field(ge=1, le=10_000), NotBoolean] = Field(
        default=1000,
        description="The most rows in one call.",
    )
    max_bytes: Annotated[int, Field(ge=1000), NotBoolean] = Field(
        default=1_000_000,
        description="The most bytes in one call.",
    )
    linger_seconds: SecondsOrNone = Field(
        default=1.0,
        description="A change waits no longer than this for company.",
    )
    max_in_flight: Count = Field(
        default=16,
        description="The most calls under way at once.",
    )
    max_in_flight_per_audience: Count = Field(
        default=4,
        description="The most calls under way at once for one audience.",
    )
    max_pending_rows: Count = Field(
        default=200_000,
        description="When more rows than this wait, Kafka's partitions are paused.",
    )
    max_pending_rows_per_audience: Count = Field(
        default=100_000,
        description="The most rows that may wait for one audience that is blocked: halted, or without an accepted"
        " call for retry_max_seconds. What follows then is its route's when_blocked.",
    )
    max_uncommitted_records: Count = Field(
        default=5_000_000,
        description="How many records of a partition may be read beyond what can be committed: after a crash they"
        " are read again. A partition that is further ahead is paused.",
    )
    retry_initial_seconds: Seconds = Field(
        default=0.5,
        description="The wait before the first retry; it doubles with each further one.",
    )
    retry_max_seconds: Seconds = Field(
        default=60.0,
        description="The longest wait between retries.",
    )
    drain_seconds: Seconds = Field(
        default=20.0,
        description="How long calls may finish at a stop or when partitions move to another replica.",
    )


class AdminTokenSettings(Frozen):
    """A token of the HTTP side, and what it allows."""

    name: Text = Field(
        description="What the log calls whoever has the token.",
        examples=["on-call"],
    )
    role: Literal["view", "operate"] = Field(
        description="view: the page and /status; operate: also to pause, to resume and to flush.",
        examples=["operate"],
    )
    token_file: File = Field(
        description="The file that holds the token, read again when it changes. At least 16 characters.",
        examples=["/run/secrets/connector_on_call"],
    )


class AdminSettings(Frozen):
    """Where health, metrics and status are served, and to whom."""

    host: Text = Field(default=DEFAULT_HOST, description="The address to listen on.")
    port: Annotated[int, Field(ge=0, le=65_535), NotBoolean] = Field(
        default=DEFAULT_PORT,
        description="The port to listen on; 0 takes a free one.",
    )
    protect_metrics: bool = Field(
        default=False,
        description="Whether /metrics asks for a token too. Needs tokens.",
    )
    tokens: tuple[AdminTokenSettings, ...] = Field(
        default=(),
        description="Who may see the page and /status, and who may operate. Without any, everybody who reaches the"
        " port may see them, and nobody may operate.",
    )


class LogSettings(Frozen):
    """What is logged, and how."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info",
        description="The least important lines that are written.",
    )
    format: Literal["json", "console"] = Field(
        default="json",
        description="json: one object a line, for machines; console: for people.",
    )


class Settings(Frozen):
    """The configuration of the TikTok audience connector."""

    kafka: KafkaSettings = Field(description="Where changes come from, and where letters go.")
    tiktok: TikTokSettings = Field(default=TikTokSettings(), description="How TikTok is called.")
    destinations: tuple[DestinationSettings, ...] = Field(
        min_length=1,
        description="One for each TikTok Ads Manager account.",
    )
    identities: tuple[IdentitySettings, ...] = Field(
        default=(
            IdentitySettings(source="email", target="EMAIL_SHA256"),
            IdentitySettings(source="phone", target="PHONE_SHA256"),
            IdentitySettings(source="idfa", target="IDFA_SHA256"),
            IdentitySettings(source="gaid", target="AAID_SHA256"),
        ),
        min_length=1,
        description="Which namespaces of the events' identities are sent, as what, and in which order.",
    )
    routes: tuple[RouteSettings, ...] = Field(
        min_length=1,
        description="Which segment feeds which audience; a segment may have several routes.",
    )
    segments: tuple[SegmentSettings, ...] = Field(
        default=(),
        description="What segments hold, for the policy to judge.",
    )
    governance: GovernanceSettings = Field(
        default=GovernanceSettings(),
        description="Rules about people: consent, suppression, and the policy.",
    )
    delivery: DeliverySettings = Field(
        default=DeliverySettings(), description="How changes become calls."
    )
    admin: AdminSettings = Field(
        default=AdminSettings(),
        description="Where health, metrics and status are served, and to whom.",
    )
    log: LogSettings = Field(default=LogSettings(), description="What is logged, and how.")
