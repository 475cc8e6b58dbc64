"""The same with Quix Streams: its dataframe maps, its batching sink sends. To be compared with.

    .cache/bench/venv/bin/python -m tests.benchmarks.quix BOOTSTRAP TOPIC RECORDS PORT

Quix has an environment of its own, for it wants other versions of libraries than the connector does. Bytes are
decoded by the mapping that the plain connector uses too. A checkpoint is made each second; the sink then sends each
partition's rows, by audience and action, eight calls at once.
"""

import sys
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor

import requests
from quixstreams import Application
from quixstreams.sinks import BatchingSink, SinkBatch

from tests.benchmarks.mapping import MOST_ROWS, TOKEN, Row, body_of, change_of, is_accepted

_UNDER_WAY = 8
_COMMIT_SECONDS = 1.0


class TikTokSink(BatchingSink):  # type: ignore[misc]  # untyped where it is not installed
    """Sends what the checkpoint covers; a call that fails fails the checkpoint."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self._url = f"http://127.0.0.1:{port}/open_api/v1.3/segment/mapping/"
        self._session = requests.Session()
        self._session.headers.update({"Access-Token": TOKEN, "Content-Type": "application/json"})
        adapter = requests.adapters.HTTPAdapter(pool_maxsize=_UNDER_WAY)
        self._session.mount("http://", adapter)
        self._pool = ThreadPoolExecutor(_UNDER_WAY)

    def write(self, batch: SinkBatch) -> None:
        groups: defaultdict[tuple[int, str], list[Row]] = defaultdict(list)
        for item in batch:
            audience, action, row = item.value
            groups[audience, action].append(row)
        bodies = [
            body_of(*group, rows[start : start + MOST_ROWS])
            for group, rows in groups.items()
            for start in range(0, len(rows), MOST_ROWS)
        ]
        list(self._pool.map(self._send, bodies))

    def _send(self, body: bytes) -> None:
        answer = self._session.post(self._url, data=body, timeout=15)
        if not is_accepted(answer.status_code, answer.content):
            raise RuntimeError("TikTok refuses the call")


def main(bootstrap: str, topic: str, records: int, port: int) -> None:
    """Read so many records, then end."""
    application = Application(
        broker_address=bootstrap,
        consumer_group=f"quix-{topic}-{time.time_ns()}",
        auto_offset_reset="earliest",
        commit_interval=_COMMIT_SECONDS,
        auto_create_topics=False,
        loglevel="WARNING",
    )
    stream = application.dataframe(application.topic(topic, value_deserializer="bytes"))
    stream = stream.apply(change_of)
    stream = stream.filter(lambda change: change is not None)
    stream.sink(TikTokSink(port))
    application.run(count=records, collect=False)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
