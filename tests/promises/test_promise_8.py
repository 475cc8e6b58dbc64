"""Limits are TikTok's.

A replica's share is that of its partitions. Calls are spaced, without bursts: no refusal is earned in steady state,
and nine tenths of the allowance are used when there is work. On 40100 the rate falls by 0.7, and recovers.
"""

import asyncio
import math
from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from connector.core.batch import Batch
from connector.core.model import Partition
from connector.core.outcome import Outcome
from tests import virtual_time
from tests.fakes.tiktok import OK, RATE_LIMITED
from tests.promises.worlds import rarely
from tests.test_intake import P0, P1
from tests.whole import Life

WARM_UP = 3.0
"""The first call of a process must be accepted before it goes faster than one a second."""


class Meter:
    """TikTok's own limit: more than so many calls within any second are refused."""

    def __init__(self, qps: int) -> None:
        self.starts: list[float] = []
        self.refused = 0
        self._qps = qps
        self._second: deque[float] = deque()
        self._to_refuse: asyncio.Event | None = None

    def refuse_next(self) -> asyncio.Event:
        """Refuse the next call, whatever the limit says; set when that has happened."""
        self._to_refuse = event = asyncio.Event()
        return event

    def answer(self, _: str, __: Batch) -> Outcome:
        now = asyncio.get_running_loop().time()
        self.starts.append(now)
        while self._second and self._second[0] <= now - 1.0:
            self._second.popleft()
        self._second.append(now)
        told, self._to_refuse = self._to_refuse, None
        if told is None and len(self._second) <= self._qps:
            return OK
        if told is not None:
            told.set()
        self.refused += 1
        return RATE_LIMITED

    def between(self, start: float, end: float) -> int:
        return sum(start <= one < end for one in self.starts)


def busy(life: Life) -> None:
    """Work for more calls than there can be: each call takes one row."""
    life.backlog.lower_max_rows(1)
    life.write(*((user, f"segment-{1 + user % 3}", "entered") for user in range(4_000)))


@rarely
@given(st.integers(2, 40), st.sampled_from([(P0, P1), (P0,), (P1,)]))
def test_promise_8_the_allowance_is_used_and_not_passed(
    qps: int, partitions: tuple[Partition, ...]
) -> None:
    async def test() -> None:
        life = Life(qps=float(qps), linger=0.05, most=10_000)
        allowed = qps * len(partitions) / 2
        meter = Meter(math.ceil(allowed))
        life.emea.answer = meter.answer
        busy(life)
        async with life.flowing():
            await life.source.rebalance([*partitions])
            await asyncio.sleep(WARM_UP)
            began = asyncio.get_running_loop().time()
            await asyncio.sleep(20.0)
            used = meter.between(began, began + 20.0)
        assert meter.refused == 0
        assert used >= 0.9 * 20.0 * allowed

    virtual_time.run(test())


@rarely
@given(st.integers(4, 20))
def test_promise_8_a_refusal_slows_down_and_is_forgotten_step_by_step(qps: int) -> None:
    async def test() -> None:
        life = Life(qps=float(qps), linger=0.05, most=10_000)
        meter = Meter(qps)
        busy(life)
        async with life.flowing():
            life.emea.answer = meter.answer
            await asyncio.sleep(WARM_UP)
            refused = meter.refuse_next()
            await refused.wait()
            at = asyncio.get_running_loop().time()
            await asyncio.sleep(15.0)
        assert 1 <= meter.between(at + 0.1, at + 1.1) <= 0.7 * qps + 1
        assert meter.between(at + 10.0, at + 15.0) >= 0.9 * 5.0 * qps
        assert meter.refused == 1

    virtual_time.run(test())
