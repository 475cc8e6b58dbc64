"""The composition root for people who are suppressed: the parts that a suppression topic makes necessary.

Owns how they are connected; connector.assembly asks for them where such a topic is configured, and connector.app gives
them their lifetime.
"""

from collections.abc import Callable
from functools import cached_property
from secrets import token_bytes

from connector import configured
from connector.core.checkpoint import Checkpoint
from connector.core.lease import Lease
from connector.core.suppression import SuppressionList
from connector.delivery.backlog import Backlog
from connector.governance.erasure import Erasure
from connector.governance.keeper import FRESH_SECONDS, Keeper
from connector.governance.people import People
from connector.kafka.follower import Follower
from connector.kafka.security import Security
from connector.record_letters import RecordLetters
from connector.settings.model import Settings
from connector.telemetry.events import IntakeEvents

_SALT_BYTES = 32


class SuppressionParts:
    """What knows who is suppressed. Nothing is started here.

    Args:
        clock: monotonic seconds, the event loop's.

    Attributes:
        suppressed: the list.
        fresh: held while the list is known to be whole.
    """

    def __init__(
        self,
        settings: Settings,
        topic: str,
        security: Security,
        telemetry: IntakeEvents,
        clock: Callable[[], float],
    ) -> None:
        self.suppressed = SuppressionList(token_bytes(_SALT_BYTES))
        self.fresh = Lease(FRESH_SECONDS)
        self._settings = settings
        self._topic = topic
        self._security = security
        self._telemetry = telemetry
        self._clock = clock

    @cached_property
    def follower(self) -> Follower:
        kafka = self._settings.kafka
        return Follower(
            kafka.bootstrap_servers,
            self._security,
            self._topic,
            kafka.isolation_level,
            self.fresh.renew,
            self._telemetry.suppression_reread,
        )

    @cached_property
    def keeper(self) -> Keeper:
        identities = configured.identity_map(self._settings)
        return Keeper(self.follower, self.suppressed, identities, self._telemetry, self._clock)

    def people(self, backlog: Backlog, checkpoint: Checkpoint, letters: RecordLetters) -> People:
        """The keeper, and the deletes in the service's lanes."""
        erasure = Erasure(
            configured.identity_map(self._settings),
            self.keeper,
            backlog,
            checkpoint,
            letters,
            configured.erasure_rules(self._settings, self._topic),
            self._telemetry,
        )
        return People(self.keeper, erasure)
