"""The faults a run walks through, and in which order.

Owns their list: each that the emulator knows, with bounds that keep the run moving. Knows nothing of when they strike.
"""

import random
from collections.abc import Collection, Iterator
from typing import Any, Generic, NamedTuple, TypeVar

REQUEST_SECONDS = 2.0
"""The connector's request timeout in a run."""

_PAST = REQUEST_SECONDS + 0.1
"""Longer than the connector waits. Not much longer: a call that is applied after its partitions have changed hands
may undo a newer change, which nobody can help, and which the README says."""

_LOST = 3
"""Fewer calls at a time lose the answer to what was applied: their rows have to be sent twice."""

Item = TypeVar("Item")


class Fault(NamedTuple):
    """One kind, and how many calls one setting of it may strike at most."""

    name: str
    effect: dict[str, Any]
    most: int


FAULTS = (
    *(
        Fault(f"code {code}", {"code": code}, 4)
        for code in (40016, 40100, 40132, 40133, 40201, 40202, 40902, 50000, 51305, 99999)
    ),
    Fault(
        "code 40002, processing",
        {"code": 40002, "message": "The audience is processing."},
        4,
    ),
    # Of these the first call halts the audience or the destination until a probe is accepted.
    Fault("code 40001", {"code": 40001}, 1),
    Fault("code 40007", {"code": 40007}, 1),
    Fault("code 40105", {"code": 40105}, 1),
    *(Fault(f"HTTP {status}", {"status": status}, 4) for status in (429, 500, 502, 503)),
    Fault("reset, not applied", {"reset": "before"}, 4),
    Fault("reset, applied", {"reset": "after"}, _LOST),
    Fault("timeout, not applied", {"timeout": _PAST, "applied": False}, 4),
    Fault("timeout, applied", {"timeout": _PAST, "applied": True}, _LOST),
    Fault("timeout, applied late", {"timeout": _PAST, "applied": "late"}, _LOST),
    Fault("HTTP 504 after a while, applied", {"timeout": 0.5, "applied": True}, _LOST),
    Fault("delay", {"delay": 0.8}, 4),
    Fault("slow trickle", {"trickle": 0.5}, 4),
    *(
        Fault(f"body {name}", {"body": body}, _LOST)
        for name, body in (
            ("truncated", "truncated"),
            ("of HTML", "html"),
            ("empty", "empty"),
            ("not JSON", "not_json"),
        )
    ),
    Fault("code 20001, partial", {"partial": True}, 4),
)
"""Left out on purpose: other 40002 and 4xx, by which TikTok says that rows are bad, which poison does; 40011, after
which calls stay small; 40050, which says that a call had been accepted before."""


class Deck(Generic[Item]):
    """Deals all of its cards in a chance order, then shuffles anew: evenly, and not in a fixed sequence."""

    def __init__(self, cards: Collection[Item], chance: random.Random) -> None:
        self._cards = list(cards)
        self._chance = chance
        self._dealt = self._deal()

    def next(self) -> Item:
        return next(self._dealt)

    def _deal(self) -> Iterator[Item]:
        while True:
            yield from self._chance.sample(self._cards, len(self._cards))
