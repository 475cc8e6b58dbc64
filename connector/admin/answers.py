"""What every answer of the HTTP side has in common: JSON as bytes, and headers that keep a browser strict.

Knows nothing of what is asked or who asks.
"""

from collections.abc import Mapping
from typing import Any

import orjson
from aiohttp import web

_HEADERS = {
    # Nothing from elsewhere, nothing inline, no text taken for code, and in nobody's frame.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';"
    " connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none';"
    " require-trusted-types-for 'script'; trusted-types 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not no-referrer: by that, a form's Origin would be null.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def as_json(value: Mapping[str, Any], status: int = 200) -> web.Response:
    """The value as the answer's body."""
    return web.Response(body=orjson.dumps(value), status=status, content_type="application/json")


async def harden(_: web.Request, response: web.StreamResponse) -> None:
    """Add the headers; for `on_response_prepare`, so that no answer lacks them."""
    response.headers.update(_HEADERS)
    response.headers.popall("Server", None)  # which libraries answer is nobody's business
