"""Which identifiers of an audience no call may take at present.

Owns the identifiers of calls under way, and the echoes of calls whose fate is unknown. Knows no row that waits.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from connector.core.batch import Row
from connector.core.model import Action


@dataclass(frozen=True, slots=True)
class _Echo:
    """A call that TikTok may still apply: the opposite of its action has to wait."""

    action: Action
    digests: dict[int, frozenset[bytes]]
    until: float

    def holds(self, row: Row) -> bool:
        return row.action is not self.action and any(
            row.digests[slot] in digests for slot, digests in self.digests.items()
        )


class Fences:
    """Fences around calls under way, and echoes after calls in doubt.

    Attributes:
        under_way: by slot, the digests of all calls under way.
        echoes: of calls in doubt; empty nearly always, which is the first thing to ask.
        adding: the digests of each call under way that adds, by slot.
    """

    __slots__ = ("adding", "echoes", "under_way")

    def __init__(self, slots: int) -> None:
        self.under_way: tuple[set[bytes], ...] = tuple(set() for _ in range(slots))
        self.echoes: list[_Echo] = []
        self.adding: list[Mapping[int, Sequence[bytes]]] = []

    def lift(self, columns: Mapping[int, Sequence[bytes]]) -> None:
        """A call with these digests has ended."""
        self.adding = [one for one in self.adding if one is not columns]
        for slot, digests in columns.items():
            self.under_way[slot].difference_update(digests)

    def leave_echo(
        self, action: Action, columns: Mapping[int, Sequence[bytes]], until: float
    ) -> None:
        """TikTok may apply this call until then."""
        unsure = {slot: frozenset(digests) for slot, digests in columns.items()}
        self.echoes.append(_Echo(action, unsure, until))

    def first_echo_ends(self) -> float:
        """When the first echo ends; infinity without one."""
        return min(echo.until for echo in self.echoes) if self.echoes else math.inf

    def last_echo_ends(self) -> float:
        """When the last echo ends; in the past without one."""
        return max((echo.until for echo in self.echoes), default=-math.inf)

    def forget_echoes(self, now: float) -> None:
        """Drop the echoes that have ended."""
        self.echoes = [echo for echo in self.echoes if echo.until > now]

    def echoed(self, row: Row) -> bool:
        """Whether an echo holds the row back."""
        return any(echo.holds(row) for echo in self.echoes)

    def may_add(self, slot: int, digest: bytes) -> bool:
        """Whether a call that adds this identifier is under way, or in doubt."""
        if digest in self.under_way[slot] and any(
            digest in columns.get(slot, ()) for columns in self.adding
        ):
            return True
        return any(
            echo.action is Action.ADD and digest in echo.digests.get(slot, ())
            for echo in self.echoes
        )

    def hold(self, row: Row) -> bool:
        """Whether anything holds the row back."""
        return self.echoed(row) or any(
            digest in under_way
            for under_way, digest in zip(self.under_way, row.digests, strict=True)
        )
