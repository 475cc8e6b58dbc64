"""The configuration: one YAML file, the environment and secret files become frozen settings.

Owns the keys, their defaults and bounds, and every word that says what is wrong with a configuration. It must not
know what the settings are used for: nothing here connects, listens or starts.
"""

from connector.settings.changes import Changes, changes
from connector.settings.credentials import Secrets, resolve_secrets
from connector.settings.governance import GovernanceSettings, PolicySettings
from connector.settings.load import load, path_of
from connector.settings.model import (
    AdminSettings,
    DeliverySettings,
    DestinationSettings,
    IdentitySettings,
    KafkaSecurity,
    KafkaSettings,
    LogSettings,
    RateLimitSettings,
    RouteSettings,
    Settings,
    TikTokSettings,
)
from connector.settings.policy import denials
from connector.settings.policy import read as read_policy
from connector.settings.shown import without_secrets
from connector.settings.topics import MappingSettings, TopicSettings

__all__ = [
    "AdminSettings",
    "Changes",
    "DeliverySettings",
    "DestinationSettings",
    "GovernanceSettings",
    "IdentitySettings",
    "KafkaSecurity",
    "KafkaSettings",
    "LogSettings",
    "MappingSettings",
    "PolicySettings",
    "RateLimitSettings",
    "RouteSettings",
    "Secrets",
    "Settings",
    "TikTokSettings",
    "TopicSettings",
    "changes",
    "denials",
    "load",
    "path_of",
    "read_policy",
    "resolve_secrets",
    "without_secrets",
]
