"""The way of letters to the dead-letter topic: nothing counts as handled before the broker acknowledged it.

Owns the letters that wait, and their bound. A topic that cannot be written holds them, loudly, without end.
"""

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from connector.core.model import Letter
from connector.core.retry import full_jitter
from connector.delivery.seams import DeadLetters
from connector.errors import KafkaUnavailable
from connector.telemetry.events import DeliveryEvents

_MOST_LETTERS = 10_000
_MOST_BYTES = 32_000_000
_AT_ONCE = 500
_RETRY_INITIAL = 1.0
_RETRY_MOST = 30.0


class _Waiting(NamedTuple):
    letter: Letter
    topic: str
    reason: str
    acknowledged: Callable[[], None]


class DeadLetterQueue:
    """Letters on their way: `put` never waits, `run` sends them in order.

    Args:
        chance: draws a number in 0..1, for the backoff.
    """

    def __init__(
        self, dead_letters: DeadLetters, telemetry: DeliveryEvents, chance: Callable[[], float]
    ) -> None:
        self._dead_letters = dead_letters
        self._telemetry = telemetry
        self._chance = chance
        self._waiting: list[_Waiting] = []
        self._bytes = 0
        self._under_way = 0
        self._arrived = asyncio.Event()
        self._emptied = asyncio.Event()

    def __len__(self) -> int:
        """How many letters the broker has not acknowledged."""
        return len(self._waiting) + self._under_way

    @property
    def is_full(self) -> bool:
        """Whether no more records should be taken in until letters have been acknowledged."""
        return len(self) >= _MOST_LETTERS or self._bytes >= _MOST_BYTES

    @property
    def room(self) -> int:
        """How many more letters may be put before it is full; by their size it may be full earlier."""
        return max(0, _MOST_LETTERS - len(self))

    def put(
        self, letter: Letter, topic: str, reason: str, acknowledged: Callable[[], None]
    ) -> None:
        """Send a letter about a record of that topic; `acknowledged` is called when the broker has it."""
        self._waiting.append(_Waiting(letter, topic, reason, acknowledged))
        self._bytes += len(letter.value)
        self._arrived.set()

    async def flush(self) -> None:
        """Wait until every letter has been acknowledged."""
        while len(self):
            self._emptied.clear()
            await self._emptied.wait()

    async def run(self) -> None:
        """Send what is put, for ever."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._waiting:
                some, self._waiting = self._waiting[:_AT_ONCE], self._waiting[_AT_ONCE:]
                self._under_way = len(some)
                await self._send([one.letter for one in some])
                self._under_way = 0
                self._acknowledge(some)
            self._emptied.set()

    async def _send(self, letters: list[Letter]) -> None:
        failures = 0
        while True:
            try:
                return await self._dead_letters.send(letters)
            except KafkaUnavailable as error:
                failures += 1
                wait = full_jitter(failures, _RETRY_INITIAL, _RETRY_MOST, self._chance())
                self._telemetry.dead_letters_refused(str(error), len(letters), wait)
                await asyncio.sleep(wait)

    def _acknowledge(self, some: list[_Waiting]) -> None:
        for one in some:
            self._bytes -= len(one.letter.value)
            self._telemetry.dead_letter_written(one.topic, one.reason)
            one.acknowledged()
