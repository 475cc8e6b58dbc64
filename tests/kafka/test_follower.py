"""How fresh a follower says it is, in virtual time: what it was told, when it had asked, and what it made of it."""

import asyncio
from collections.abc import Callable, Collection, Coroutine, Mapping
from typing import Any

import pytest
from aiokafka.errors import OffsetOutOfRangeError

from connector.core.model import Chunk, Partition
from connector.errors import KafkaUnavailable
from connector.kafka.follower import Follower
from connector.kafka.security import Security
from tests import virtual_time
from tests.fakes.kafka import FakeRecord

TOPIC = "suppressions"
FIRST, SECOND = Partition(TOPIC, 0), Partition(TOPIC, 1)
POLL_SECONDS = 0.2


class ScriptedCursor:
    """A cursor over logs in memory.

    Attributes:
        logs: by partition, the values that are left.
        firsts_of: the first offset that is left, where it is not 0.
        answer_seconds: how long a question for the ends takes after they were looked up.
        stuck: partitions from which nothing comes.
        is_away: nobody answers.
    """

    def __init__(self, logs: dict[Partition, list[bytes]]) -> None:
        self.logs = logs
        self.positions: dict[Partition, int] = {}
        self.firsts_of: dict[Partition, int] = {}
        self.answer_seconds = 0.1
        self.stuck: set[Partition] = set()
        self.is_away = False

    async def partitions(self, topic: str) -> list[Partition]:
        if self.is_away:
            raise KafkaUnavailable("nobody answers")
        return sorted(self.logs)

    async def ends(self, partitions: Collection[Partition]) -> dict[Partition, int]:
        ends = {one: self._end(one) for one in partitions}
        await asyncio.sleep(self.answer_seconds)
        return ends

    async def firsts(self, partitions: Collection[Partition]) -> dict[Partition, int]:
        return {one: self.firsts_of.get(one, 0) for one in partitions}

    def begin(self, positions: Mapping[Partition, int]) -> None:
        self.positions = dict(positions)

    async def poll(self) -> dict[Partition, Chunk]:
        chunks = {}
        for one, at in self.positions.items():
            if one not in self.logs or one in self.stuck or self.is_away:
                continue
            if not self.firsts_of.get(one, 0) <= at <= self._end(one):
                raise OffsetOutOfRangeError({one: at})
            values = self.logs[one][at - self.firsts_of.get(one, 0) :]
            if values:
                records = [FakeRecord(at + n, 0, None, value) for n, value in enumerate(values)]
                self.positions[one] = at + len(values)
                chunks[one] = Chunk(records, at + len(values))
        if not chunks:
            await asyncio.sleep(POLL_SECONDS)
        return chunks

    async def stop(self, timeout: float) -> None:
        """Nothing is left to stop."""

    def _end(self, one: Partition) -> int:
        return self.firsts_of.get(one, 0) + len(self.logs[one])


class Rig:
    """A follower over a scripted cursor, followed in the background.

    Attributes:
        confirmed: the moments that were, counted from the beginning.
        rereads: when it said that it reads all again, likewise.
    """

    def __init__(self, logs: dict[Partition, list[bytes]]) -> None:
        self.loop = asyncio.get_running_loop()
        self.began = self.loop.time()
        self.cursor = ScriptedCursor(logs)
        self.confirmed: list[float] = []
        self.rereads: list[float] = []
        self.values: list[bytes | None] = []
        self.follower = Follower(
            ["nowhere:1"],
            Security(),
            TOPIC,
            "read_committed",
            lambda at: self.confirmed.append(round(at - self.began, 3)),
            lambda: self.rereads.append(round(self.now, 3)),
        )
        self.follower._cursor = self.cursor  # type: ignore[assignment]  # the edge to the client

    @property
    def now(self) -> float:
        return self.loop.time() - self.began

    async def load(self) -> None:
        async for _, chunk in self.follower.load():
            self.values += [one.value for one in chunk.records]

    async def follow(self, handle_seconds: float = 0.0) -> None:
        async for _, chunk in self.follower.follow():
            await asyncio.sleep(handle_seconds)
            self.values += [one.value for one in chunk.records]


Script = Callable[[Rig], Coroutine[Any, Any, None]]


def play(logs: dict[Partition, list[bytes]], script: Script, handle_seconds: float = 0.0) -> None:
    """Load, then follow while the script runs."""

    async def test() -> None:
        rig = Rig(logs)
        await rig.load()
        following = asyncio.create_task(rig.follow(handle_seconds))
        try:
            await script(rig)
        finally:
            following.cancel()
            await asyncio.wait({following})
            await rig.follower.stop(1.0)

    virtual_time.run(test())


