"""The emulator as one object with a life: start, look inside, stop.

Owns the listening socket, closing it for a while included, and composes the rest from top to bottom.
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Any, Final

from aiohttp import web

from connector.sandbox.emulator.accounts import Accounts
from connector.sandbox.emulator.admin_edge import AdminEdge
from connector.sandbox.emulator.faults import Fault
from connector.sandbox.emulator.http_edge import ApiEdge
from connector.sandbox.emulator.rates import Limits
from connector.sandbox.emulator.service import Service
from connector.sandbox.emulator.snapshots import stats_snapshot
from connector.sandbox.emulator.tiktok_facts import MAX_BODY_BYTES

# Calls that a fault holds are not waited for when the emulator stops.
_STOP_SECONDS: Final = 0.5
_REOPEN_SECONDS: Final = 0.1


class Emulator:
    """A TikTok of one app, in this process.

    Args:
        accounts: tokens, advertisers and audiences at the start.
        limits: the app's rate limits.
        seed: of the generator that chooses by a fault's probability.
        clock: gives seconds since the epoch; tests pass their own.
    """

    def __init__(
        self,
        accounts: Accounts,
        limits: Limits,
        seed: int = 0,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._clock = clock
        self._service = Service(accounts, limits, seed, clock())
        self._runner: web.AppRunner | None = None
        self._site: web.TCPSite | None = None
        self._address = ("", 0)
        self._reopening: asyncio.Task[None] | None = None

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> int:
        """Listen, and return the port: a free one if 0 was asked for."""
        edge = ApiEdge(self._service, self._clock)
        app = web.Application(
            client_max_size=MAX_BODY_BYTES,
            middlewares=[edge.plain_errors],
        )
        edge.add_to(app.router)
        AdminEdge(self._service, self._clock, self._refuse_others).add_to(app.router)
        self._runner = web.AppRunner(
            app,
            access_log=None,  # it would hold query strings
            handler_cancellation=True,  # who hangs up is no longer under way
            shutdown_timeout=_STOP_SECONDS,
        )
        await self._runner.setup()
        self._address = (host, port)
        try:
            site = await self._listen()
        except OSError:
            await self.stop()
            raise
        self._address = (host, site.port)
        return site.port

    async def stop(self) -> None:
        """Close the door, finish calls under way within a second, and end."""
        if self._reopening is not None:
            self._reopening.cancel()
            await asyncio.gather(self._reopening, return_exceptions=True)
            self._reopening = None
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        self._site = None

    def members(self, audience_id: str) -> dict[str, set[str]]:
        """Return an audience's digests in lower-case hex by type; a type without members is absent."""
        members = self._service.memberships.members(audience_id)
        return {kind: set(digests) for kind, digests in members.items()}

    def stats(self) -> dict[str, Any]:
        """Return what GET /_emulator/stats shows."""
        return stats_snapshot(self._service)

    def add_faults(self, faults: Iterable[Fault]) -> None:
        """Declare faults; their times count from now."""
        self._service.faults.add(faults, self._clock())

    def clear_faults(self) -> None:
        """Take back all faults."""
        self._service.faults.clear()

    async def refuse(self, seconds: float) -> None:
        """Close the listening socket and all connections; listen again on the same port afterwards."""
        await self._refuse_others(seconds, None)

    async def _refuse_others(self, seconds: float, asking: web.Request | None) -> None:
        if self._reopening is not None:
            self._reopening.cancel()
        if self._site is not None:
            await self._site.stop()
            self._site = None
        self._drop_connections(asking)
        self._reopening = asyncio.create_task(self._reopen(seconds))

    def _drop_connections(self, asking: web.Request | None) -> None:
        """Close all connections but the asking one, as the end of a process would."""
        if self._runner is not None and self._runner.server is not None:
            for connection in self._runner.server.connections:
                if asking is None or connection is not asking.protocol:
                    connection.force_close()

    async def _reopen(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        while True:
            try:
                await self._listen()
            except OSError:  # somebody took the port meanwhile
                await asyncio.sleep(_REOPEN_SECONDS)
            else:
                return

    async def _listen(self) -> web.TCPSite:
        assert self._runner is not None  # noqa: S101  -- start() has set it, stop() cancels us
        site = web.TCPSite(self._runner, *self._address)
        try:
            await site.start()
        except OSError:
            await site.stop()
            raise
        self._site = site
        return site
