"""The limit of the parts: poll, decode, a hash for each identifier, and nothing else. No promise of any kind.

    python -m tests.benchmarks.limit BOOTSTRAP TOPIC RECORDS

What is no event, and what is no text, ends its record: a limit has no rules for them.
"""

import asyncio
import hashlib
import sys

import orjson
from aiokafka import AIOKafkaConsumer

_NOT_AN_EVENT = (orjson.JSONDecodeError, AttributeError, KeyError, TypeError)


async def _run(bootstrap: str, topic: str, records: int) -> None:
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=bootstrap,
        group_id=f"limit-of-{topic}",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    await consumer.start()
    sha256, loads = hashlib.sha256, orjson.loads
    seen = 0
    while seen < records:
        for some in (await consumer.getmany(timeout_ms=200, max_records=1000)).values():
            for record in some:
                try:
                    for value in loads(record.value)["identities"].values():
                        sha256(value.encode()).hexdigest()
                except _NOT_AN_EVENT:
                    continue
            seen += len(some)
    await consumer.stop()


if __name__ == "__main__":
    asyncio.run(_run(sys.argv[1], sys.argv[2], int(sys.argv[3])))
