"""The limit of the parts: poll, decode, three hashes a record, and nothing else. No promise of any kind.

python -m tests.benchmarks.limit BOOTSTRAP TOPIC RECORDS
"""

import asyncio
import hashlib
import sys

import orjson
from aiokafka import AIOKafkaConsumer


async def _run(bootstrap: str, topic: str, records: int) -> None:
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=bootstrap,
        group_id=f"limit-of-{topic}",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    await consumer.start()
    sha256 = hashlib.sha256
    seen = 0
    while seen < records:
        for some in (await consumer.getmany(timeout_ms=200, max_records=1000)).values():
            for record in some:
                identities = orjson.loads(record.value)["identities"]
                sha256(identities["email"].encode()).hexdigest()
                sha256(identities["phone"].encode()).hexdigest()
                sha256(identities["idfa"].encode()).hexdigest()
            seen += len(some)
    await consumer.stop()


if __name__ == "__main__":
    asyncio.run(_run(sys.argv[1], sys.argv[2], int(sys.argv[3])))
