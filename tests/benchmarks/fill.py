"""Writes a workload to a topic, as fast as the broker takes it, in a process of its own.

    python -m tests.benchmarks.fill BOOTSTRAP TOPIC WORKLOAD RECORDS

Of its own, so that what it holds in memory is not taken for that of the programs that are measured.
"""

import sys
from typing import Any

import confluent_kafka

from tests.benchmarks.workloads import WORKLOADS

_PATIENCE_SECONDS = 60.0


def main(bootstrap: str, topic: str, workload: str, records: int) -> None:
    """Write so many records, lz4, each to its partition.

    Raises:
        RuntimeError: the broker did not take them all.
    """
    producer = confluent_kafka.Producer(
        {
            "bootstrap.servers": bootstrap,
            "compression.type": "lz4",
            "linger.ms": 50,
            "queue.buffering.max.messages": 100_000,
            "acks": "all",
        }
    )
    refused: list[str] = []

    def note(error: Any, _: Any) -> None:
        if error is not None:
            refused.append(error.str())

    for partition, key, value in WORKLOADS[workload].events(records):
        while True:
            try:
                producer.produce(topic, value, key, partition=partition, on_delivery=note)
                break
            except BufferError:  # the broker is behind
                producer.poll(0.05)
    left = producer.flush(_PATIENCE_SECONDS)
    if left or refused:
        raise RuntimeError(f"{left + len(refused)} records were not taken: {refused[:1]}")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
