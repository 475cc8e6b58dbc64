"""A replay on virtual time: a source in memory, the service beside it, and a TikTok that both write to."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connector.core.batch import Batch
from connector.core.checkpoint import Checkpoint
from connector.core.consent import Consent
from connector.core.identity import IdentityMap, IdentityMapping, Target
from connector.core.lease import Lease
from connector.core.letter import REJECTED, Origin, delivery_letter, record_letter
from connector.core.model import Action, Chunk, Partition, Stage
from connector.core.outcome import Delivered, Outcome
from connector.core.permission import Permission
from connector.core.room import Limits
from connector.core.routing import AudienceKey, Route, RoutingTable
from connector.core.suppression import SuppressionList
from connector.delivery.accounts import Account
from connector.delivery.dead_letters import DeadLetterQueue
from connector.delivery.dispatcher import Bounds, Dispatcher
from connector.delivery.probes import Probes
from connector.delivery.rejections import Rejections
from connector.delivery.row_letters import RowLetters
from connector.delivery.settlement import Clocks, RetryRules, Settlement
from connector.formats import native
from connector.governance.keeper import FRESH_SECONDS, Keeper
from connector.replay.feed import Extent, Feed, Rules
from connector.replay.ledger import Ledger
from connector.replay.letters import Letter, one_of_each, read_letter
from connector.replay.pace import Pace, WatchedDestination
from connector.replay.reading import Reading
from connector.replay.scan import Scan
from connector.replay.sending import Patience, Sending
from connector.replay.summary import Fate
from connector.telemetry.catalogue import Catalogue
from connector.telemetry.events import DeliveryEvents, IntakeEvents, LifeEvents
from tests.delivery.rig import RecordingLetters
from tests.fakes.kafka import FakeFollower, FakeKafka, FakeRecord
from tests.fakes.tiktok import FakeDestination

TOPIC = "members"
PARTITION = Partition(TOPIC, 0)
SUPPRESSION = Partition("suppression", 0)
TARGETS = (Target.EMAIL_SHA256, Target.PHONE_SHA256)
GOLD = AudienceKey("emea", "1")
TIMEOUT = 15.0
WALL = 1_800_000_000.0

MAPPINGS = (
    IdentityMapping("email", Target.EMAIL_SHA256),
    IdentityMapping("phone", Target.PHONE_SHA256, default_region="US"),
)
IDENTITIES = IdentityMap(MAPPINGS)
ADVERTISERS = {"emea": "7000000000000000001", "apac": "7000000000000000002"}
ROUTES = (
    Route("gold", GOLD),
    Route("mail", AudienceKey("emea", "2"), (True, False)),
)


def digest(number: int) -> bytes:
    return (number + 1).to_bytes(32)


def event(
    email: int | None = None,
    action: Action = Action.ADD,
    *,
    phone: int | None = None,
    segment: str = "gold",
    **more: Any,
) -> bytes:
    identities: dict[str, str] = {}
    if email is not None:
        identities["email"] = digest(email).hex()
    if phone is not None:
        identities["phone"] = digest(phone).hex()
    status = "entered" if action is Action.ADD else "exited"
    value = {"profile_id": "p", "segment": segment, "status": status, "identities": identities}
    return json.dumps(value | more).encode()


class FakeLog:
    """The source's partitions, read without a group."""

    def __init__(self, kafka: FakeKafka) -> None:
        self._kafka = kafka
        self._positions: dict[Partition, int] = {}
        self.looks = 0

    def begin(self, starts: Mapping[Partition, int]) -> None:
        self._positions = dict(starts)

    async def read(self) -> AsyncIterator[tuple[Partition, Chunk]]:
        self.looks += 1
        await asyncio.sleep(0.002)
        ends = {one: len(self._kafka.logs[one]) for one in self._positions}
        await asyncio.sleep(0.002)
        for one, end in ends.items():
            while (start := self._positions[one]) < end:
                some = self._kafka.logs[one][start : start + 10]
                self._positions[one] = start + len(some)
                records = [each for each in some if isinstance(each, FakeRecord)]
                yield one, Chunk(records, self._positions[one])
                await asyncio.sleep(0.001)


@dataclass
class LateDestination(FakeDestination):
    """Applies some calls that it did not answer, later."""

    late_seconds: float = 0.0

    async def send(self, audience_id: str, batch: Batch) -> Outcome:
        outcome = await super().send(audience_id, batch)
        if not isinstance(outcome, Delivered) and self.late_seconds:
            rows = Batch(
                batch.action, [], {slot: list(some) for slot, some in batch.columns.items()}, "age"
            )
            loop = asyncio.get_running_loop()
            loop.call_later(self.late_seconds, self.apply, audience_id, rows)
        return outcome


