"""The composition root's part for the HTTP side: what it tells of, who may ask, and the server, connected.

Nothing is started here. Knows the settings, the running parts and the HTTP side; none of these knows it.
"""

import time
from collections.abc import Callable

from connector import configured
from connector.admin.access import Access, Caller, Role, Token
from connector.admin.server import Admin, Subject
from connector.admin.sessions import Sessions
from connector.assembly import Parts
from connector.history import History
from connector.lags import Lags
from connector.operations import Operations
from connector.reload import Reload
from connector.settings.credentials import Secrets
from connector.settings.model import Settings
from connector.snapshot import Snapshot
from connector.status import Status
from connector.telemetry.access import AccessEvents


class Front:
    """The HTTP side of one run.

    Args:
        clock: monotonic seconds, the event loop's.

    Attributes:
        lags: asks for those of paused partitions while it runs.
        status: told by the application what state it is in.
        history: takes its samples while it runs.
        access: looks at its tokens' files when it is told to.
        admin: the server.
    """

    def __init__(
        self,
        settings: Settings,
        secrets: Secrets,
        parts: Parts,
        reload: Reload,
        clock: Callable[[], float],
    ) -> None:
        self._parts = parts
        topics = configured.source_config(settings).topics
        drain = settings.delivery.drain_seconds
        self.lags = Lags(parts.source, lambda: parts.pauses.paused, parts.checkpoint.position)
        self.status = Status(parts, topics, self.lags, drain, clock, time.time)
        self.history = History(parts.metrics, self._all_lags, clock)
        told = AccessEvents(parts.metrics, clock, time.time)
        tokens = [
            Token(Caller(one.name, Role(one.role)), secrets.admin_tokens[one.name])
            for one in settings.admin.tokens
        ]
        self.access = Access(tokens, Sessions(clock), told)
        operations = Operations(parts.pauses, parts.dispatcher, clock)
        snapshot = Snapshot(
            self.status,
            parts,
            self.lags,
            self.history,
            operations,
            reload,
            clock,
            time.time,
        )
        self.admin = Admin(
            Subject(self.status, snapshot, operations, parts.metrics),
            self.access,
            told,
            protect_metrics=settings.admin.protect_metrics,
        )

    def _all_lags(self) -> list[int | None]:
        return [self.lags.lag(one) for one in self._parts.checkpoint.partitions()]
