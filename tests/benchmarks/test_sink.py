"""The sink counts what the connector's and the plain program's calls hold, however the bytes arrive."""

import asyncio
import json
import time
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from connector.core.batch import Batch, Row
from connector.core.identity import Target
from connector.core.model import Action
from connector.tiktok.protocol import mapping_body
from tests.benchmarks.mapping import ADVERTISER, FIRST_AUDIENCE, body_of
from tests.benchmarks.sink import Connection, Taken
from tests.benchmarks.stamps import latencies, stamped


class FakeTransport(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def bodies(self) -> list[Any]:
        heads_and_bodies = self.written.split(b"\r\n\r\n")
        return [json.loads(one.partition(b"HTTP/1.1")[0]) for one in heads_and_bodies[1:]]


def answers(*chunks: bytes, timed: bool = False) -> list[Any]:
    """What a connection answers to these bytes."""
    connection, transport = Connection(Taken(timed=timed)), FakeTransport()
    connection.connection_made(transport)
    for chunk in chunks:
        connection.data_received(chunk)
    return transport.bodies()


def call(body: bytes) -> bytes:
    head = b"POST /open_api/v1.3/segment/mapping/ HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(
        body
    )
    return head + body


def ask(what: str) -> bytes:
    return f"GET /{what} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


TAKEN, FORGET = ask("taken"), ask("forget")


@given(
    rows=st.lists(
        st.lists(st.none() | st.just("a" * 64), min_size=2, max_size=2).filter(any), min_size=1
    ),
    cuts=st.lists(st.integers(1, 500), max_size=5),
)
def test_rows_are_counted_however_the_bytes_arrive(
    rows: list[list[str | None]], cuts: list[int]
) -> None:
    request, chunks = call(body_of(0, "add", rows)), []
    for cut in cuts:
        chunks.append(request[:cut])
        request = request[cut:]

    accepted, taken = answers(*filter(None, [*chunks, request]), TAKEN)

    assert accepted["code"] == 0
    assert (taken["calls"], taken["rows"], taken["fewest"]) == (1, len(rows), 1)


def test_calls_of_the_connector_and_of_the_plain_program_are_the_same() -> None:
    digests = ["a" * 64, "b" * 64, "c" * 64]
    targets = [Target.EMAIL_SHA256, Target.PHONE_SHA256, Target.IDFA_SHA256]
    raw = [bytes.fromhex(one) for one in digests]
    row = Row([*raw], 3, Action.ADD, None, 0, 0, None)  # type: ignore[arg-type]  # no span
    columns = {slot: [digest] * 2 for slot, digest in enumerate(raw)}
    ours = mapping_body(
        ADVERTISER, str(FIRST_AUDIENCE), Batch(Action.ADD, [row, row], columns, "size"), targets
    )

    assert json.loads(ours) == json.loads(body_of(0, "add", [[*digests], [*digests]]))
    assert answers(call(ours), TAKEN)[1]["rows"] == 2


def test_the_fewest_calls_are_counted_for_each_audience_and_action() -> None:
    def of(audience: int, action: str, rows: int) -> bytes:
        return call(body_of(audience, action, [["a" * 64]] * rows))

    calls = (of(0, "add", 700), of(0, "add", 700), of(1, "add", 1), of(1, "delete", 1))
    *_, taken, same, nothing = answers(*calls, TAKEN, FORGET, TAKEN)

    assert taken == same
    assert (taken["calls"], taken["rows"], taken["fewest"]) == (4, 1402, 4)
    assert (nothing["calls"], nothing["rows"], nothing["fewest"]) == (0, 0, 0)


def test_probes_are_no_calls() -> None:
    assert answers(b"GET /open_api/v1.3/user/info/ HTTP/1.1\r\n\r\n", TAKEN)[1]["calls"] == 0


def test_the_age_of_a_row_is_read_from_the_call() -> None:
    digest = stamped(time.time() - 5, 7)

    body = body_of(0, "add", [[digest, None, None]])
    _, found = answers(call(body), ask("latencies"), timed=True)

    assert len(digest) == 64
    assert found["count"] == 1
    assert 5 <= found["p50"] < 60


@given(st.lists(st.floats(0, 100), min_size=1, max_size=300))
def test_a_percentile_is_the_smallest_value_that_enough_do_not_exceed(seconds: list[float]) -> None:
    found = latencies(seconds)

    for percent, name in ((50, "p50"), (99, "p99")):
        at_most = sum(one <= found[name] for one in seconds)
        below = sum(one < found[name] for one in seconds)
        assert 100 * below < percent * len(seconds) <= 100 * at_most
