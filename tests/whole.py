"""The whole core on virtual time, in one life after another, and what is owed to whoever wrote the events.

A life is a process: intake, pipeline, delivery and committer, assembled with fakes. What outlives it is Kafka, the
audiences at TikTok and the letters that were written. What the events say is reckoned here from the raw records
alone, and compared with these.
"""

import json
from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Iterable, Iterator
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import Any, NamedTuple

from connector.core.batch import Batch
from connector.core.model import Partition
from connector.core.outcome import Outcome
from tests.fakes.kafka import FakeRecord, Hole
from tests.fakes.tiktok import BAD_ROW, OK, FakeDestination
from tests.test_intake import P0, P1, Flow, digest_of, event

SEGMENTS = {"segment-1": ("1",), "segment-2": ("2",), "segment-3": ("3",), "both": ("2", "3")}
"""The audiences of each segment, as the rig routes them."""


def home(user: int) -> Partition:
    """Where a user's events are: order is kept within a partition."""
    return P1 if user % 2 else P0


class Life(Flow):
    """One process.

    Attributes:
        bad: digests that TikTok rejects, alone and in company.

    Args:
        beside: another life before or beside this one, with the same Kafka and the same TikTok.
        bad: the users of these digests.
    """

    def __init__(
        self,
        beside: "Life | None" = None,
        bad: Collection[int] = (),
        tiktok: FakeDestination | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        if tiktok is not None:
            self.accounts["emea"].destination = self.emea = tiktok
        self.bad = {digest_of(user) for user in bad}
        if beside is not None:
            self.kafka = self.source._kafka = beside.kafka
            self.committed = self.source._committed = beside.committed
            self.letters.written = beside.letters.written
            self.accounts["emea"].destination = self.emea = beside.emea
        self.emea.answer = self.rejecting

    @asynccontextmanager
    async def running(self, *, probes: bool = True) -> AsyncIterator[None]:
        async with super().running(probes=probes):
            yield

    def rejecting(self, _: str, batch: Batch) -> Outcome:
        """TikTok's answer when nothing is wrong but some rows."""
        is_bad = any(digest in self.bad for column in batch.columns.values() for digest in column)
        return BAD_ROW if is_bad else OK

    def write(self, *changes: tuple[int, str, str]) -> None:
        """Events of users, segments and statuses, each user's in a partition of its own."""
        for user, segment, status in changes:
            self.kafka.push(home(user), [event(user, segment, status)])

    def ends(self) -> dict[Partition, int]:
        return {partition: len(log) for partition, log in self.kafka.logs.items()}

    async def until_all_is_committed(self) -> None:
        await self.until_committed(self.ends())


class Word(NamedTuple):
    """What an event says of one identifier in one audience."""

    partition: Partition
    offset: int
    audience: str
    digest: bytes
    is_in: bool


def words(life: Life, below: dict[Partition, int] | None = None) -> Iterator[Word]:
    """What the events say, in the order of their partitions, up to these positions."""
    for partition, log in life.kafka.logs.items():
        end = len(log) if below is None else below.get(partition, 0)
        for offset, record in enumerate(log[:end]):
            said = _read(record)
            for audience in SEGMENTS.get(said.get("segment", ""), ()):
                digest = sha256(said["identities"]["email"].encode()).digest()
                yield Word(partition, offset, audience, digest, said["status"] == "entered")


def last_words(life: Life) -> dict[tuple[str, bytes], Word]:
    return {(word.audience, word.digest): word for word in words(life)}


def members_by_events(life: Life) -> dict[str, set[bytes]]:
    """The audiences as the events applied one by one make them; rejected rows come to nothing."""
    members: dict[str, set[bytes]] = defaultdict(set)
    for word in words(life):
        if word.is_in and word.digest not in life.bad:
            members[word.audience].add(word.digest)
        else:
            members[word.audience].discard(word.digest)
    return {audience: some for audience, some in members.items() if some}


def members_at_tiktok(life: Life) -> dict[str, set[bytes]]:
    return {audience: slots[0] for audience, slots in life.emea.members.items() if slots.get(0)}


def letters(life: Life) -> set[tuple[Partition, int, str]]:
    """What was set aside: partition, offset and reason."""
    found = set()
    for letter in life.letters.written:
        said = json.loads(letter.value)
        source = said["source"]
        partition = Partition(source["topic"], source["partition"])
        found.add((partition, source["offset"], said["reason"]))
    return found


def owed(life: Life) -> list[str]:
    """What was committed and is not kept: a last word that is not in effect, a bad record without a letter."""
    debts = []
    set_aside = {(partition, offset) for partition, offset, _ in letters(life)}
    at_tiktok = members_at_tiktok(life)
    for word in last_words(life).values():
        kept = (word.digest in at_tiktok.get(word.audience, ())) is word.is_in
        kept |= (word.partition, word.offset) in set_aside
        if not kept and word.offset < life.committed.get(word.partition, 0):
            debts.append(f"committed but not in effect: {word}")
    for partition, log in life.kafka.logs.items():
        for offset, record in enumerate(log[: life.committed.get(partition, 0)]):
            if _is_broken(record) and (partition, offset) not in set_aside:
                debts.append(f"committed without a letter: {partition}:{offset}")
    return debts


def unaccounted(life: Life, under_way: Iterable[Batch]) -> list[str]:
    """Parts of the checkpoint that nothing will ever resolve, and identifiers that stand nowhere.

    Args:
        under_way: the batches whose calls have not come back.
    """
    faults = []
    calls = [row for batch in under_way for row in batch.rows]
    progress = life.checkpoint._progress.values()
    lanes = [audience.lane for audience in life.backlog]
    open_parts = sum(span.open for one in progress for span in one.spans)
    there = sum(map(len, lanes)) + len(calls) + len(life.dead_letters)
    if open_parts != there:
        faults.append(f"{open_parts} open parts, but {there} changes and letters")
    held = {digest for row in calls for digest in row.digests if digest is not None}
    fenced = {one for lane in lanes for under_way in lane.fences.under_way for one in under_way}
    if fenced != held:
        faults.append(f"{len(fenced)} identifiers are fenced, but {len(held)} are under way")
    for lane in lanes:
        held |= {digest for newest in lane._newest.by_slot for digest in newest}
        if sum(queue.cells for queue in lane._queues()) != sum(map(len, lane._newest.by_slot)):
            faults.append(f"rows and identifiers of a lane differ: {lane}")
    taken = {one.partition: one.position or 0 for one in progress}
    at_tiktok = members_at_tiktok(life)
    for word in {(word.audience, word.digest): word for word in words(life, taken)}.values():
        in_effect = (word.digest in at_tiktok.get(word.audience, ())) is word.is_in
        if not in_effect and word.digest not in held | life.bad:
            faults.append(f"taken in and nowhere: {word}")
    return faults


def _read(record: FakeRecord | Hole) -> dict[str, Any]:
    if isinstance(record, Hole) or not record.value or _is_broken(record):
        return {}
    said: dict[str, Any] = json.loads(record.value)
    return said


def _is_broken(record: FakeRecord | Hole) -> bool:
    """The tests' own broken records: unreadable, or no JSON."""
    if isinstance(record, Hole):
        return record is Hole.UNREADABLE
    return record.value is not None and not record.value.startswith(b"{")


async def finish(life: Life) -> None:
    """Let the life do all there is to do; then the audiences are what the events say."""
    async with life.flowing():
        await life.until_all_is_committed()
    assert members_at_tiktok(life) == members_by_events(life)
    assert owed(life) == []
