"""The look at the source: what changed after the letters, and what follows for the changes that wait.

Owns how far the source has been read. Of each newer change of an identifier that this replay answers for:

* No call of ours may overwrite it: the older change is given up. The service delivers the newer one.
* A call of ours may overwrite it, or may have: the newer change is sent again, behind that call. It is the truth,
  so sending it twice does no harm.

So it is with the record of a letter itself, when the rules about people make a deletion of what it asks for by now.

Which of the two it is says connector.replay.watch. Knows no Kafka client.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Protocol

from connector.core.batch import row_of
from connector.core.checkpoint import Checkpoint
from connector.core.model import Chunk, Partition, Record
from connector.core.recency import Recency
from connector.delivery.accounts import Audience
from connector.errors import InvalidRecord
from connector.replay.ledger import Ledger
from connector.replay.reading import Change, Reading
from connector.replay.watch import Identifier

_REMEMBERED = 100_000
"""Of each partition, memberships whose repetition is recognised."""


class Log(Protocol):
    """The source, read without a consumer group."""

    def begin(self, starts: Mapping[Partition, int]) -> None:
        """Read these partitions from these offsets on, and no others."""

    def read(self) -> AsyncIterator[tuple[Partition, Chunk]]:
        """What came since, up to the ends that the partitions have now, or a little further.

        Raises connector.errors.KafkaUnavailable; what was handed over is not read again then.
        """


class Scan:
    """Catches up with the source: `look`.

    Args:
        on_record: told of each record that is read, before it is judged.
        clock: monotonic seconds.

    Attributes:
        repeated: how many newer changes were sent again.
    """

    def __init__(
        self,
        log: Log,
        reading: Reading,
        ledger: Ledger,
        checkpoint: Checkpoint,
        on_record: Callable[[Partition, Record], None],
        clock: Callable[[], float],
    ) -> None:
        self.repeated = 0
        self._log = log
        self._reading = reading
        self._ledger = ledger
        self._watch = ledger.watch
        self._checkpoint = checkpoint
        self._on_record = on_record
        self._clock = clock
        self._recent: defaultdict[Partition, Recency] = defaultdict(lambda: Recency(_REMEMBERED))

    async def look(self) -> set[Audience]:
        """Read up to the present end; the audiences whose lanes changed."""
        began = self._clock()
        touched: set[Audience] = set()
        async for partition, chunk in self._log.read():
            for record in chunk.records:
                self._on_record(partition, record)
                self._judge(partition, record, touched)
        self._watch.looked(began)
        return touched

    def give_up(self) -> None:
        """Leave all letters' changes that wait for another time; those that are sent again stay."""
        self._ledger.gives_up = True
        for one in self._watch.waiting():
            if self._ledger.withdraw(*one) and not self._watch.is_exposed(one):
                self._watch.let_go(one)

    def _judge(self, partition: Partition, record: Record, touched: set[Audience]) -> None:
        if not self._watch.audiences:
            return
        try:
            changes = self._reading.changes(
                partition.topic,
                record.value,
                record.headers,
                self._watch.audiences,
                self._recent[partition],
            )
        except InvalidRecord:
            return  # it says nothing; the service sets it aside
        for change in changes:
            place = change.audience, change.digests, partition, record.offset
            newer = self._watch.newer(*place)
            for one, row in self._watch.own(*place):
                row.profile = change.profile
                if change.is_blocked:
                    newer.append(one)
            if newer:
                touched.add(self._ledger[change.audience])
                slots = [one.slot for one in newer if not self._gave_up(one)]
                self._send_again(change, slots, partition, record)

    def _gave_up(self, one: Identifier) -> bool:
        """Give up the older change, unless a call with it may be applied after the newer one."""
        if self._watch.is_exposed(one):
            return False
        # An open row that is not pending was cut a moment ago, and its call is about to begin.
        if self._watch.is_open(one) and not self._ledger.withdraw(*one):
            return False
        self._watch.let_go(one)
        return True

    def _send_again(
        self, change: Change, slots: list[int], partition: Partition, record: Record
    ) -> None:
        if not slots:
            return
        span = self._checkpoint.track(partition, record.offset + 1, self._clock(), record.timestamp)
        own = [one if slot in slots else None for slot, one in enumerate(change.digests)]
        row = row_of(
            own,
            change.action,
            span,
            record.offset,
            record.timestamp,
            record.key,
            change.profile,
        )
        self._watch.hold(change.audience, row, partition, record.offset, is_letters=False)
        self._ledger.accept(self._ledger[change.audience], row)
        span.resolve()
        self.repeated += 1
