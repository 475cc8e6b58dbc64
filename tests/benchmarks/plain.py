"""A connector of aiokafka and aiohttp as a competent person writes it in an hour, to be compared with.

    python -m tests.benchmarks.plain BOOTSTRAP TOPIC RECORDS PORT

Batches of 1,000 rows for each audience and action, eight calls under way, a commit each second once everything read
so far is at TikTok. Without order between calls, dead letters, halts, limits, metrics.
"""

import asyncio
import sys
import time
from collections import defaultdict

import aiohttp
from aiokafka import AIOKafkaConsumer

from tests.benchmarks.mapping import MOST_ROWS, TOKEN, Row, body_of, change_of, is_accepted

_UNDER_WAY = 8
_COMMIT_SECONDS = 1.0
_ATTEMPTS = 5


class Calls:
    """Rows in batches, and the calls that carry them."""

    def __init__(self, session: aiohttp.ClientSession, port: int) -> None:
        self._session = session
        self._url = f"http://127.0.0.1:{port}/open_api/v1.3/segment/mapping/"
        self._batches: defaultdict[tuple[int, str], list[Row]] = defaultdict(list)
        self._free = asyncio.Semaphore(_UNDER_WAY)
        self._under_way: set[asyncio.Task[None]] = set()

    async def add(self, audience: int, action: str, row: Row) -> None:
        batch = self._batches[audience, action]
        batch.append(row)
        if len(batch) >= MOST_ROWS:
            await self._start(audience, action)

    async def flush(self) -> None:
        """Send what is left, and wait for all calls."""
        for audience, action in list(self._batches):
            await self._start(audience, action)
        await asyncio.gather(*self._under_way)

    async def _start(self, audience: int, action: str) -> None:
        body = body_of(audience, action, self._batches.pop((audience, action)))
        await self._free.acquire()
        call = asyncio.create_task(self._send(body))
        self._under_way.add(call)
        call.add_done_callback(self._under_way.discard)

    async def _send(self, body: bytes) -> None:
        headers = {"Access-Token": TOKEN, "Content-Type": "application/json"}
        try:
            for attempt in range(_ATTEMPTS):
                async with self._session.post(self._url, data=body, headers=headers) as response:
                    if is_accepted(response.status, await response.read()):
                        return
                await asyncio.sleep(2**attempt)
            raise RuntimeError("TikTok refuses the call")
        finally:
            self._free.release()


async def _run(bootstrap: str, topic: str, records: int, port: int) -> None:
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=bootstrap,
        group_id=f"plain-{topic}-{time.time_ns()}",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    await consumer.start()
    seen, committed = 0, time.monotonic()
    async with aiohttp.ClientSession() as session:
        calls = Calls(session, port)
        while seen < records:
            for some in (await consumer.getmany(timeout_ms=200, max_records=1000)).values():
                for record in some:
                    change = change_of(record.value)
                    if change is not None:
                        await calls.add(*change)
                seen += len(some)
            if seen >= records or time.monotonic() - committed >= _COMMIT_SECONDS:
                await calls.flush()
                await consumer.commit()
                committed = time.monotonic()
    await consumer.stop()


if __name__ == "__main__":
    asyncio.run(_run(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
