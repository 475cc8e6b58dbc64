"""The emulated API over HTTP: requests become calls of the service, its replies are written back.

Owns what TikTok's gateway does before its own code sees a call: wrong paths (a missing slash at the end
included) and wrong methods get plain text, not the envelope. Logs endpoint and outcome of each call at
debug level, never a token or an identifier.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial

from aiohttp import web

from connector.sandbox.emulator.answers import Reply
from connector.sandbox.emulator.reply_writer import write_reply
from connector.sandbox.emulator.service import Received, Service
from connector.sandbox.emulator.tiktok_facts import BASE_PATH, ENDPOINTS

_log = logging.getLogger(__name__)

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class ApiEdge:
    """Serves TikTok's endpoints of one service."""

    def __init__(self, service: Service, clock: Callable[[], float]) -> None:
        self._service = service
        self._clock = clock

    def add_to(self, router: web.UrlDispatcher) -> None:
        """Add the routes of the API."""
        for endpoint, method in ENDPOINTS.items():
            router.add_route(method, f"{BASE_PATH}/{endpoint}/", self._route(endpoint))

    def _route(self, endpoint: str) -> _Handler:
        async def call(request: web.Request) -> web.StreamResponse:
            return await self._call(endpoint, request)

        return call

    async def _call(self, endpoint: str, request: web.Request) -> web.StreamResponse:
        under_way = self._service.under_way
        ticket = under_way.arrive(partial(_listens, request))
        with under_way.until_left(ticket) as done:
            reply = self._service.handle(
                Received(
                    endpoint,
                    request.headers.get("Access-Token"),
                    request.query,
                    await self._body(endpoint, request),
                    ticket,
                ),
                self._clock(),
            )
            _log.debug("%s answered %s", endpoint, reply.outcome)
            self._apply_late(reply)
            return await write_reply(request, reply, done)

    async def _body(self, endpoint: str, request: web.Request) -> bytes:
        try:
            return await request.read()
        except web.HTTPRequestEntityTooLarge:
            self._service.stats.answered(endpoint, "http_413")
            raise

    def _apply_late(self, reply: Reply) -> None:
        """Do it by the loop, not in the caller's task: hanging up cancels that."""
        after_hold = reply.after_hold
        if after_hold is not None:
            loop = asyncio.get_running_loop()
            loop.call_later(reply.hold, lambda: after_hold(self._clock()))

    @web.middleware
    async def plain_errors(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        """Answer unknown paths and wrong methods as TikTok's gateway does."""
        try:
            return await handler(request)
        except web.HTTPNotFound:
            self._count_wrong(request, "http_404")
            return web.Response(status=404, text="404 page not found")
        except web.HTTPMethodNotAllowed as error:
            self._count_wrong(request, "http_405")
            return web.Response(
                status=405, text="405 method not allowed", headers={"Allow": error.headers["Allow"]}
            )

    def _count_wrong(self, request: web.Request, outcome: str) -> None:
        if request.path.startswith(BASE_PATH):
            self._service.stats.answered("wrong path or method", outcome)


def _listens(request: web.Request) -> bool:
    return request.transport is not None and not request.transport.is_closing()
