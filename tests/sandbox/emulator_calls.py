"""What the emulator's tests share: bodies of calls, and a real client on a real socket."""

import asyncio
import hashlib
import io
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, NamedTuple, Self

import aiohttp
import orjson

from connector.sandbox.emulator import (
    DEFAULT_ADVERTISER,
    DEFAULT_TOKEN,
    Accounts,
    Audience,
    Emulator,
    Limits,
    default_accounts,
    read_faults,
)

ADVERTISER = DEFAULT_ADVERTISER
FIRST = "7100000000000000001"
SECOND = "7100000000000000002"
OTHER_ADVERTISER = "7000000000000000002"
FOREIGN = "7100000000000000099"
STRANGER = "token-of-the-other-advertiser"


def two_advertisers() -> Accounts:
    """The default account and another one: a token that may both, and one that may the other alone."""
    accounts = default_accounts()
    tokens = {DEFAULT_TOKEN: [ADVERTISER, OTHER_ADVERTISER], STRANGER: [OTHER_ADVERTISER]}
    return Accounts(tokens, [*accounts.audiences, Audience(OTHER_ADVERTISER, FOREIGN, "Foreign")])


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def entry(text: str, *audience_ids: str) -> dict[str, Any]:
    return {"id": sha(text), "audience_ids": list(audience_ids or (FIRST,))}


def mapping(
    *rows: list[dict[str, Any]],
    schema: Iterable[str] = ("EMAIL_SHA256",),
    action: str = "add",
    advertisers: Iterable[str] = (ADVERTISER,),
) -> dict[str, Any]:
    return {
        "advertiser_ids": list(advertisers),
        "action": action,
        "id_schema": list(schema),
        "batch_data": list(rows),
    }


def emails(*names: str, action: str = "add", audience: str = FIRST) -> dict[str, Any]:
    return mapping(*([entry(name, audience)] for name in names), action=action)


class Seen(NamedTuple):
    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        return orjson.loads(self.text)

    @property
    def code(self) -> int:
        code = self.json["code"]
        assert isinstance(code, int)
        return code


class Client:
    """Calls an emulator over HTTP, as any program would."""

    def __init__(self, emulator: Emulator, port: int, timeout: float) -> None:
        self.emulator = emulator
        self.root = f"http://127.0.0.1:{port}"
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=timeout))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._session.close()

    async def call(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        body: bytes | None = None,
        query: dict[str, str] | None = None,
        token: str | None = DEFAULT_TOKEN,
    ) -> Seen:
        headers = {} if token is None else {"Access-Token": token}
        content = body if json is None else orjson.dumps(json)
        # A large body as bytes draws a warning from aiohttp.
        data = None if content is None else io.BytesIO(content)
        async with self._session.request(
            method, self.root + path, data=data, params=query, headers=headers
        ) as response:
            text = await response.text()
            return Seen(response.status, dict(response.headers), text)

    async def map(self, body: dict[str, Any], token: str | None = DEFAULT_TOKEN) -> Seen:
        return await self.call("POST", "/open_api/v1.3/segment/mapping/", json=body, token=token)

    async def get(self, endpoint: str, token: str | None = DEFAULT_TOKEN, **query: str) -> Seen:
        path = f"/open_api/v1.3/{endpoint}/"
        return await self.call("GET", path, query=query, token=token)

    async def admin(self, method: str, path: str, json: Any = None) -> Seen:
        return await self.call(method, f"/_emulator/{path}", json=json, token=None)

    def fault(self, **fault: Any) -> None:
        self.emulator.add_faults(read_faults(fault))


@asynccontextmanager
async def running(
    limits: Limits | None = None,
    accounts: Accounts | None = None,
    timeout: float = 5.0,
    clock: Callable[[], float] = time.time,
) -> AsyncIterator[Client]:
    """Run an emulator, unlimited unless said otherwise, and a client of it."""
    emulator = Emulator(accounts or default_accounts(), limits or Limits(qps=0), clock=clock)
    port = await emulator.start()
    try:
        async with Client(emulator, port, timeout) as client:
            yield client
    finally:
        await emulator.stop()


def with_client(
    scenario: Callable[[Client], Awaitable[None]],
    limits: Limits | None = None,
    accounts: Accounts | None = None,
    timeout: float = 5.0,
    clock: Callable[[], float] = time.time,
) -> None:
    """Run a scenario against a fresh emulator."""

    async def run() -> None:
        async with running(limits, accounts, timeout, clock) as client:
            await scenario(client)

    asyncio.run(run())
