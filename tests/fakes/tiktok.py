"""A Destination in memory: it keeps audiences, answers as told, and can be slow or hang."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from connector.core.batch import Batch
from connector.core.identity import Digests
from connector.core.model import Action
from connector.core.outcome import Delivered, Halted, Outcome, Rejected, Response, Retryable, Scope

OK = Delivered(Response("0", 200, 0, "OK", "r1"))
TIMED_OUT = Retryable("timeout", Response("timeout"), in_doubt=True)
REFUSED = Retryable("connection", Response("connection"))
SERVER_ERROR = Retryable("tiktok_error", Response("50000", 200, 50000))
RATE_LIMITED = Retryable("rate_limited", Response("40100", 200, 40100), Scope.APP)
BAD_ROW = Rejected("bad_parameters", Response("40002", 200, 40002, "bad row", "r2"))
TOO_MANY = Retryable("too_many_ids", Response("40011", 200, 40011))
BAD_TOKEN = Halted("token_refused", Response("40105", 200, 40105))
DENIED = Halted("no_permission", Response("40001", 200, 40001))
NO_AUDIENCE = Halted("audience_missing", Response("40007", 200, 40007), Scope.AUDIENCE)


@dataclass
class Call:
    at: float
    audience_id: str
    action: Action
    rows: list[Digests]


@dataclass
class FakeDestination:
    """Applies what it accepts, when it answers.

    Attributes:
        answer: decides the outcome of a call before it is applied; OK by default.
        seconds: how long a call takes.
        token: what `probe` answers.
    """

    answer: Callable[[str, Batch], Outcome] = lambda _, __: OK
    seconds: float = 0.05
    token: Outcome = OK
    changed: bool = False
    calls: list[Call] = field(default_factory=list)
    probes: list[float] = field(default_factory=list)
    members: dict[str, dict[int, set[bytes]]] = field(default_factory=dict)
    under_way: dict[str, list[Batch]] = field(default_factory=dict)
    most_under_way: int = 0

    async def send(self, audience_id: str, batch: Batch) -> Outcome:
        loop = asyncio.get_running_loop()
        rows = [list(row.digests) for row in batch.rows]
        self.calls.append(Call(loop.time(), audience_id, batch.action, rows))
        others = self.under_way.setdefault(audience_id, [])
        for other in others:
            for slot, digests in batch.columns.items():
                assert not set(digests) & set(other.columns.get(slot, ())), (
                    "one identifier, two calls"
                )
        others.append(batch)
        self.most_under_way = max(self.most_under_way, sum(map(len, self.under_way.values())))
        try:
            outcome = self.answer(audience_id, batch)
            await asyncio.sleep(self.seconds)
        finally:
            others.remove(batch)
        if isinstance(outcome, Delivered):
            self.apply(audience_id, batch)
        return outcome

    def apply(self, audience_id: str, batch: Batch) -> None:
        audience = self.members.setdefault(audience_id, {})
        for slot, digests in batch.columns.items():
            held = audience.setdefault(slot, set())
            if batch.action is Action.ADD:
                held.update(digests)
            else:
                held.difference_update(digests)

    async def probe(self) -> Outcome:
        self.probes.append(asyncio.get_running_loop().time())
        await asyncio.sleep(self.seconds)
        return self.token

    def renewed(self) -> bool:
        changed, self.changed = self.changed, False
        return changed
