"""Servers of a few lines that answer a call with given bytes, or not at all, and remember what was asked."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

# SO_LINGER on, 0 seconds: closing sends RST instead of FIN.
_LINGER_RESET = struct.pack("ii", 1, 0)


class Request(NamedTuple):
    """A request as it stood on the wire."""

    line: str
    headers: dict[str, str]
    body: bytes


class Server:
    """Answers every request in one way.

    Args:
        answer: the raw bytes of the response; None to fall silent.
        is_reset: reset the connection after the answer, instead of closing it.
        reads: whether it takes in the request before it does anything.
    """

    def __init__(self, answer: bytes | None, *, is_reset: bool = False, reads: bool = True) -> None:
        self.requests: list[Request] = []
        self.base_url = ""
        self._answer = answer
        self._is_reset = is_reset
        self._reads = reads
        self._end = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if self._reads:
                self.requests.append(await _read(reader))
            if self._answer is None:
                await self._end.wait()
            else:
                writer.write(self._answer)
                await writer.drain()
            if self._is_reset:
                connection: socket.socket = writer.get_extra_info("socket")
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_RESET)
                writer.transport.abort()
        finally:
            writer.close()

    def end(self) -> None:
        self._end.set()


@asynccontextmanager
async def serving(server: Server) -> AsyncIterator[Server]:
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    server.base_url = f"http://127.0.0.1:{port}/open_api/v1.3"
    async with listener:
        try:
            yield server
        finally:
            server.end()
            await asyncio.sleep(0)


def http(status: int, body: bytes, *headers: str, kind: str = "application/json") -> bytes:
    """A whole response that asks to close the connection."""
    head = [
        f"HTTP/1.1 {status} So",
        f"Content-Type: {kind}",
        f"Content-Length: {len(body)}",
        "Connection: close",
        *headers,
    ]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


async def _read(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    line, *fields = head.strip().split("\r\n")
    headers = dict(field.split(": ", 1) for field in fields)
    body = await reader.readexactly(int(headers.get("Content-Length", 0)))
    return Request(line, headers, body)
