"""The composition root's parts of delivery: from settings to what makes calls of changes, connected.

Knows both sides of delivery's seams. Nothing is started here.
"""

import random
import time
from collections.abc import Callable
from functools import cached_property

from connector import configured
from connector.core.identity import IdentityMap
from connector.core.lane import Veto
from connector.core.lease import Lease
from connector.core.rate_limit import RateLimit
from connector.core.routing import AudienceKey
from connector.delivery.accounts import Account
from connector.delivery.backlog import Backlog
from connector.delivery.bulkheads import Bulkheads
from connector.delivery.dead_letters import DeadLetterQueue
from connector.delivery.dispatcher import Dispatcher
from connector.delivery.matched_users import MatchedUsers
from connector.delivery.probes import Probes
from connector.delivery.rejections import Rejections
from connector.delivery.row_letters import RowLetters
from connector.delivery.settlement import Clocks, Settlement
from connector.kafka.dead_letters import KafkaDeadLetters
from connector.kafka.security import Security
from connector.settings.credentials import Secrets
from connector.settings.model import Settings
from connector.suppression_parts import SuppressionParts
from connector.telemetry.catalogue import Catalogue
from connector.telemetry.events import DeliveryEvents, IntakeEvents, LifeEvents
from connector.telemetry.reloads import ReloadEvents
from connector.tiktok import protocol
from connector.tiktok.client import TikTokClient, TikTokDestination
from connector.tiktok.inspection import AudienceLookup

_LEASE_PART = 2.0 / 3.0
"""Of the session: heartbeats come three times in it, so one may be late or lost."""


class DeliveryParts:
    """What delivers changes, and what is told of it. Each part says what it is made of, and is made once.

    Args:
        clock: monotonic seconds, the event loop's.
    """

    def __init__(self, settings: Settings, secrets: Secrets, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._secrets = secrets
        self._clocks = Clocks(clock, time.time, random.random)
        self._targets = self.identities.targets
        self._routes = configured.routes_of(settings, self.identities)

    def adopt(self, settings: Settings) -> None:
        """Run by these settings from now on, as far as they are not for a start alone.

        At once: what calls it stands between two takes of the pipeline.
        """
        self._settings = settings
        self._routes = configured.routes_of(settings, self.identities)
        self.identities.set_options(configured.identity_mappings(settings))
        self.backlog.set_limits(configured.limits(settings))
        self.backlog.set_routes(self._routes)
        self._bulkheads.set_rules(configured.blocked_rules(settings))
        self._settlement.set_rules(configured.retries(settings))
        self.dispatcher.set_bounds(configured.bounds(settings))
        self.matched_users.set_audiences(self._fixed)

    @cached_property
    def metrics(self) -> Catalogue:
        return Catalogue()

    @cached_property
    def life(self) -> LifeEvents:
        return LifeEvents(self.metrics, self._clocks.now, self._clocks.wall)

    @cached_property
    def on_reload(self) -> ReloadEvents:
        return ReloadEvents(self.metrics, self._clocks.now, self._clocks.wall)

    @cached_property
    def on_intake(self) -> IntakeEvents:
        return IntakeEvents(self.metrics, self._clocks.now, self._clocks.wall)

    @cached_property
    def _on_delivery(self) -> DeliveryEvents:
        return DeliveryEvents(self.metrics, self._clocks.now, self._clocks.wall)

    @cached_property
    def security(self) -> Security:
        return configured.kafka_security(self._settings, self._secrets)

    @cached_property
    def letters(self) -> KafkaDeadLetters:
        kafka = self._settings.kafka
        return KafkaDeadLetters(kafka.bootstrap_servers, kafka.dead_letter_topic, self.security)

    @cached_property
    def identities(self) -> IdentityMap:
        return configured.identity_map(self._settings)

    @cached_property
    def suppression(self) -> SuppressionParts | None:
        topic = self._settings.governance.suppression_topic
        if topic is None:
            return None
        clock = self._clocks.now
        return SuppressionParts(self._settings, topic, self.security, self.on_intake, clock)

    @cached_property
    def backlog(self) -> Backlog:
        return Backlog(
            self._accounts,
            self._routes,
            len(self._targets),
            configured.limits(self._settings),
            protocol.cell_bytes,
            self._on_delivery,
            self._veto,
        )

    @property
    def _veto(self) -> Veto | None:
        return None if self.suppression is None else self.suppression.keeper.veto

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
        allowance = self._settings.tiktok.rate_limit.calls_per_second
        return RateLimit(allowance, self._clocks.to_epoch)

    @cached_property
    def dispatcher(self) -> Dispatcher:
        bounds, told = configured.bounds(self._settings), self._on_delivery
        settlement, rate, now = self._settlement, self.rate, self._clocks.now
        lease = Lease(self._settings.kafka.session_timeout_seconds * _LEASE_PART)
        fresh = None if self.suppression is None else self.suppression.fresh
        return Dispatcher(self.backlog, settlement, rate, bounds, lease, told, now, fresh)

    @cached_property
    def probes(self) -> Probes:
        return Probes(
            self._settlement, self.dispatcher, self.rate, self._on_delivery, self._clocks.now
        )

    @cached_property
    def matched_users(self) -> MatchedUsers:
        accounts = {one.name: one for one in self.backlog.accounts}
        tokens, clocks = self._secrets.tokens, self._clocks
        lookups = {
            accounts[one.name]: AudienceLookup(self.client, one.advertiser_id, tokens[one.name])
            for one in self._settings.destinations
        }
        told, now, chance = self._on_delivery, clocks.now, clocks.chance
        return MatchedUsers(lookups, self._fixed, self.rate, told, now, chance)

    @property
    def _fixed(self) -> list[AudienceKey]:
        """The audiences that the configuration names."""
        return [route.audience for route in self._routes if route.is_fixed]

    @cached_property
    def dead_letters(self) -> DeadLetterQueue:
        return DeadLetterQueue(self.letters, self._on_delivery, self._clocks.chance)

    @cached_property
    def _row_letters(self) -> RowLetters:
        return RowLetters(self.backlog, self.dead_letters, self._targets, self._clocks.wall)

    @cached_property
    def _bulkheads(self) -> Bulkheads:
        rules = configured.blocked_rules(self._settings)
        letters, told = self._row_letters, self._on_delivery
        return Bulkheads(self.backlog, letters, rules, told, self._clocks.now)

    @cached_property
    def _settlement(self) -> Settlement:
        return Settlement(
            self.backlog,
            self.rate,
            Rejections(self._row_letters),
            self._targets,
            configured.retries(self._settings),
            self._clocks,
            self._on_delivery,
        )
