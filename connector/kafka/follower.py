"""A topic read whole by every process, without a group, and then followed for ever.

Owns how fresh that is: up to which moment all that was written has been handed over. About once a second it asks
which partitions there are and where they end; when it has come so far, it is fresh as of when it asked. Knows
nothing of what records say.

A partition that was added is read from its beginning. So is the whole topic when its offsets are not what they were:
records that were deleted unread, a topic that was made anew. Records may come twice, then; none is left out.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from typing import NamedTuple

from aiokafka.errors import OffsetOutOfRangeError

from connector.core.model import Chunk, Partition
from connector.errors import KafkaUnavailable
from connector.kafka.cursor import Cursor
from connector.kafka.reachable import wait_for_topics
from connector.kafka.security import Security

_ANSWER_SECONDS = 3.0

_REACH_SECONDS = 10.0
"""An answer that is not reached for so long is given up for a newer one: its partition may be gone."""


class _Answer(NamedTuple):
    """Where the topic ended.

    Attributes:
        asked_at: on the event loop's clock, before the question was sent.
        ends: of each partition there was; of none when there was no topic.
        is_shorter: a partition ended before where it had been read to: its records are others now.
    """

    asked_at: float
    ends: dict[Partition, int]
    is_shorter: bool


class Follower:
    """One topic: `start`, `load`, then `follow`; `stop`.

    Args:
        confirmed: told of each moment, on the event loop's clock, before which nothing was written that has not
            been handed over. What is handed over counts once the next is asked for.
        on_reread: told when the whole topic is going to be read again.
        ask_every_seconds: how often it asks where the topic ends; what is confirmed is about half a second older.

    Attributes:
        fresh_at: the last such moment; None until all that was there at the beginning has been handed over.
        problem: why it is not confirmed any more, in a sentence; None while it is.
    """

    def __init__(
        self,
        servers: Sequence[str],
        security: Security,
        topic: str,
        isolation_level: str,
        confirmed: Callable[[float], None],
        on_reread: Callable[[], None] = lambda: None,
        *,
        ask_every_seconds: float = 1.0,
    ) -> None:
        self.fresh_at: float | None = None
        self.problem: str | None = None
        self._servers = servers
        self._security = security
        self._topic = topic
        self._confirmed = confirmed
        self._on_reread = on_reread
        self._ask_every_seconds = ask_every_seconds
        self._cursor = Cursor(servers, security, isolation_level)
        self._waiting: deque[tuple[Partition, Chunk]] = deque()
        self._asking: asyncio.Task[_Answer] | None = None
        self._asked_at = float("-inf")
        self._answer: _Answer | None = None  # the one to be reached
        self._ends: dict[Partition, int] = {}  # of the last one

    async def start(self, timeout: float, on_retry: Callable[[str], None]) -> None:
        """Wait for the brokers and the topic, and connect; see connector.kafka.reachable.wait_for_topics.

        Raises:
            KafkaUnavailable: they were not there in time; says what is missing.
        """
        counts = await wait_for_topics(
            self._servers, self._security, [self._topic], timeout, on_retry
        )
        await self._cursor.start([Partition(self._topic, n) for n in range(counts[self._topic])])

    def load(self) -> AsyncIterator[tuple[Partition, Chunk]]:
        """Hand over everything that was written before this was called, then end.

        Waits as long as the brokers are away. Raises KafkaUnavailable when nothing would ever come.
        """
        return self._chunks(lambda: self.fresh_at is not None)

    def follow(self) -> AsyncIterator[tuple[Partition, Chunk]]:
        """Hand over what comes, without end. Raises as `load` does; what was not handled comes again then."""
        return self._chunks(lambda: False)

    @property
    def lag(self) -> int | None:
        """How many offsets there are beyond what was handed over, as far as is known; None before the first answer."""
        if not self._ends:
            return None
        at = self._cursor.positions
        return sum(max(0, end - at.get(one, 0)) for one, end in self._ends.items())

    def renew_secrets(self) -> None:
        """Log in with the present secrets from the next connection on."""
        self._cursor.renew_secrets()

    async def stop(self, timeout: float) -> None:
        """Disconnect within the time; whoever loads or follows has ended before."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait({self._asking})
            self._asking = None
        await self._cursor.stop(timeout)

    async def _chunks(self, is_over: Callable[[], bool]) -> AsyncIterator[tuple[Partition, Chunk]]:
        while not is_over():
            while self._waiting:
                yield self._waiting[0]
                self._waiting.popleft()
                await asyncio.sleep(0)  # what has been fetched ahead comes without a wait
            await self._take_answer()
            self._confirm()
            if not is_over():
                self._ask()
                self._waiting.extend((await self._poll()).items())

    async def _poll(self) -> dict[Partition, Chunk]:
        if not self._cursor.positions:  # where to begin is yet to be known
            if self._asking is not None:
                await asyncio.wait({self._asking})
            else:
                await asyncio.sleep(self._ask_every_seconds)
            return {}
        try:
            return await self._cursor.poll()
        except OffsetOutOfRangeError:
            self._begin_anew()
            return {}

    def _begin_anew(self) -> None:
        """The next answer says from where on."""
        self._cursor.begin({})
        self._answer = None
        self._asked_at = float("-inf")
        self._on_reread()

    def _ask(self) -> None:
        now = asyncio.get_running_loop().time()
        if self._asking is None and now >= self._asked_at + self._ask_every_seconds:
            self._asked_at = now
            self._asking = asyncio.create_task(self._ask_for_ends(now))

    async def _ask_for_ends(self, now: float) -> _Answer:
        before = dict(self._cursor.positions)
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                partitions = await self._cursor.partitions(self._topic)
                ends = await self._cursor.ends(partitions) if partitions else {}
        except TimeoutError:
            raise KafkaUnavailable(
                f"Kafka does not tell in time where the topic {self._topic} ends"
            ) from None
        is_shorter = any(ends.get(one, 0) < at for one, at in before.items())
        return _Answer(now, ends, is_shorter)

    async def _take_answer(self) -> None:
        """See what the question brought, when it is answered; and begin with partitions that were not known."""
        if self._asking is None or not self._asking.done():
            return
        asking, self._asking = self._asking, None
        try:
            answer = asking.result()
            await self._compare(answer)
        except KafkaUnavailable as error:
            self.problem = str(error)
            return
        self._ends = answer.ends
        if self._answer is None or answer.asked_at > self._answer.asked_at + _REACH_SECONDS:
            self._answer = answer

    async def _compare(self, answer: _Answer) -> None:
        """Read the partitions that there are, and from where their records are what they were."""
        if answer.is_shorter and self._cursor.positions:
            self._begin_anew()
        if not answer.ends:
            raise KafkaUnavailable(f"Kafka has no topic {self._topic} any more: create it")
        known = {one: at for one, at in self._cursor.positions.items() if one in answer.ends}
        if new := [one for one in answer.ends if one not in known]:
            self._cursor.begin({**known, **await self._cursor.firsts(new)})

    def _confirm(self) -> None:
        answer = self._answer
        if answer is None:
            return
        at = self._cursor.positions
        if all(at.get(one, -1) >= end for one, end in answer.ends.items()):
            self._answer = self.problem = None
            self.fresh_at = answer.asked_at
            self._confirmed(answer.asked_at)
