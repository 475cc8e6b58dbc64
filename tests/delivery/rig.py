"""All of delivery on virtual time, with fakes at its seams."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from connector.core.batch import row_of
from connector.core.checkpoint import Checkpoint
from connector.core.identity import Target
from connector.core.lease import Lease
from connector.core.model import Action, Letter, Partition
from connector.core.rate_limit import RateLimit
from connector.core.room import Limits
from connector.core.routing import AudienceKey, Route
from connector.delivery.accounts import Account, Audience
from connector.delivery.backlog import Backlog
from connector.delivery.bulkheads import BlockedRules, Bulkheads
from connector.delivery.dead_letters import DeadLetterQueue
from connector.delivery.dispatcher import Bounds, Dispatcher
from connector.delivery.matched_users import MatchedUsers
from connector.delivery.probes import Probes
from connector.delivery.rejections import Rejections
from connector.delivery.row_letters import RowLetters
from connector.delivery.settlement import Clocks, RetryRules, Settlement
from connector.errors import KafkaUnavailable
from connector.telemetry.catalogue import Catalogue
from connector.telemetry.events import DeliveryEvents
from tests import virtual_time
from tests.fakes.tiktok import FakeDestination

PARTITION = Partition("topic", 0)
TARGETS = (Target.EMAIL_SHA256, Target.PHONE_SHA256)
TIMEOUT = 15.0


@dataclass
class RecordingLetters:
    """Dead letters in memory: `refusing` makes the topic unwritable, `holding` never acknowledges."""

    written: list[Letter] = field(default_factory=list)
    refusing: bool = False
    holding: bool = False

    async def send(self, letters: Sequence[Letter]) -> None:
        if self.refusing:
            raise KafkaUnavailable("the dead-letter topic cannot be written")
        if self.holding:
            await asyncio.Event().wait()
        await asyncio.sleep(0.001)
        self.written += letters


class Rig:
    """Two destinations, `emea` with audiences 1..n and `apac` with audience 100."""

    def __init__(
        self,
        *,
        audiences: int = 3,
        qps: float = 10.0,
        max_rows: int = 1000,
        linger: float = 1.0,
        in_flight: int = 16,
        in_flight_per_audience: int = 4,
        chance: Callable[[], float] = lambda: 0.5,
        most_blocked: int = 100_000,
        sets_aside: bool = False,
    ) -> None:
        loop = asyncio.get_running_loop()
        self.start = loop.time()
        self.emea, self.apac = FakeDestination(), FakeDestination()
        self.letters = RecordingLetters()
        clocks = Clocks(loop.time, lambda: 1_800_000_000.0 + loop.time() - self.start, chance)
        self.telemetry = DeliveryEvents(Catalogue(), clocks.now, clocks.wall)
        self.accounts = {
            "emea": Account("emea", self.emea),
            "apac": Account("apac", self.apac),
        }
        keys = [AudienceKey("emea", str(n)) for n in range(1, audiences + 1)]
        keys.append(AudienceKey("apac", "100"))
        self.rate = RateLimit(qps, clocks.to_epoch)
        self.lease = Lease(6.0)
        self.backlog = Backlog(
            self.accounts,
            [Route(f"segment-{key.audience_id}", key, sets_aside=sets_aside) for key in keys],
            len(TARGETS),
            Limits(max_rows, 1_000_000, linger),
            lambda _: 120,
            self.telemetry,
        )
        self.dead_letters = DeadLetterQueue(self.letters, self.telemetry, clocks.chance)
        row_letters = RowLetters(self.backlog, self.dead_letters, TARGETS, clocks.wall)
        self.bulkheads = Bulkheads(
            self.backlog, row_letters, BlockedRules(most_blocked, 60.0), self.telemetry, clocks.now
        )
        self.settlement = Settlement(
            self.backlog,
            self.rate,
            Rejections(row_letters),
            TARGETS,
            RetryRules(0.5, 60.0, TIMEOUT),
            clocks,
            self.telemetry,
        )
        self.dispatcher = Dispatcher(
            self.backlog,
            self.settlement,
            self.rate,
            Bounds(in_flight, in_flight_per_audience, TIMEOUT),
            self.lease,
            self.telemetry,
            clocks.now,
        )
        self.probes = Probes(
            self.settlement, self.dispatcher, self.rate, self.telemetry, clocks.now
        )
        self.matched_users = MatchedUsers({}, (), self.rate, self.telemetry, clocks.now, chance)
        self.checkpoint = Checkpoint()
        self.checkpoint.assign([PARTITION])
        self.offset = 0

    @property
    def now(self) -> float:
        return asyncio.get_running_loop().time() - self.start

    def audience(self, number: int) -> Audience:
        name = "apac" if number == 100 else "emea"
        return self.backlog[AudienceKey(name, str(number))]

    def put(
        self,
        number: int,
        rows: Iterable[bytes | tuple[bytes | None, bytes | None]],
        action: Action = Action.ADD,
    ) -> None:
        """One record per row, all in one poll: an e-mail digest, or a pair of e-mail and phone digests."""
        changes = [(row, None) if isinstance(row, bytes) else row for row in rows]
        self.offset += len(changes)
        now = asyncio.get_running_loop().time()
        span = self.checkpoint.track(PARTITION, self.offset, now, 0)
        audience = self.audience(number)
        for index, digests in enumerate(changes):
            offset = self.offset - len(changes) + index
            row = row_of(list(digests), action, span, offset, 0, b"key")
            self.backlog.accept(audience, row)
        span.resolve()
        self.dispatcher.touch([audience])

    def committable(self) -> int | None:
        return self.checkpoint.committable().get(PARTITION)

    def members(self, number: int, slot: int = 0) -> set[bytes]:
        destination = self.apac if number == 100 else self.emea
        return destination.members.get(str(number), {}).get(slot, set())

    def ended(self, how: str) -> float:
        return self.telemetry.metrics.changes.values.get(("topic", how), 0)

    async def until(self, condition: Callable[[], bool], seconds: float = 600.0) -> None:
        """Let virtual time pass until the condition holds."""
        async with asyncio.timeout(seconds):
            while not condition():  # noqa: ASYNC110  time is virtual
                await asyncio.sleep(0.01)

    async def idle(self, seconds: float = 600.0) -> None:
        await self.until(lambda: self.backlog.pending == 0, seconds)

    @asynccontextmanager
    async def running(self, *, probes: bool = False) -> AsyncIterator[None]:
        tasks = [
            asyncio.create_task(self.dispatcher.run()),
            asyncio.create_task(self.dead_letters.run()),
        ]
        if probes:
            tasks += [asyncio.create_task(self.probes.watch(one)) for one in self.accounts.values()]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
        for end in ended:
            assert isinstance(end, asyncio.CancelledError), f"a task of delivery ended: {end!r}"


def run(test: Coroutine[Any, Any, None]) -> None:
    virtual_time.run(test)


def digests(start: int, count: int) -> list[bytes]:
    return [number.to_bytes(32) for number in range(start, start + count)]