def test_it_is_fresh_as_of_when_it_asked_not_of_when_it_was_answered() -> None:
    async def script(rig: Rig) -> None:
        assert rig.confirmed == [0.0]
        rig.cursor.answer_seconds = 0.7
        await asyncio.sleep(2.5)
        late = rig.confirmed[1:]
        assert late
        assert all(asked + 0.7 <= rig.now for asked in late)
        assert rig.follower.fresh_at == pytest.approx(rig.began + late[-1])

    play({FIRST: [b"a"]}, script)


def test_what_came_after_the_question_is_not_waited_for_and_not_promised() -> None:
    async def script(rig: Rig) -> None:
        rig.cursor.stuck = {FIRST}
        count = len(rig.confirmed)
        await asyncio.sleep(0.95)
        rig.cursor.logs[FIRST].append(b"b")
        written_at = rig.now
        await asyncio.sleep(4.0)
        assert all(at <= written_at for at in rig.confirmed)
        assert len(rig.confirmed) <= count + 1
        rig.cursor.stuck = set()
        await asyncio.sleep(2.0)
        assert rig.confirmed[-1] > written_at
        assert rig.values == [b"a", b"b"]

    play({FIRST: [b"a"]}, script)


def test_it_asks_about_once_a_second() -> None:
    async def script(rig: Rig) -> None:
        await asyncio.sleep(30.0)
        assert 24 <= len(rig.confirmed) <= 31

    play({FIRST: []}, script)


def test_nothing_is_confirmed_before_it_was_handled() -> None:
    async def script(rig: Rig) -> None:
        count = len(rig.confirmed)
        rig.cursor.logs[FIRST].append(b"b")
        await asyncio.sleep(3.5)
        assert rig.values == [b"a"]
        assert len(rig.confirmed) <= count + 1
        assert all(at < 0.4 for at in rig.confirmed)
        await asyncio.sleep(3.0)
        assert rig.values == [b"a", b"b"]
        assert rig.confirmed[-1] > 0.4

    play({FIRST: [b"a"]}, script, handle_seconds=5.0)


def test_nothing_is_confirmed_while_nobody_answers() -> None:
    async def script(rig: Rig) -> None:
        rig.cursor.is_away = True
        await asyncio.sleep(30.0)
        assert rig.confirmed[-1] <= 1.2
        assert rig.follower.problem == "nobody answers"
        rig.cursor.is_away = False
        await asyncio.sleep(2.0)
        assert rig.confirmed[-1] > 30.0
        assert rig.follower.problem is None

    play({FIRST: []}, script)


def test_an_answer_that_takes_too_long_is_none() -> None:
    async def script(rig: Rig) -> None:
        rig.cursor.answer_seconds = 60.0
        await asyncio.sleep(10.0)
        assert f"where the topic {TOPIC} ends" in str(rig.follower.problem)
        assert rig.confirmed[-1] <= 1.2

    play({FIRST: []}, script)


def test_one_partition_that_gives_nothing_is_enough_for_nothing_to_be_confirmed() -> None:
    async def script(rig: Rig) -> None:
        rig.cursor.stuck = {SECOND}
        rig.cursor.logs[FIRST].append(b"b")
        rig.cursor.logs[SECOND].append(b"x")
        await asyncio.sleep(30.0)
        assert rig.values == [b"a", b"b"]
        assert rig.confirmed[-1] == 0.0
        assert rig.follower.lag == 1

    play({FIRST: [b"a"], SECOND: []}, script)


def test_a_partition_that_was_added_is_read_from_its_beginning_before_it_is_confirmed() -> None:
    async def script(rig: Rig) -> None:
        await asyncio.sleep(5.0)
        rig.cursor.stuck = {SECOND}
        rig.cursor.firsts_of[SECOND] = 7
        rig.cursor.logs[SECOND] = [b"x", b"y"]
        added_at = rig.now
        await asyncio.sleep(5.0)
        assert all(at <= added_at for at in rig.confirmed)
        rig.cursor.stuck = set()
        await asyncio.sleep(2.0)
        assert rig.confirmed[-1] > added_at
        assert rig.values == [b"a", b"x", b"y"]
        assert rig.cursor.positions == {FIRST: 1, SECOND: 9}
        assert rig.rereads == []

    play({FIRST: [b"a"]}, script)


def test_a_topic_that_was_gone_is_read_whole_when_it_is_back_though_it_is_longer() -> None:
    async def script(rig: Rig) -> None:
        rig.cursor.logs = {}
        await asyncio.sleep(5.0)
        assert rig.follower.problem == f"Kafka has no topic {TOPIC} any more: create it"
        assert rig.confirmed[-1] <= 1.2
        rig.cursor.logs = {FIRST: [b"c", b"d", b"e"]}
        await asyncio.sleep(5.0)
        assert rig.values == [b"a", b"b", b"c", b"d", b"e"]
        assert rig.confirmed[-1] > 5.0
        assert len(rig.rereads) == 1

    play({FIRST: [b"a", b"b"]}, script)


