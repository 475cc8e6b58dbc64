"""Writes a reply to the socket in its manner: plainly, late, byte by byte, cut short, or not at all.

Owns the ways to break an HTTP answer with aiohttp. Decides nothing.
"""

import asyncio
import socket
import struct
from collections.abc import Callable

from aiohttp import web

from connector.sandbox.emulator.answers import Reply

# SO_LINGER on, 0 seconds: closing sends RST instead of FIN, so the client sees a reset.
_LINGER_RESET = struct.pack("ii", 1, 0)


async def write_reply(
    request: web.Request, reply: Reply, done: Callable[[], None]
) -> web.StreamResponse:
    """Answer a request.

    Args:
        request: the request to answer.
        reply: what, and how.
        done: called just before the answer is complete for the client, who may go on from then.
    """
    if reply.hold:
        await asyncio.sleep(reply.hold)
    if reply.broken == "reset":
        done()
        return _reset(request)
    if reply.trickle:
        return await _trickle(request, reply, done)
    done()
    if reply.broken == "truncated":
        return await _truncate(request, reply)
    return web.Response(
        status=reply.status,
        body=reply.body,
        content_type=reply.content_type,
        headers=_headers(reply),
    )


def _headers(reply: Reply) -> dict[str, str]:
    if not reply.request_id:
        return {}
    return {"X-TT-LOGID": reply.request_id, "x-tt-trace-id": f"00-{reply.request_id}-00"}


async def _begun(request: web.Request, reply: Reply) -> web.StreamResponse:
    """Send the head of the reply, promising its whole length."""
    response = web.StreamResponse(status=reply.status, headers=_headers(reply))
    response.content_type = reply.content_type
    response.content_length = len(reply.body)
    await response.prepare(request)
    return response


async def _trickle(
    request: web.Request, reply: Reply, done: Callable[[], None]
) -> web.StreamResponse:
    response = await _begun(request, reply)
    pause = reply.trickle / max(1, len(reply.body))
    for position in range(len(reply.body)):
        await asyncio.sleep(pause)
        if position == len(reply.body) - 1:
            done()
        await response.write(reply.body[position : position + 1])
    return response


async def _truncate(request: web.Request, reply: Reply) -> web.StreamResponse:
    response = await _begun(request, reply)
    await response.write(reply.body[: len(reply.body) // 2])
    if request.transport is not None:
        request.transport.close()
    return response


def _reset(request: web.Request) -> web.StreamResponse:
    transport = request.transport
    if transport is not None:
        connection = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_RESET)
        transport.abort()
    return web.Response()  # is never written: the connection is gone
