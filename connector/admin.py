"""The HTTP side: /healthz, /readyz, /metrics, /status. Read-only.

Owns the paths and their answers; what they say comes from connector.status and the metrics' catalogue.
"""

from collections.abc import Callable
from typing import Any

import orjson
from aiohttp import web
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import choose_encoder

from connector.errors import ConnectorError
from connector.status import Status
from connector.telemetry.catalogue import Catalogue
from connector.telemetry.families import FamilyCollector


class Admin:
    """An HTTP server over a status and a catalogue: `start`, `stop`.

    Attributes:
        port: the one it listens on, once started.
    """

    def __init__(self, status: Status, metrics: Catalogue) -> None:
        self.port = 0
        self._status = status
        self._metrics = metrics
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(FamilyCollector(metrics))
        ProcessCollector(registry=self._registry)
        app = web.Application()
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._metrics_page)
        app.router.add_get("/status", self._status_page)
        self._runner = web.AppRunner(
            app, access_log=None, handle_signals=False, shutdown_timeout=1.0
        )

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

    async def _healthz(self, _: web.Request) -> web.Response:
        reason = self._status.unhealthy()
        return _json({"healthy": reason is None, "reason": reason}, 200 if reason is None else 503)

    async def _readyz(self, _: web.Request) -> web.Response:
        reasons = self._status.not_ready()
        return _json({"ready": not reasons, "reasons": reasons}, 503 if reasons else 200)

    async def _status_page(self, _: web.Request) -> web.Response:
        return _json(self._status.snapshot(), 200)

    async def _metrics_page(self, request: web.Request) -> web.Response:
        self._status.publish(self._metrics)
        encode: Callable[[CollectorRegistry], bytes]
        try:
            encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        except (TypeError, ValueError):  # it asks for a version that is no number
            encode, content_type = choose_encoder("")
        return web.Response(body=encode(self._registry), headers={"Content-Type": content_type})


def _json(value: dict[str, Any], status: int) -> web.Response:
    return web.Response(body=orjson.dumps(value), status=status, content_type="application/json")
