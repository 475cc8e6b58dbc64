"""Replicas with a suppression topic, on virtual time."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from connector.core.consent import Consent
from connector.core.identity import IdentityMap, IdentityMapping
from connector.core.lease import Lease
from connector.core.model import Action, Chunk, Partition
from connector.core.permission import Permission
from connector.core.suppression import SuppressionList
from connector.governance.erasure import Erasure, ErasureRules
from connector.governance.keeper import FRESH_SECONDS, Keeper
from connector.governance.people import People
from connector.record_letters import RecordLetters
from connector.telemetry.events import IntakeEvents
from tests.delivery.rig import TARGETS, TIMEOUT
from tests.fakes.kafka import FakeKafka, FakeRecord
from tests.fakes.tiktok import FakeDestination
from tests.test_intake import TOPIC, Flow, digest_of, event

SUPPRESSION = "suppression"
S0 = Partition(SUPPRESSION, 0)
AGAIN = TIMEOUT + 5.0
IDENTITIES = (IdentityMapping("email", TARGETS[0]), IdentityMapping("phone", TARGETS[1]))


def entry(user: int, status: str = "suppressed", **identities: Any) -> bytes:
    """An entry about a user of `tests.test_intake.event`, by the e-mail unless others are named."""
    named = identities or {"email": f"user{user}@example.com"}
    return json.dumps({"profile_id": f"p-{user}", "status": status, "identities": named}).encode()


def bare_entry(user: int, status: str = "suppressed") -> bytes:
    return json.dumps({"profile_id": f"p-{user}", "status": status}).encode()


class FakeFeed:
    """The suppression topic from outside: everything there is, then what comes.

    Attributes:
        late: how long an entry takes to come.
        confirmed: told when everything is known to have been read; None: nobody says so.
    """

    def __init__(self, kafka: FakeKafka, confirmed: Callable[[float], None]) -> None:
        self.late = 0.2
        self.problem: str | None = None
        self.is_silent = False
        self._kafka = kafka
        self._confirmed = confirmed
        self._position = 0

    async def load(self) -> AsyncIterator[tuple[Partition, Chunk]]:
        if chunk := self._next():
            yield S0, chunk
        self._confirmed(asyncio.get_running_loop().time())

    async def follow(self) -> AsyncIterator[tuple[Partition, Chunk]]:
        while True:
            await asyncio.sleep(self.late)
            if self.is_silent:
                continue
            if chunk := self._next():
                yield S0, chunk
            self._confirmed(asyncio.get_running_loop().time())

    def _next(self) -> Chunk | None:
        log = self._kafka.logs[S0]
        some = [one for one in log[self._position :] if isinstance(one, FakeRecord)]
        if len(log) == self._position:
            return None
        self._position = len(log)
        return Chunk(some, self._position)


class Replica(Flow):
    """One process with a suppression topic of one partition.

    Args:
        beside: another one with the same Kafka and the same audiences.
        purposes: what must have been consented to.
    """

    def __init__(
        self,
        beside: "Replica | None" = None,
        purposes: Sequence[str] = (),
        **options: Any,
    ) -> None:
        self.suppressed = SuppressionList(b"salt")
        consent = Consent(purposes) if purposes else None
        super().__init__(permission=Permission(consent, self.suppressed), **options)
        if beside is None:
            self.kafka.create_topic(SUPPRESSION)
        else:
            self._join(beside)
        self.source._topics = [TOPIC, SUPPRESSION]
        loop = asyncio.get_running_loop()
        told = IntakeEvents(self.telemetry.metrics, loop.time, lambda: 1_800_000_000.0)
        self.fresh = self.dispatcher._fresh = Lease(FRESH_SECONDS)
        self.feed = FakeFeed(self.kafka, self.fresh.renew)
        self.pipeline: Any = self.intake._takers[TOPIC]
        self.keeper = Keeper(
            self.feed,
            self.suppressed,
            IdentityMap(IDENTITIES),
            told,
            loop.time,
        )
        self.erasure = Erasure(
            IdentityMap(IDENTITIES),
            self.keeper,
            self.backlog,
            self.checkpoint,
            RecordLetters(self.dead_letters, told, lambda: 1_800_000_000.0),
            ErasureRules(SUPPRESSION, 1000, TIMEOUT),
            told,
        )
        self.people = People(self.keeper, self.erasure)
        self.intake._takers = {TOPIC: self.pipeline, SUPPRESSION: self.erasure}
        self.pauses._ahead = self.erasure
        for audience in self.backlog:
            audience.lane._veto = self.keeper.veto

    def _join(self, other: "Replica") -> None:
        self.kafka = self.source._kafka = other.kafka
        self.committed = self.source._committed = other.committed
        self.letters.written = other.letters.written
        self.accounts["emea"].destination = self.emea = FakeDestination(members=other.emea.members)
        self.accounts["apac"].destination = self.apac = FakeDestination(members=other.apac.members)

    @asynccontextmanager
    async def flowing(self) -> AsyncIterator[None]:
        await self.keeper.load()
        loop = asyncio.get_running_loop()
        async with super().flowing():
            tasks = [
                asyncio.create_task(
                    self.keeper.run(
                        self.backlog, self.dispatcher.touch, self.pipeline.forget_repeats
                    )
                ),
                asyncio.create_task(self.erasure.run(loop.time, self.dispatcher.touch)),
            ]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
                ended = await asyncio.gather(*tasks, return_exceptions=True)
            failed = [one for one in ended if not isinstance(one, asyncio.CancelledError)]
            assert not failed, failed

    def people_now(self) -> dict[str, Any]:
        assert self.people is not None
        return self.people.snapshot()

    def suppress(self, *entries: bytes | None) -> None:
        self.kafka.push(S0, entries)

    def enter(self, *users: int, partition: int = 0, segment: str = "segment-1") -> None:
        self.kafka.push(Partition(TOPIC, partition), [event(user, segment) for user in users])

    def deletes(self, user: int) -> list[tuple[float, str]]:
        """When its identifier was deleted, and from which audience."""
        wanted = digest_of(user)
        return sorted(
            (call.at - self.start, call.audience_id)
            for call in (*self.emea.calls, *self.apac.calls)
            if call.action is Action.DELETE and any(wanted in row for row in call.rows)
        )

    def is_member(self, user: int, number: int = 1) -> bool:
        return digest_of(user) in self.members(number)
