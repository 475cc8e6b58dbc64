"""Parts to read a status from: real where they are plain values, stand-ins where they would run."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import cast

from connector.core.batch import row_of
from connector.core.checkpoint import Checkpoint, Span
from connector.core.identity import IdentityMap, IdentityMapping, Target
from connector.core.model import Action, Partition
from connector.core.rate_limit import RateLimit
from connector.core.room import Limits
from connector.core.routing import AudienceKey, Route
from connector.delivery.accounts import Account, Audience
from connector.delivery.backlog import Backlog
from connector.pauses import PauseReason
from connector.reload import Reading
from connector.status import Parts
from connector.telemetry.catalogue import Catalogue
from connector.telemetry.events import DeliveryEvents
from connector.telemetry.reloads import ReloadEnd
from tests.fakes.tiktok import FakeDestination

FIRST = Partition("members", 0)
SECOND = Partition("members", 1)
EMEA = AudienceKey("emea", "7100000000000000001")
APAC = AudienceKey("apac", "7100000000000000002")
CONFIGURATION = {"kafka": {"group_id": "tiktok-audiences"}}
DIGEST = bytes.fromhex("d6117306485ed0e50afab3ac871e98f81699151f30281527d63ff5f233656c69")
TRACES = (DIGEST.hex(), DIGEST[-4:].decode())
"""What would stand in a text that held the digest: in hexadecimal, or as Python writes bytes."""


class Clock:
    """Monotonic seconds that stand until they are moved."""

    def __init__(self) -> None:
        self.now = 5000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class StandInIntake:
    polled_at: float = 5000.0
    joined: bool = True


@dataclass
class StandInPauses:
    paused: set[Partition] = field(default_factory=set)
    bounds: list[PauseReason] = field(default_factory=list)
    holding: Audience | None = None
    by_operator: bool = False

    def stop_reading(self) -> None:
        self.by_operator = True

    def go_on_reading(self) -> None:
        self.by_operator = False

    def reasons(self) -> list[PauseReason]:
        return [PauseReason.OPERATOR, *self.bounds] if self.by_operator else self.bounds


@dataclass
class StandInDispatcher:
    calls: int = 2
    flushes: int = 0

    def flush(self) -> None:
        self.flushes += 1


@dataclass
class StandInLag:
    behind: dict[Partition, int | None] = field(default_factory=lambda: {FIRST: 7, SECOND: None})

    def lag(self, partition: Partition) -> int | None:
        return self.behind[partition]


class StandInConfiguration:
    def __init__(self, clock: Callable[[], float]) -> None:
        self.last = Reading(ReloadEnd.APPLIED, clock(), clock())

    def shown(self) -> dict[str, dict[str, str]]:
        return CONFIGURATION


@dataclass
class StandInMatchedUsers:
    told: dict[AudienceKey, int] = field(default_factory=dict)

    def of(self, audience: AudienceKey) -> int | None:
        return self.told.get(audience)

    def publish(self, metrics: Catalogue) -> None:
        for audience, users in self.told.items():
            metrics.audience_matched_users.set(users, *audience)


class StandInParts:
    """Two partitions of one topic, two destinations with an audience each, all well."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.metrics = Catalogue()
        self.delivery = DeliveryEvents(self.metrics, clock, lambda: 1_760_000_000.0)
        self.source = StandInLag()
        self.intake = StandInIntake()
        self.pauses = StandInPauses()
        self.checkpoint = Checkpoint()
        self.checkpoint.assign([SECOND, FIRST])
        self.dispatcher = StandInDispatcher()
        self.rate = RateLimit(10.0)
        self.dead_letters: Collection[object] = ["a letter"]
        self.identities = IdentityMap([IdentityMapping("email", Target.EMAIL_SHA256)])
        self.matched_users = StandInMatchedUsers()
        self.people = None
        self.backlog = Backlog(
            {name: Account(name, FakeDestination()) for name in ("emea", "apac")},
            [Route("gold", EMEA), Route("lost", APAC)],
            1,
            Limits(1000, 1_000_000, 1.0),
            lambda _: 120,
            self.delivery,
        )

    def as_parts(self) -> Parts:
        """These as what a status reads: it looks at nothing that the stand-ins do not have."""
        return cast(Parts, self)

    def track(self, partition: Partition, position: int, oldest_ms: int = -1) -> Span:
        return self.checkpoint.track(partition, position, self.clock.now, oldest_ms)

    def put(self, key: AudienceKey, span: Span) -> Audience:
        """Accept a change for an audience."""
        audience = self.backlog[key]
        row = row_of([DIGEST], Action.ADD, span, 3, 0, b"profile-1")
        self.backlog.accept(audience, row)
        return audience
