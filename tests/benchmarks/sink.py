"""A TikTok that accepts everything as fast as asyncio can, and counts calls and rows.

    python -m tests.benchmarks.sink PORT [--timed]

It looks for marks in a body's bytes and parses nothing. GET /taken answers what came, GET /forget too and begins
anew. With --timed the identifiers carry the microsecond of their production (see `stamps`), and GET /latencies
answers how old they were.
"""

import argparse
import asyncio
import json
import re
import time
from array import array
from collections import Counter
from typing import Any

from tests.benchmarks.stamps import STAMPED, latencies

_HEAD_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_ACTION = re.compile(rb'"action": *"(\w+)"')
_AUDIENCE = re.compile(rb'"audience_ids":\["(\d+)"')
_BETWEEN_ROWS = b"],["
_ACCEPTED = b'{"code":0,"message":"OK","request_id":"r","data":{}}'
_MOST_ROWS = 1000


class Taken:
    """What came."""

    def __init__(self, *, timed: bool) -> None:
        self._timed = timed
        self.clear()

    def clear(self) -> None:
        self._calls = 0
        self._rows: Counter[tuple[bytes, bytes]] = Counter()
        self._first: float | None = None
        self._latencies = array("d")

    def note(self, body: bytes) -> None:
        now = time.time()
        self._calls += 1
        self._first = self._first or now
        action, audience = _ACTION.search(body), _AUDIENCE.search(body)
        if action is None or audience is None:
            raise ValueError("a call without action or audience")
        self._rows[audience[1], action[1]] += body.count(_BETWEEN_ROWS) + 1
        if self._timed:
            self._latencies.extend(now - int(one, 16) / 1e6 for one in STAMPED.findall(body))

    def told(self) -> dict[str, Any]:
        """The counts; `fewest` is how many calls had been enough for these rows."""
        return {
            "calls": self._calls,
            "rows": self._rows.total(),
            "fewest": sum(-(-rows // _MOST_ROWS) for rows in self._rows.values()),
            "first": self._first,
        }

    def latencies(self) -> dict[str, float]:
        """Apart from the counts: to put them in order takes longer than a call may wait for its answer."""
        return latencies(self._latencies)


class Connection(asyncio.Protocol):
    """One connection; requests come one after the other."""

    def __init__(self, taken: Taken) -> None:
        self._taken = taken
        self._chunks: list[bytes] = []
        self._missing = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._chunks.append(data)
        if self._missing:
            self._missing -= len(data)
        else:
            so_far = b"".join(self._chunks)
            self._chunks = [so_far]
            end = so_far.find(_HEAD_END)
            if end < 0:
                return
            length = _LENGTH.search(so_far, 0, end)
            self._missing = end + len(_HEAD_END) + (int(length[1]) if length else 0) - len(so_far)
        if not self._missing:
            self._answer(b"".join(self._chunks))
            self._chunks.clear()

    def _answer(self, request: bytes) -> None:
        if request.startswith(b"POST "):
            self._write(_ACCEPTED)
            self._taken.note(request)
        elif request.startswith((b"GET /taken", b"GET /forget")):
            self._write(json.dumps(self._taken.told()).encode())
            if request.startswith(b"GET /forget"):
                self._taken.clear()
        elif request.startswith(b"GET /latencies"):
            self._write(json.dumps(self._taken.latencies()).encode())
        else:
            self._write(_ACCEPTED)

    def _write(self, body: bytes) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        self._transport.write(head % len(body) + body)


async def _serve(port: int, *, timed: bool) -> None:
    taken = Taken(timed=timed)
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(taken), "127.0.0.1", port
    )
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--timed", action="store_true")
    given = parser.parse_args()
    asyncio.run(_serve(given.port, timed=given.timed))