class Rig:
    """The parts of a replay, connected as the real ones are.

    Args:
        consent: what must have been consented to.
    """

    def __init__(
        self,
        *,
        qps: float = 10.0,
        max_rows: int = 1000,
        destination: FakeDestination | None = None,
        consent: Consent | None = None,
    ) -> None:
        loop = asyncio.get_running_loop()
        self.kafka = FakeKafka()
        self.kafka.create_topic(TOPIC, 2)
        self.kafka.create_topic(SUPPRESSION.topic)
        self.log = FakeLog(self.kafka)
        self.tiktok = destination or FakeDestination()
        self.written = RecordingLetters()
        self.clocks = Clocks(loop.time, lambda: WALL, lambda: 0.5)
        telemetry = DeliveryEvents(Catalogue(), loop.time, self.clocks.wall)
        self.life = LifeEvents(Catalogue(), loop.time, self.clocks.wall)
        fresh = Lease(FRESH_SECONDS)
        self.follower = FakeFollower(self.kafka, SUPPRESSION.topic, fresh.renew)
        self.suppressed = SuppressionList(b"salt")
        self.keeper = Keeper(
            self.follower,
            self.suppressed,
            IdentityMap(MAPPINGS),
            IntakeEvents(Catalogue(), loop.time, self.clocks.wall),
            loop.time,
        )
        account = Account("emea", self.tiktok)
        self.rate = Pace(qps)
        self.backlog = Ledger(
            {"emea": account},
            ROUTES,
            len(TARGETS),
            Limits(max_rows, 1_000_000, 0.0),
            lambda _: 120,
            telemetry,
            self.keeper.veto,
        )
        account.destination = WatchedDestination(
            "emea", self.tiktok, self.backlog.watch, TIMEOUT, loop.time
        )
        self.dead_letters = DeadLetterQueue(self.written, telemetry, self.clocks.chance)
        settlement = Settlement(
            self.backlog,
            self.rate,
            Rejections(RowLetters(self.backlog, self.dead_letters, TARGETS, self.clocks.wall)),
            TARGETS,
            RetryRules(0.5, 60.0, TIMEOUT),
            self.clocks,
            telemetry,
        )
        bounds = Bounds(16, 4, TIMEOUT)
        self.dispatcher = Dispatcher(
            self.backlog, settlement, self.rate, bounds, Lease(6.0), telemetry, loop.time, fresh
        )
        self.probes = Probes(settlement, self.dispatcher, self.rate, telemetry, loop.time)
        self.checkpoint = Checkpoint()
        self.stop = asyncio.Event()
        shape = native.FORMAT if consent is None else native.WITH_CONSENT
        permission = Permission(consent, self.suppressed)
        self.reading = Reading(
            {TOPIC: shape}, IDENTITIES, RoutingTable(ROUTES, ADVERTISERS), permission
        )

    def produce(self, *values: bytes | None, partition: Partition = PARTITION) -> int:
        """Write records; the offset of the last."""
        self.kafka.push(partition, values)
        return len(self.kafka.logs[partition]) - 1

    def suppress(
        self, *numbers: int, profile: str = "q", status: str = "suppressed", slot: str = "email"
    ) -> None:
        """Write an entry of the suppression topic."""
        identities = {slot: [digest(number).hex() for number in numbers]}
        entry = {"profile_id": profile, "status": status, "identities": identities}
        self.kafka.push(SUPPRESSION, [json.dumps(entry).encode()])

    async def prepare(
        self, letters: Iterable[Letter], rules: Rules | None = None, firsts: int = 0
    ) -> tuple[Feed, Scan]:
        """Fill the lanes and look once.

        Args:
            firsts: how many records retention has taken off the beginning of each partition.
        """
        await self.follower.start(1.0, print)
        await self.keeper.load()
        some = one_of_each(letters)
        extents = {one: Extent(firsts, len(log)) for one, log in self.kafka.logs.items()}
        self.checkpoint.assign({one.origin.partition for one in some})
        feed = Feed(
            self.reading,
            self.backlog,
            self.checkpoint,
            self.dead_letters,
            extents,
            rules or Rules(),
            self.clocks.now,
            self.clocks.wall,
        )
        feed.take(some)
        self.log.begin(feed.starts())
        scan = Scan(
            self.log, self.reading, self.backlog, self.checkpoint, feed.meet, self.clocks.now
        )
        await scan.look()
        feed.scanned()
        return feed, scan

    async def send(self, scan: Scan, stuck_seconds: float = 60.0) -> bool:
        patience = Patience(stuck_seconds, TIMEOUT)
        return await Sending(self, scan, patience, self.stop.is_set, self.clocks.now).run()

    async def replay(
        self, letters: Iterable[Letter], rules: Rules | None = None, firsts: int = 0
    ) -> Counter[Fate]:
        feed, scan = await self.prepare(letters, rules, firsts)
        await self.send(scan)
        return Counter(feed.fates())

    def members(self, audience: str = "1", slot: int = 0) -> set[bytes]:
        return self.tiktok.members.get(audience, {}).get(slot, set())


def row_letter(
    offset: int,
    digests: Mapping[Target, bytes],
    action: Action = Action.ADD,
    *,
    attempts: int = 1,
    audience: AudienceKey = GOLD,
    partition: Partition = PARTITION,
    reason: str = REJECTED,
) -> Letter:
    """A delivery letter, as it is read back."""
    change: dict[str, Any] = {
        "destination": audience.destination,
        "audience_id": audience.audience_id,
        "action": action.value,
        "row": {target.value: one.hex() for target, one in digests.items()},
    }
    origin = Origin(partition, offset, 1000, b"key")
    return read_back(delivery_letter(origin, reason, "why", change, None, WALL, attempts))


def mail_letter(offset: int, number: int, action: Action = Action.ADD, **more: Any) -> Letter:
    return row_letter(offset, {Target.EMAIL_SHA256: digest(number)}, action, **more)


def payload_letter(
    offset: int,
    payload: bytes | None,
    *,
    reason: str = "malformed_json",
    stage: Stage = Stage.DECODE,
    attempts: int = 1,
    partition: Partition = PARTITION,
) -> Letter:
    """A letter about a record, as it is read back."""
    origin = Origin(partition, offset, 1000, b"key")
    return read_back(record_letter(origin, stage, reason, "why", payload, WALL, attempts))


def read_back(letter: Any) -> Letter:
    return read_letter(FakeRecord(0, 5, letter.key, letter.value, letter.headers))


def values(letters: Sequence[Any]) -> list[dict[str, Any]]:
    return [json.loads(one.value) for one in letters]
