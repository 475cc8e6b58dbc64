"""The emulator's own endpoints under /_emulator: look at what it holds, change what it does.

Owns the JSON shapes of these (docs/emulator.md). They need no token: the emulator is for tests, on a
network of one's own.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Any, Literal

import msgspec
import orjson
from aiohttp import web

from connector.sandbox.emulator.accounts import Accounts
from connector.sandbox.emulator.declared import Malformed, read_as, read_json
from connector.sandbox.emulator.faults import Seconds, read_faults
from connector.sandbox.emulator.rates import Limits
from connector.sandbox.emulator.service import Service
from connector.sandbox.emulator.snapshots import (
    accounts_snapshot,
    audiences_snapshot,
    stats_snapshot,
)
from connector.sandbox.emulator.tiktok_facts import DIGEST_BYTES

PREFIX = "/_emulator"

_log = logging.getLogger(__name__)


class _Token(msgspec.Struct, forbid_unknown_fields=True):
    token: str
    action: Literal["revoke", "restore"]


class _Audience(msgspec.Struct, forbid_unknown_fields=True):
    audience_id: str
    action: Literal["delete", "restore"]
    members: Literal["keep", "empty"] = "keep"


class _Watch(msgspec.Struct, forbid_unknown_fields=True):
    type: str | None


class _Reset(msgspec.Struct, forbid_unknown_fields=True):
    seed: int | None = None


class _Refuse(msgspec.Struct, forbid_unknown_fields=True):
    seconds: Seconds


class AdminEdge:
    """Serves the emulator's own endpoints.

    Args:
        service: what is looked at and changed.
        clock: gives the time in seconds since the epoch.
        refuse: closes the door for so many seconds, for all but the given request's connection.
    """

    def __init__(
        self,
        service: Service,
        clock: Callable[[], float],
        refuse: Callable[[float, web.Request], Awaitable[None]],
    ) -> None:
        self._service = service
        self._clock = clock
        self._refuse = refuse

    def add_to(self, router: web.UrlDispatcher) -> None:
        """Add the routes."""
        for method, path, handler in (
            ("GET", "/stats", self._stats),
            ("GET", "/audiences", self._audiences),
            ("POST", "/audiences", self._change_audience),
            ("GET", "/accounts", self._accounts),
            ("POST", "/accounts", self._declare),
            ("POST", "/tokens", self._change_token),
            ("GET", "/limits", self._limits),
            ("POST", "/limits", self._change_limits),
            ("GET", "/faults", self._faults),
            ("POST", "/faults", self._add_faults),
            ("DELETE", "/faults", self._clear_faults),
            ("GET", "/watch", self._watched),
            ("POST", "/watch", self._watch),
            ("POST", "/refuse", self._refuse_connections),
            ("POST", "/reset", self._reset),
        ):
            router.add_route(method, PREFIX + path, _explaining(handler))

    async def _stats(self, _: web.Request) -> web.Response:
        return _json(stats_snapshot(self._service))

    async def _audiences(self, request: web.Request) -> web.Response:
        wanted = request.query.get("audience_id")
        with_members = request.query.get("members", "0") == "1"
        found = audiences_snapshot(self._service, wanted, with_members=with_members)
        if wanted is not None and not found:
            return _json({"error": "audience_id: there is no such audience"}, status=404)
        return _json({"audiences": found})

    async def _change_audience(self, request: web.Request) -> web.Response:
        change = read_as(_Audience, await _body(request), "audience")
        deleted = change.action == "delete"
        if not self._service.directory.set_deleted(change.audience_id, deleted=deleted):
            return _json({"error": "audience.audience_id: there is no such audience"}, status=404)
        if change.members == "empty":
            self._service.memberships.empty(change.audience_id)
        _log.info("an audience: %s, members: %s", change.action, change.members)
        found = audiences_snapshot(self._service, change.audience_id, with_members=False)
        return _json({"audiences": found})

    async def _accounts(self, _: web.Request) -> web.Response:
        return _json(accounts_snapshot(self._service))

    async def _declare(self, request: web.Request) -> web.Response:
        accounts = read_as(Accounts, await _body(request), "accounts")
        self._service.directory.declare(accounts, self._clock())
        _log.info("%d tokens, %d audiences declared", len(accounts.tokens), len(accounts.audiences))
        return _json(accounts_snapshot(self._service))

    async def _change_token(self, request: web.Request) -> web.Response:
        change = read_as(_Token, await _body(request), "token")
        revoked = change.action == "revoke"
        if not self._service.directory.set_revoked(change.token, revoked=revoked):
            return _json({"error": "token.token: there is no such token"}, status=404)
        _log.info("a token: %s", change.action)
        return _json(accounts_snapshot(self._service))

    async def _limits(self, _: web.Request) -> web.Response:
        return _json(msgspec.to_builtins(self._service.rates.limits))

    async def _change_limits(self, request: web.Request) -> web.Response:
        change = await _body(request)
        now = msgspec.to_builtins(self._service.rates.limits)
        merged = {**now, **change} if isinstance(change, dict) else change
        self._service.rates.limits = read_as(Limits, merged, "limits")
        _log.info("limits changed")
        return await self._limits(request)

    async def _faults(self, _: web.Request) -> web.Response:
        return _json({"faults": self._service.faults.listing(self._clock())})

    async def _add_faults(self, request: web.Request) -> web.Response:
        faults = read_faults(await _body(request))
        self._service.faults.add(faults, self._clock())
        _log.info("faults added: %s", ", ".join(fault.kind for fault in faults))
        return await self._faults(request)

    async def _clear_faults(self, request: web.Request) -> web.Response:
        number = request.query.get("id")
        if number is not None and not (number.isascii() and number.isdigit()):
            raise Malformed("id: must be the number of a fault")
        if not self._service.faults.clear(None if number is None else int(number)) and number:
            return _json({"error": "id: there is no such fault"}, status=404)
        _log.info("faults cleared")
        return await self._faults(request)

    async def _watched(self, _: web.Request) -> web.Response:
        watched = self._service.watched
        return _json({"type": watched.kind, "applied": watched.listing()})

    async def _watch(self, request: web.Request) -> web.Response:
        kind = read_as(_Watch, await _body(request), "watch").type
        if kind is not None and kind not in DIGEST_BYTES:
            raise Malformed(f"watch.type: must be null or one of {', '.join(DIGEST_BYTES)}")
        self._service.watched.watch(kind)
        _log.info("identifiers are watched: %s", kind)
        return await self._watched(request)

    async def _refuse_connections(self, request: web.Request) -> web.Response:
        seconds = read_as(_Refuse, await _body(request), "refuse").seconds
        await self._refuse(seconds, request)
        _log.info("connections are refused for %g seconds", seconds)
        response = _json({"refusing_seconds": seconds})
        response.force_close()
        return response

    async def _reset(self, request: web.Request) -> web.Response:
        seed = read_as(_Reset, await _body(request, empty={}), "reset").seed
        self._service.reset(seed)
        _log.info("members and statistics forgotten")
        return _json({})


async def _body(request: web.Request, empty: Any = None) -> Any:
    text = await request.read()
    return empty if empty is not None and not text else read_json(text, "body")


def _json(value: Any, status: int = 200) -> web.Response:
    body = orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    return web.Response(status=status, body=body, content_type="application/json")


def _explaining(
    handler: Callable[[web.Request], Awaitable[web.Response]],
) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Answer what cannot be used with a 400 that says what and where."""

    async def explained(request: web.Request) -> web.Response:
        try:
            return await handler(request)
        except Malformed as error:
            return _json({"error": str(error)}, status=400)

    return explained
