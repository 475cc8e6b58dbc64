"""The HTTP edge to TikTok: sends prepared bodies, maps what can go wrong on the way to outcomes.

Owns the connection pool and the one place that knows aiohttp's errors. It never retries and never sleeps:
what follows from an outcome is decided elsewhere. It logs nothing, so no body or token can reach a log.
"""

import io
from collections.abc import Mapping, Sequence
from typing import Self

import aiohttp
import orjson

from connector.core.batch import Batch
from connector.core.identity import Target
from connector.core.outcome import Delivered, Outcome
from connector.secret import Secret
from connector.tiktok import protocol

_AT_ONCE_BYTES = 1_000_000
"""A little below the size from which aiohttp warns that writing holds the event loop."""


class TikTokClient:
    """One connection pool for all destinations of the app.

    Args:
        base_url: with the API version, without a trailing slash.
        timeout_seconds: for a whole call, connecting included.
    """

    def __init__(self, base_url: str, timeout_seconds: float) -> None:
        self._base_url = base_url.rstrip("/")
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        # The dispatcher bounds the calls under way; cookies of one account must not reach another.
        connector = aiohttp.TCPConnector(limit=0)
        self._session = aiohttp.ClientSession(
            connector=connector, timeout=self._timeout, cookie_jar=aiohttp.DummyCookieJar()
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def post(self, endpoint: str, token: str, body: bytes) -> Outcome:
        headers = {"Access-Token": token, "Content-Type": "application/json"}
        # aiohttp writes bytes in one go, and warns above a size; a file it writes piece by piece.
        data = body if len(body) <= _AT_ONCE_BYTES else io.BytesIO(body)
        return (await self._call("POST", endpoint, headers, data=data))[0]

    async def get(
        self, endpoint: str, token: str, params: Mapping[str, str] | None = None
    ) -> tuple[Outcome, object]:
        """The outcome, and the envelope's data when it was accepted."""
        outcome, body = await self._call(
            "GET", endpoint, {"Access-Token": token}, params=dict(params or {})
        )
        data = orjson.loads(body).get("data") if isinstance(outcome, Delivered) else None
        return outcome, data

    async def _call(
        self,
        method: str,
        endpoint: str,
        headers: Mapping[str, str],
        data: bytes | io.BytesIO | None = None,
        params: Mapping[str, str] | None = None,
    ) -> tuple[Outcome, bytes]:
        if self._session is None:
            raise RuntimeError("the client is used outside its context")
        if not _fits_a_header(headers["Access-Token"]):
            return protocol.unusable_token(), b""
        url = f"{self._base_url}/{endpoint}/"  # TikTok answers 404 without the trailing slash
        try:
            async with self._session.request(
                method, url, headers=headers, data=data, params=params, allow_redirects=False
            ) as response:
                body = await response.read()
        except TimeoutError:
            return protocol.timed_out(), b""
        except aiohttp.ClientConnectorError:
            return protocol.disconnected(sent=False), b""
        except (aiohttp.ClientError, OSError):
            return protocol.disconnected(sent=True), b""
        return protocol.classify(response.status, body), body


def _fits_a_header(token: str) -> bool:
    return token.isascii() and token.isprintable()


class TikTokDestination:
    """One advertiser's account: the Destination that delivery sends to."""

    def __init__(
        self, client: TikTokClient, advertiser_id: str, token: Secret, targets: Sequence[Target]
    ) -> None:
        self._client = client
        self._advertiser_id = advertiser_id
        self._token = token
        self._targets = targets

    async def send(self, audience_id: str, batch: Batch) -> Outcome:
        """Make one call of /segment/mapping/ with the batch."""
        body = protocol.mapping_body(self._advertiser_id, audience_id, batch, self._targets)
        return await self._client.post(protocol.SEGMENT_MAPPING, self._token.value(), body)

    async def probe(self) -> Outcome:
        """Ask TikTok who the token is: the cheapest call that tells whether it is accepted."""
        outcome, _ = await self._client.get(protocol.USER_INFO, self._token.value())
        return outcome

    def renewed(self) -> bool:
        """Read the token again; whether it has changed."""
        return self._token.refresh()
