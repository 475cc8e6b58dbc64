"""The composition root's first half: from settings to the parts, connected. Nothing is started here.

The only module that knows both sides of the seams; connector.app gives the parts their lifetime.
"""

from collections.abc import Callable
from functools import cached_property

from connector import configured
from connector.committer import Committer
from connector.core.checkpoint import Checkpoint
from connector.core.permission import Permission
from connector.core.routing import RoutingTable
from connector.delivery_parts import DeliveryParts
from connector.formats.membership import MALFORMED_TIMESTAMP, Format
from connector.governance.people import People
from connector.intake import Intake, Ownership, Taker
from connector.kafka.source import KafkaSource
from connector.pauses import Pauses
from connector.pipeline import Pipeline
from connector.record_letters import RECORD_REASONS, RecordLetters
from connector.settings.credentials import Secrets
from connector.settings.model import Settings
from connector.telemetry import logs
from connector.telemetry.series import Closed, prepare
from connector.tiktok import protocol
from connector.until_end import UntilEnd


class Parts(DeliveryParts):
    """Everything that runs, in the order of the flow. Each part says what it is made of, and is made once.

    Args:
        clock: monotonic seconds, the event loop's.
        until_end: read up to the ends that the partitions have at start.
    """

    def __init__(
        self, settings: Settings, secrets: Secrets, clock: Callable[[], float], *, until_end: bool
    ) -> None:
        super().__init__(settings, secrets, clock)
        self._until_end = until_end
        labels = Closed(
            configured.source_config(settings).topics,
            self.identities.sources,
            self._targets,
            protocol.CODE_LABELS,
            RECORD_REASONS,
            (MALFORMED_TIMESTAMP,),
            protocol.RETRY_REASONS,
        )
        prepare(self.metrics, labels)

    def adopt(self, settings: Settings) -> None:
        """Likewise of the parts of intake."""
        super().adopt(settings)
        logs.set_level(settings.log.level)
        self.pipeline.set_routes(self._table)
        self.pipeline.forget_repeats()  # what a new route is to bring, messages may be repeating
        self.pauses.set_bounds(configured.reading_bounds(settings))
        topic = settings.governance.suppression_topic
        if self.people is not None and topic is not None:
            self.people.erasure.set_rules(configured.erasure_rules(settings, topic))

    def dismiss(self) -> None:
        """Let go of what is left of removed routes, once it is done: also with the deletes of who is suppressed."""
        if self.people is None or not len(self.people.erasure):
            self.backlog.dismiss(self._clocks.now())

    @cached_property
    def source(self) -> KafkaSource:
        return KafkaSource(configured.source_config(self._settings), self.security)

    @cached_property
    def intake(self) -> Intake:
        stint = UntilEnd(self.source) if self._until_end else None
        return Intake(
            self.source,
            self._takers,
            self.dispatcher,
            self.checkpoint,
            self.pauses,
            stint,
            self._clocks.now,
        )

    @cached_property
    def pauses(self) -> Pauses:
        bounds = configured.reading_bounds(self._settings)
        erasure = None if self.people is None else self.people.erasure
        return Pauses(
            self.source,
            self.checkpoint,
            self.dead_letters,
            self._bulkheads,
            bounds,
            self.on_intake,
            erasure,
        )

    @cached_property
    def _takers(self) -> dict[str, Taker]:
        takers: dict[str, Taker] = dict.fromkeys(self._formats, self.pipeline)
        if self.people is not None:
            takers |= dict.fromkeys(self.people.erasure.topics, self.people.erasure)
        return takers

    @cached_property
    def pipeline(self) -> Pipeline:
        return Pipeline(
            self._formats,
            self.identities,
            self._table,
            self.checkpoint,
            self.backlog,
            self._record_letters,
            self.on_intake,
            self._permission,
        )

    @cached_property
    def _permission(self) -> Permission | None:
        suppression = self.suppression
        return configured.permission(
            self._settings, None if suppression is None else suppression.suppressed
        )

    @cached_property
    def people(self) -> People | None:
        if self.suppression is None:
            return None
        return self.suppression.people(self.backlog, self.checkpoint, self._record_letters)

    @cached_property
    def _record_letters(self) -> RecordLetters:
        return RecordLetters(self.dead_letters, self.on_intake, self._clocks.wall)

    @cached_property
    def _formats(self) -> dict[str, Format]:
        settings = self._settings
        return {
            topic.name: configured.format_of(settings, topic) for topic in settings.kafka.topics
        }

    @property
    def _table(self) -> RoutingTable:
        return configured.routing_table(self._settings, self._routes)

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
            self._settings.delivery.drain_seconds,
            self.on_intake,
        )
