"""Which letters are meant: by reason and by time.

Owns the rule, and the counts of what was passed over. Pure.
"""

from collections.abc import Collection
from dataclasses import dataclass

from connector.core.model import Chunk
from connector.replay.letters import Letter, NotALetter, one_of_each, read_letter


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to look for.

    Attributes:
        reasons: any of these; empty for all.
        since: not set aside earlier than then, in seconds since the epoch; None for all.
    """

    reasons: Collection[str] = ()
    since: float | None = None

    def has(self, letter: Letter) -> bool:
        is_meant = not self.reasons or letter.reason in self.reasons
        return is_meant and (self.since is None or letter.time >= self.since)


class Choice:
    """Takes in the dead-letter topic, and keeps the letters that are meant.

    Attributes:
        unparsable: how many records of the topic are no letters of ours.
    """

    def __init__(self, wanted: Wanted) -> None:
        self.unparsable = 0
        self._wanted = wanted
        self._kept: list[Letter] = []

    def take(self, chunk: Chunk) -> None:
        """Take in some of the topic."""
        self.unparsable += len(chunk.unreadable)
        for record in chunk.records:
            try:
                letter = read_letter(record)
            except NotALetter:
                self.unparsable += 1
                continue
            if self._wanted.has(letter):
                self._kept.append(letter)

    def letters(self) -> list[Letter]:
        """The letters, one for each thing, in the order of their sources."""
        return one_of_each(self._kept)