def test_a_topic_that_is_shorter_is_read_whole_in_all_its_partitions() -> None:
    async def script(rig: Rig) -> None:
        rig.cursor.stuck = {FIRST, SECOND}  # so that no poll notices
        rig.cursor.logs = {FIRST: [b"c"], SECOND: [b"x", b"y"]}
        await asyncio.sleep(2.0)
        rig.cursor.stuck = set()
        await asyncio.sleep(2.0)
        assert sorted(rig.values[3:]) == [b"c", b"x", b"y"]  # type: ignore[type-var]
        assert len(rig.rereads) == 1

    play({FIRST: [b"a", b"b"], SECOND: [b"x"]}, script)


def test_what_was_to_be_reached_in_the_old_topic_is_not_waited_for_in_the_new_one() -> None:
    async def script(rig: Rig) -> None:
        rig.cursor.stuck = {FIRST}
        rig.cursor.logs[FIRST] += [b"b", b"c"]
        await asyncio.sleep(3.0)
        rig.cursor.logs = {FIRST: []}
        await asyncio.sleep(3.0)
        assert len(rig.rereads) == 1
        assert rig.confirmed[-1] > 3.0

    play({FIRST: [b"a"]}, script)


def test_offsets_that_are_gone_have_all_read_again_and_nothing_confirmed_meanwhile() -> None:
    async def script(rig: Rig) -> None:
        await asyncio.sleep(5.0)
        rig.cursor.positions[FIRST] = 0  # as if it were slow
        rig.cursor.firsts_of[FIRST] = 2
        rig.cursor.logs[FIRST] = [b"c"]
        await asyncio.sleep(0.3)
        assert len(rig.rereads) == 1
        await asyncio.sleep(3.0)
        assert rig.values == [b"a", b"b", b"x", b"c", b"x"]
        assert rig.confirmed[-1] > 5.0

    play({FIRST: [b"a", b"b"], SECOND: [b"x"]}, script)


def test_an_answer_that_cannot_be_reached_any_more_is_given_up() -> None:
    """Its last records were of a leader that had them alone; the next one says that there are fewer."""

    async def script(rig: Rig) -> None:
        rig.cursor.stuck = {FIRST}
        rig.cursor.logs[FIRST] += [b"b", b"c"]
        await asyncio.sleep(2.0)
        rig.cursor.logs[FIRST].pop()
        rig.cursor.stuck = set()
        await asyncio.sleep(4.0)
        assert rig.values == [b"a", b"b"]
        assert rig.confirmed[-1] <= 1.2
        await asyncio.sleep(10.0)
        assert rig.confirmed[-1] > 10.0

    play({FIRST: [b"a"]}, script)


def test_a_load_waits_for_brokers_that_are_away() -> None:
    async def test() -> None:
        rig = Rig({FIRST: [b"a"]})
        rig.cursor.is_away = True
        loading = asyncio.create_task(rig.load())
        await asyncio.sleep(60.0)
        assert not loading.done()
        assert rig.follower.problem == "nobody answers"
        assert rig.follower.lag is None
        rig.cursor.is_away = False
        await asyncio.wait_for(loading, 3.0)
        assert rig.values == [b"a"]
        assert rig.confirmed[0] >= 60.0

    virtual_time.run(test())


def test_a_load_is_over_when_what_was_there_is_read_though_more_comes_all_the_time() -> None:
    async def test() -> None:
        rig = Rig({FIRST: [b"a"] * 100})

        async def write() -> None:
            while True:
                rig.cursor.logs[FIRST].append(b"b")
                await asyncio.sleep(0.01)

        writing = asyncio.create_task(write())
        await asyncio.wait_for(rig.load(), 3.0)
        writing.cancel()
        assert rig.values[:100] == [b"a"] * 100

    virtual_time.run(test())


def test_a_stop_in_the_midst_of_a_question_leaves_nothing_behind() -> None:
    async def test() -> None:
        rig = Rig({FIRST: []})
        await rig.load()
        rig.cursor.answer_seconds = 2.0
        following = asyncio.create_task(rig.follow())
        await asyncio.sleep(1.5)
        following.cancel()
        await asyncio.wait({following})
        await rig.follower.stop(1.0)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    virtual_time.run(test())


def test_what_the_client_refuses_for_good_ends_it() -> None:
    async def test() -> None:
        rig = Rig({FIRST: []})

        async def refuse() -> dict[Partition, Chunk]:
            raise KafkaUnavailable("the client's fetch task has died")

        rig.cursor.poll = refuse  # type: ignore[method-assign]
        with pytest.raises(KafkaUnavailable, match="died"):
            await rig.follow()
        await rig.follower.stop(1.0)

    virtual_time.run(test())
