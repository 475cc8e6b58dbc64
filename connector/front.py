"""The composition root's part for the HTTP side: what it tells of, who may ask, and the server, connected.

Nothing is started here. Knows the settings, the running parts and the HTTP side; none of these knows it.
"""

import time
from collections.abc import Callable
from typing import Any

from connector.admin.access import Access, Caller, Role, Token
from connector.admin.server import Admin, Subject
from connector.admin.sessions import Sessions
from connector.assembly import Parts
from connector.history import History
from connector.operations import Operations
from connector.settings import Secrets, Settings, without_secrets
from connector.snapshot import Snapshot
from connector.status import Status
from connector.telemetry.access import AccessEvents


class Front:
    """The HTTP side of one run.

    Args:
        clock: monotonic seconds, the event loop's.

    Attributes:
        status: told by the application what state it is in.
        history: takes its samples while it runs.
        access: looks at its tokens' files when it is told to.
        admin: the server.
    """

    def __init__(
        self, settings: Settings, secrets: Secrets, parts: Parts, clock: Callable[[], float]
    ) -> None:
        self._settings = settings
        self._parts = parts
        topics = [topic.name for topic in settings.kafka.topics]
        drain = settings.delivery.drain_seconds
        self.status = Status(parts, topics, drain, clock, time.time)
        self.history = History(parts.metrics, self._lags, clock)
        told = AccessEvents(parts.metrics, clock, time.time)
        tokens = [
            Token(Caller(one.name, Role(one.role)), secrets.admin_tokens[one.name])
            for one in settings.admin.tokens
        ]
        self.access = Access(tokens, Sessions(clock), told)
        operations = Operations(parts.pauses, parts.dispatcher, clock)
        snapshot = Snapshot(
            self.status, parts, self.history, operations, self._configuration, clock, time.time
        )
        self.admin = Admin(
            Subject(self.status, snapshot, operations, parts.metrics),
            self.access,
            told,
            protect_metrics=settings.admin.protect_metrics,
        )

    def _configuration(self) -> dict[str, Any]:
        return without_secrets(self._settings)

    def _lags(self) -> list[int | None]:
        parts = self._parts
        return [parts.source.lag(one) for one in parts.checkpoint.partitions()]
