"""The calls between their arrival and their answer, and which identifiers two of them share.

Two calls under way at once may be applied in either order, so a client must never have one identifier
of one audience in both. A call's body is read some time after its head arrived; calls answered in
between were under way at once with it too, so they are kept until no such reading is left.
Knows no HTTP: whether a caller still listens is a function given on arrival.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from connector.sandbox.emulator.api_calls import Changes

# Ended calls kept at most: an upload that never ends must not hold all that came after it.
_KEPT = 100


@dataclass(slots=True)
class _Call:
    began: int
    listening: Callable[[], bool]
    changes: Changes | None = None  # None: its body is still being read
    ended: int | None = None


class CallsUnderWay:
    """Calls from the arrival of their head until just before their answer is complete."""

    def __init__(self) -> None:
        self._calls: dict[int, _Call] = {}
        self._moment = 0  # arrivals and ends, numbered

    def __len__(self) -> int:
        return sum(call.ended is None for call in self._calls.values())

    def arrive(self, listening: Callable[[], bool]) -> int:
        """Take a call in and return its ticket."""
        self._moment += 1
        self._calls[self._moment] = _Call(self._moment, listening)
        return self._moment

    def read(self, ticket: int, changes: Changes) -> int:
        """Note what a call holds; return how many of its identifiers were in another one meanwhile.

        A call whose caller has hung up is over for that caller, and is not compared with.
        """
        mine = self._calls[ticket]
        others = [
            call.changes
            for call in self._calls.values()
            if call is not mine
            and call.changes
            and (call.listening() if call.ended is None else call.ended > mine.began)
        ]
        mine.changes = changes
        return sum(
            len(_shared(digests, audience_id, kind, others))
            for audience_id, by_type in changes.items()
            for kind, digests in by_type.items()
        )

    def leave(self, ticket: int) -> None:
        """Let a call go; again is harmless."""
        call = self._calls.get(ticket)
        if call is None or call.ended is not None:
            return
        self._moment += 1
        call.ended = self._moment
        if not call.listening():
            del self._calls[ticket]
        self._forget()

    @contextmanager
    def until_left(self, ticket: int) -> Iterator[Callable[[], None]]:
        """Give a function that lets the call go, and let it go at the end in any case."""
        try:
            yield lambda: self.leave(ticket)
        finally:
            self.leave(ticket)

    def _forget(self) -> None:
        """Drop the ended calls that no call still being read can have met."""
        reading = [
            call.began
            for call in self._calls.values()
            if call.changes is None and call.ended is None
        ]
        oldest = min(reading, default=self._moment)
        ended = [(call.ended, ticket) for ticket, call in self._calls.items() if call.ended]
        for position, (end, ticket) in enumerate(reversed(ended)):
            if end <= oldest or position >= _KEPT:
                del self._calls[ticket]


def _shared(digests: set[bytes], audience_id: str, kind: str, others: list[Changes]) -> set[bytes]:
    held: set[bytes] = set()
    for other in others:
        held |= digests & other.get(audience_id, {}).get(kind, set())
    return held
