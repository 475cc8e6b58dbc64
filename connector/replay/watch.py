"""The identifiers that a replay answers for, and what a newer change of one of them asks for.

Owns, for each identifier of a pending row, which change it stands for; and the identifiers that a call of ours may
yet overwrite, or may have overwritten since the source was last looked at: the exposed ones. Pure: time is an
argument. Knows neither lanes nor the source.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from connector.core.batch import Row
from connector.core.identity import Digests
from connector.core.model import Action, Partition
from connector.core.routing import AudienceKey


class Identifier(NamedTuple):
    """An identity of one audience."""

    audience: AudienceKey
    slot: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class _Holding:
    """The change that an identifier's row stands for, and whether it comes of a letter."""

    partition: Partition
    offset: int
    row: Row
    is_letters: bool


class Watch:
    """`hold` and `let_go` of rows, `started` and `ended` of calls, `newer` for records of the source.

    Attributes:
        audiences: by audience, how many identifiers are held.
    """

    def __init__(self) -> None:
        self.audiences: dict[AudienceKey, int] = {}
        self._holdings: dict[Identifier, _Holding] = {}
        self._open: set[Row] = set()
        self._under_way: set[Identifier] = set()
        self._exposed: dict[Identifier, float] = {}

    def hold(
        self, audience: AudienceKey, row: Row, partition: Partition, at: int, *, is_letters: bool
    ) -> bool:
        """Answer for the row's identifiers; it loses those of which a newer change is held already.

        Args:
            at: the offset that newer changes are above.
            is_letters: the row comes of a letter; else it repeats a newer change.

        Returns:
            Whether any identifier is left.
        """
        for one in _identifiers(audience, row.digests):
            other = self._holdings.get(one)
            if other is not None and other.partition == partition and other.offset > at:
                row.digests[one.slot] = None
                row.left -= 1
            else:
                if other is None:
                    self.audiences[audience] = self.audiences.get(audience, 0) + 1
                self._holdings[one] = _Holding(partition, at, row, is_letters)
        if row.left:
            self._open.add(row)
        return row.left > 0

    def newer(
        self, audience: AudienceKey, digests: Digests, partition: Partition, offset: int
    ) -> list[Identifier]:
        """Those of a change's identifiers that are held for an older one."""
        return [
            one
            for one in _identifiers(audience, digests)
            if (held := self._holdings.get(one)) is not None
            and held.partition == partition
            and held.offset < offset
        ]

    def own(
        self, audience: AudienceKey, digests: Digests, partition: Partition, offset: int
    ) -> list[tuple[Identifier, Row]]:
        """Those of a change's identifiers that a letter's addition of the very same record is held for, with its row."""
        return [
            (one, held.row)
            for one in _identifiers(audience, digests)
            if (held := self._holdings.get(one)) is not None
            and (held.partition, held.offset) == (partition, offset)
            and held.is_letters
            and held.row.action is Action.ADD
        ]

    def is_open(self, one: Identifier) -> bool:
        """Whether its row has not ended: it waits or is under way."""
        held = self._holdings.get(one)
        return held is not None and held.row in self._open

    def is_exposed(self, one: Identifier) -> bool:
        """Whether a call of ours may have been applied, or be applied yet, after a newer change of it."""
        return one in self._under_way or one in self._exposed

    def let_go(self, one: Identifier) -> None:
        """Answer for it no more."""
        if self._holdings.pop(one, None) is not None:
            self.audiences[one.audience] -= 1
            if not self.audiences[one.audience]:
                del self.audiences[one.audience]

    def row_ended(self, row: Row) -> None:
        """The row was delivered, set aside, or lost its last identifier."""
        self._open.discard(row)

    def started(self, audience: AudienceKey, columns: Mapping[int, Sequence[bytes]]) -> None:
        """A call with these identifiers is under way."""
        self._under_way.update(_of_columns(audience, columns))

    def ended(
        self, audience: AudienceKey, columns: Mapping[int, Sequence[bytes]], applied_by: float
    ) -> None:
        """The call has ended; TikTok applies it no later than `applied_by`."""
        for one in _of_columns(audience, columns):
            self._under_way.discard(one)
            self._exposed[one] = max(applied_by, self._exposed.get(one, applied_by))

    def looked(self, began: float) -> None:
        """All that the source had at that time has been seen: calls that were over before have overwritten nothing."""
        safe = [one for one, applied_by in self._exposed.items() if applied_by < began]
        for one in safe:
            del self._exposed[one]
            if one not in self._under_way and not self.is_open(one):
                self.let_go(one)

    def waiting(self) -> Collection[Identifier]:
        """The identifiers of all letters' rows that have not ended."""
        return [
            one
            for one, held in self._holdings.items()
            if held.is_letters and held.row in self._open
        ]

    def is_clear(self) -> bool:
        """Whether no call is under way, and none has ended since the last look began."""
        return not self._under_way and not self._exposed


def _identifiers(audience: AudienceKey, digests: Digests) -> list[Identifier]:
    return [
        Identifier(audience, slot, digest)
        for slot, digest in enumerate(digests)
        if digest is not None
    ]


def _of_columns(audience: AudienceKey, columns: Mapping[int, Sequence[bytes]]) -> list[Identifier]:
    return [Identifier(audience, slot, one) for slot, some in columns.items() for one in some]
