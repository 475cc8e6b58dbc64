"""The HTTP server: every path, the role that it needs, and its answer.

Owns the table of paths. A path that is not in it does not exist, and none is in it without saying who may ask.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from aiohttp import web
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import choose_encoder

from connector.admin.access import Access, Caller, Role
from connector.admin.answers import as_json, harden
from connector.admin.files import ASSET, Files
from connector.admin.guard import Guard, Handler, KnowingHandler
from connector.admin.sign_in import SignIn
from connector.errors import ConnectorError
from connector.operations import Operation, Operations
from connector.snapshot import Snapshot, View
from connector.status import Status
from connector.telemetry.access import AccessEvents
from connector.telemetry.catalogue import Catalogue
from connector.telemetry.families import FamilyCollector

_MOST_BODY_BYTES = 16_384
"""A token and some words around it; no other request has a body."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is told of, and what may be done."""

    status: Status
    snapshot: Snapshot
    operations: Operations
    metrics: Catalogue


class Admin:
    """An HTTP server over a subject: `start`, `stop`.

    Args:
        protect_metrics: whether /metrics needs a token too.

    Attributes:
        port: the one it listens on, once started.
    """

    def __init__(
        self,
        subject: Subject,
        access: Access,
        telemetry: AccessEvents,
        *,
        protect_metrics: bool = False,
    ) -> None:
        self.port = 0
        self._subject = subject
        self._access = access
        self._telemetry = telemetry
        self._metrics_need = Role.VIEW if protect_metrics else None
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(FamilyCollector(subject.metrics))
        ProcessCollector(registry=self._registry)
        self._guard = Guard(access, telemetry)
        self._files = Files()
        self._sign_in = SignIn(access, self._guard, self._files, telemetry)
        app = web.Application(client_max_size=_MOST_BODY_BYTES)
        app.on_response_prepare.append(harden)
        for path, handler in self._readable():
            app.router.add_get(path, handler)
        for path, handler in self._doable():
            app.router.add_post(path, handler)
        self._runner = web.AppRunner(
            app, access_log=None, handle_signals=False, shutdown_timeout=1.0
        )

    def _readable(self) -> Iterator[tuple[str, Handler]]:
        allow = self._guard.allow
        yield "/healthz", allow(None, self._healthz)
        yield "/readyz", allow(None, self._readyz)
        yield "/metrics", allow(self._metrics_need, self._metrics)
        yield "/status", allow(Role.VIEW, self._status)
        yield "/", allow(Role.VIEW, self._page, self._sign_in.form)
        yield ASSET, allow(None, self._asset)

    def _doable(self) -> Iterator[tuple[str, Handler]]:
        for operation in Operation:
            operate = self._operate(operation)
            yield f"/{operation}", self._guard.allow(Role.OPERATE, operate)
        yield "/sign-in", self._sign_in.enter
        yield "/sign-out", self._sign_in.leave

    async def start(self, host: str, port: int) -> None:
        """Listen. Raises ConnectorError when the address cannot be had."""
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        try:
            await site.start()
        except OSError as error:
            raise ConnectorError(
                f"admin cannot listen on {host}:{port}: {error.strerror}; see admin.host and admin.port"
            ) from error
        self.port = int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Close the server and its connections."""
        await self._runner.cleanup()

    async def _healthz(self, _: web.Request, __: Caller | None) -> web.Response:
        reason = self._subject.status.unhealthy()
        return as_json(
            {"healthy": reason is None, "reason": reason}, 200 if reason is None else 503
        )

    async def _readyz(self, _: web.Request, __: Caller | None) -> web.Response:
        reasons = self._subject.status.not_ready()
        return as_json({"ready": not reasons, "reasons": reasons}, 503 if reasons else 200)

    async def _status(self, request: web.Request, caller: Caller | None) -> web.Response:
        view = _view_of(request)
        return as_json({**self._subject.snapshot.take(view), "access": self._rights(caller)})

    async def _metrics(self, request: web.Request, _: Caller | None) -> web.Response:
        self._subject.status.publish(self._subject.metrics)
        encode: Callable[[CollectorRegistry], bytes]
        try:
            encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        except (TypeError, ValueError):  # it asks for a version that is no number
            encode, content_type = choose_encoder("")
        return web.Response(body=encode(self._registry), headers={"Content-Type": content_type})

    async def _page(self, _: web.Request, __: Caller | None) -> web.Response:
        return self._files.answer("index.html")

    async def _asset(self, request: web.Request, _: Caller | None) -> web.Response:
        return self._files.answer(request.match_info["name"])

    def _operate(self, operation: Operation) -> KnowingHandler:
        async def operate(_: web.Request, caller: Caller | None) -> web.Response:
            who = caller.name if caller else ""
            outcome = self._subject.operations.perform(operation, who)
            self._telemetry.operated(who, operation, outcome)
            return as_json({"operation": operation, "outcome": outcome})

        return operate

    def _rights(self, caller: Caller | None) -> dict[str, str | bool | None]:
        """What whoever asks may do, for the page."""
        return {
            "name": caller.name if caller else None,
            "role": caller.role if caller else None,
            "may_operate": caller is not None and caller.role is Role.OPERATE,
            "has_tokens": self._access.has_tokens,
        }


def _view_of(request: web.Request) -> View:
    """How much of the status is asked for. Answers 400 to what cannot be meant."""
    lanes = request.query.get("lanes")
    if lanes is not None and not (lanes.isascii() and lanes.isdigit() and len(lanes) <= 5):
        raise web.HTTPBadRequest(text="lanes is a number: how many lanes to show\n")
    wanted = request.query.get("configuration", "yes")
    return View(
        None if lanes is None else int(lanes), request.query.get("find", ""), wanted != "no"
    )
