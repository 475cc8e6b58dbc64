"""Writes stamped events to a topic at an even rate, in a process of its own.

    python -m tests.benchmarks.even BOOTSTRAP TOPIC RATE SECONDS

Each record has one identifier, a digest that says when it was handed over; see `stamps`. A wait is caught up with,
and what was late is stamped with when it was written, so that this program's delays are not the connector's.
"""

import sys
import time

import confluent_kafka
import orjson

from tests.benchmarks.stamps import stamped
from tests.benchmarks.workloads import AUDIENCES, PARTITIONS

_TICK_SECONDS = 0.001
_PATIENCE_SECONDS = 30.0


def event(seconds: float, number: int) -> bytes:
    """An entry into one of the audiences in turn."""
    return orjson.dumps(
        {
            "profile_id": f"profile-{number}",
            "segment": f"segment-{number % AUDIENCES}",
            "status": "entered",
            "identities": {"email": stamped(seconds, number)},
        }
    )


def main(bootstrap: str, topic: str, rate: float, seconds: float) -> None:
    """Write for so long, and print how many records that were.

    Raises:
        RuntimeError: the broker did not take all.
    """
    producer = confluent_kafka.Producer(
        {"bootstrap.servers": bootstrap, "compression.type": "lz4", "linger.ms": 1, "acks": "all"}
    )
    begun, written = time.monotonic(), 0
    while (elapsed := time.monotonic() - begun) < seconds:
        for number in range(written, int(elapsed * rate)):
            producer.produce(
                topic,
                event(time.time(), number),
                b"profile-%d" % number,
                partition=number % PARTITIONS,
            )
        written = int(elapsed * rate)
        producer.poll(0)
        time.sleep(_TICK_SECONDS)
    left = producer.flush(_PATIENCE_SECONDS)
    if left:
        raise RuntimeError(f"{left} records were not taken")
    print(written)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]), float(sys.argv[4]))
