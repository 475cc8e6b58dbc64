"""Which pending row of an audience has an identifier: the newest.

Owns that table alone; in which order rows wait is connector.core.row_queue's. Rows under way are not in it.
"""

from collections.abc import Iterable, Mapping, Sequence

from connector.core.batch import Row


class Newest:
    """By slot and digest, the pending row that has it.

    Attributes:
        by_slot: the tables themselves, for those who cannot afford a call.
    """

    __slots__ = ("by_slot",)

    def __init__(self, slots: int) -> None:
        self.by_slot: tuple[dict[bytes, Row], ...] = tuple({} for _ in range(slots))

    def let_go(self, rows: Iterable[Row]) -> None:
        """These rows are not pending any more."""
        for row in rows:
            for newest, digest in zip(self.by_slot, row.digests, strict=True):
                if digest is not None:
                    del newest[digest]

    def let_go_columns(self, columns: Mapping[int, Sequence[bytes]]) -> None:
        """The rows with these digests are not pending any more."""
        for slot, digests in columns.items():
            newest = self.by_slot[slot]
            for digest in digests:
                del newest[digest]

    def reclaim(self, row: Row) -> None:
        """Let a row that comes back have its identifiers again, but for those that a newer change has."""
        for slot, newest in enumerate(self.by_slot):
            digest = row.digests[slot]
            if digest is None:
                continue
            if digest in newest:
                row.digests[slot] = None
                row.left -= 1
            else:
                newest[digest] = row

    def strike(self, row: Row, slots: Iterable[int]) -> None:
        """Take these identifiers from a pending row."""
        for slot in slots:
            digest = row.digests[slot]
            if digest is not None:
                del self.by_slot[slot][digest]
                row.digests[slot] = None
                row.left -= 1

    def clear(self) -> None:
        """Forget all rows."""
        for newest in self.by_slot:
            newest.clear()
