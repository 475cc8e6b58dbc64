"""A running HTTP side over stand-ins, and what it answers."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import orjson
from aiohttp.typedefs import LooseHeaders
from multidict import CIMultiDict
from prometheus_client.parser import text_string_to_metric_families

from connector.admin.access import Access, Caller, Role, Token
from connector.admin.server import Admin, Subject
from connector.admin.sessions import Sessions
from connector.history import History
from connector.operations import Operations
from connector.secret import Secret
from connector.snapshot import Snapshot
from connector.status import Status
from connector.telemetry.access import AccessEvents
from tests.admin.parts import Clock, StandInConfiguration, StandInParts

DRAIN = 20.0
WALL = 1_760_000_000.0
VIEW, OPERATE = "a-token-that-may-view", "a-token-that-may-operate"


class Answer(NamedTuple):
    status: int
    kind: str
    body: bytes
    headers: CIMultiDict[str]

    @property
    def json(self) -> Any:
        assert self.kind == "application/json"
        return orjson.loads(self.body)

    @property
    def text(self) -> str:
        return self.body.decode()


class Site:
    """A running server, with the parts that it tells of.

    Attributes:
        cookies: what a browser would send along.
    """

    def __init__(self, tokens: Mapping[str, Token], *, protect_metrics: bool = False) -> None:
        self.clock = Clock()
        self.parts = StandInParts(self.clock)
        parts, metrics, clock = self.parts.as_parts(), self.parts.metrics, self.clock
        lags = self.parts.source
        self.status = Status(parts, ["members"], lags, DRAIN, clock, lambda: WALL)
        self.status.state = "running"
        self.configuration = StandInConfiguration(clock)
        self.history = History(metrics, lambda: map(lags.lag, parts.checkpoint.partitions()), clock)
        self.operations = Operations(parts.pauses, parts.dispatcher, clock)
        told = AccessEvents(metrics, clock, lambda: WALL)
        self.access = Access(tokens.values(), Sessions(clock), told, failure_seconds=0.0)
        snapshot = Snapshot(
            self.status,
            parts,
            lags,
            self.history,
            self.operations,
            self.configuration,
            clock,
            lambda: WALL,
        )
        subject = Subject(self.status, snapshot, self.operations, metrics)
        self.admin = Admin(subject, self.access, told, protect_metrics=protect_metrics)
        self.cookies: dict[str, str] = {}

    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self.admin.port}"

    async def ask(
        self, method: str, path: str, headers: LooseHeaders | None = None, data: Any = None
    ) -> Answer:
        async with (
            aiohttp.ClientSession(cookies=self.cookies) as session,
            session.request(
                method, self.root + path, headers=headers, data=data, allow_redirects=False
            ) as response,
        ):
            kind = response.headers.get("Content-Type", "").removesuffix("; charset=utf-8")
            body = await response.read()
            return Answer(response.status, kind, body, CIMultiDict(response.headers))

    async def get(self, path: str, **headers: str) -> Answer:
        return await self.ask("GET", path, headers)

    async def sign_in(self, token: str, **headers: str) -> Answer:
        """As the form does; a cookie that is set is kept."""
        origin = headers or {"Origin": self.root}
        answer = await self.ask("POST", "/sign-in", origin, {"token": token})
        if "Set-Cookie" in answer.headers:
            name, _, value = answer.headers["Set-Cookie"].partition(";")[0].partition("=")
            self.cookies[name] = value
        return answer

    def refused(self, reason: str) -> float:
        """How many requests were refused for this reason."""
        return self.parts.metrics.admin_requests_refused.values.get((reason,), 0)

    async def metrics(self) -> dict[str, dict[tuple[str, ...], float]]:
        """Each sample's value by name and label values, these in the order of their labels' names."""
        samples: dict[str, dict[tuple[str, ...], float]] = {}
        for family in text_string_to_metric_families((await self.get("/metrics")).text):
            for sample in family.samples:
                name = sample.name.removeprefix("tiktok_connector_")
                labels = tuple(value for _, value in sorted(sample.labels.items()))
                samples.setdefault(name, {})[labels] = sample.value
        return samples


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def two_tokens() -> dict[str, Token]:
    """One that may view, and one that may operate."""
    return {
        "marketing": Token(Caller("marketing", Role.VIEW), Secret.constant(VIEW)),
        "on-call": Token(Caller("on-call", Role.OPERATE), Secret.constant(OPERATE)),
    }


def tokens_of_files(folder: Path) -> dict[str, Token]:
    """The same two, in files named after them."""
    tokens = two_tokens()
    for name, token in tokens.items():
        (folder / name).write_text(token.secret.value())
        token.secret = Secret.from_file(folder / name)
    return tokens


Scenario = Callable[[Site], Awaitable[None]]


def on_a_site(
    scenario: Scenario,
    tokens: Mapping[str, Token] | None = None,
    *,
    protect_metrics: bool = False,
) -> None:
    """Run the scenario on a site of its own; without tokens, on an open one."""

    async def run() -> None:
        site = Site(tokens or {}, protect_metrics=protect_metrics)
        await site.admin.start("127.0.0.1", 0)
        try:
            await scenario(site)
        finally:
            await site.admin.stop()

    asyncio.run(run())
