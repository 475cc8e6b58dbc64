"""Feeds the topic no faster than it is consumed, and the model with the same records.

Owns how far the topic runs ahead of the consumer's commit: the embedded broker forgets what is older, and a
record that it forgot unread would be missing in the comparison through no fault of the connector's.
"""

import asyncio
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

from connector.sandbox.embedded_kafka import PARTITIONS, RETAINED_BYTES, EmbeddedKafka, Entry
from connector.sandbox.generator import Event
from connector.sandbox.model import Model

_AHEAD_BYTES: Final = RETAINED_BYTES // 2
_BLOCK: Final = 500
_OVERHEAD_BYTES: Final = 40  # of a record in the log, amply
_PAUSE: Final = 0.1


class Feeder:
    """Writes events to a topic and tells the model where each came to lie.

    Attributes:
        fed: how many records are written.
    """

    def __init__(self, kafka: EmbeddedKafka, topic: str, group: str, model: Model) -> None:
        self.fed = 0
        self._kafka = kafka
        self._topic = topic
        self._group = group
        self._model = model
        # For each partition, the bytes up to and including each record: record n is at place n + 1.
        self._bytes = [[0] for _ in range(PARTITIONS)]
        self._committed = [0] * PARTITIONS

    async def feed(self, events: Iterable[Event]) -> None:
        """Write all events, waiting for the consumer's commits where it must."""
        remaining = iter(events)
        while entries := _take(remaining):
            while self._ahead() > _AHEAD_BYTES:
                await self.look()
                if self._ahead() > _AHEAD_BYTES:
                    await asyncio.sleep(_PAUSE)
            offsets = await self._kafka.produce(self._topic, entries)
            for entry, offset in zip(entries, offsets, strict=True):
                self._note(entry, offset)

    async def look(self) -> int:
        """Ask for the consumer's commits and return how many records they cover."""
        self._committed = await self._kafka.committed(self._group, self._topic)
        return sum(self._committed)

    @property
    def is_consumed(self) -> bool:
        """Whether the commits last seen cover all that was written."""
        ends = [len(sizes) - 1 for sizes in self._bytes]
        return self._committed == ends

    def _ahead(self) -> int:
        """Return how many bytes the fullest partition holds beyond the commit."""
        return max(
            sizes[-1] - sizes[committed]
            for sizes, committed in zip(self._bytes, self._committed, strict=True)
        )

    def _note(self, entry: Entry, offset: int) -> None:
        sizes = self._bytes[entry.partition]
        if offset != len(sizes) - 1:
            raise RuntimeError("the broker's offsets are not those of the records in order")
        size = len(entry.key or b"") + len(entry.value or b"") + _OVERHEAD_BYTES
        sizes.append(sizes[-1] + size)
        self._model.apply(entry.partition, offset, entry.value)
        self.fed += 1


def _take(events: Iterator[Event]) -> list[Entry]:
    return [Entry(*event) for event in islice(events, _BLOCK)]
