"""What the dead-letter topic holds, in numbers and a few samples.

Owns the counting for `connector dead-letters list`. Shows no key, payload, row or text of TikTok's. Pure.
"""

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import NamedTuple

from connector.core.model import Chunk
from connector.replay.choice import Wanted
from connector.replay.letters import Letter, NotALetter, read_letter

MOST_SAMPLES = 3

_MOST_TEXT = 200
_TELLING = re.compile(r"\S*(?:@|[0-9A-Fa-f]{12,})\S*")
"""Our own details quote no value; but others may write to the topic, too."""


class Kind(NamedTuple):
    """Letters that are counted together."""

    reason: str
    stage: str
    topic: str


class Refusal(NamedTuple):
    """Delivery letters that are counted together."""

    destination: str
    audience_id: str
    code: int | None


class Sample(NamedTuple):
    """One letter, as far as it may be shown."""

    source: str
    detail: str


@dataclass
class Survey:
    """The counts: `take` the topic, then read.

    Attributes:
        letters: how many are meant.
        unparsable: how many records of the topic are no letters of ours.
        oldest: when the first of them was set aside, in seconds since the epoch; None without any.
    """

    wanted: Wanted = field(default_factory=Wanted)
    letters: int = 0
    unparsable: int = 0
    oldest: float | None = None
    newest: float | None = None
    most_attempts: int = 0
    kinds: Counter[Kind] = field(default_factory=Counter)
    refusals: Counter[Refusal] = field(default_factory=Counter)
    samples: defaultdict[str, list[Sample]] = field(default_factory=lambda: defaultdict(list))

    def take(self, chunk: Chunk) -> None:
        """Take in some of the topic."""
        self.unparsable += len(chunk.unreadable)
        for record in chunk.records:
            try:
                letter = read_letter(record)
            except NotALetter:
                self.unparsable += 1
                continue
            if self.wanted.has(letter):
                self._count(letter)

    def _count(self, letter: Letter) -> None:
        self.letters += 1
        self.oldest = letter.time if self.oldest is None else min(self.oldest, letter.time)
        self.newest = letter.time if self.newest is None else max(self.newest, letter.time)
        self.most_attempts = max(self.most_attempts, letter.attempts)
        topic = letter.origin.partition.topic
        self.kinds[Kind(letter.reason, letter.stage.value, topic)] += 1
        if letter.change is not None:
            audience = letter.change.audience
            destination = _shown(audience.destination)
            self.refusals[Refusal(destination, audience.audience_id, letter.code)] += 1
        samples = self.samples[letter.reason]
        if len(samples) < MOST_SAMPLES:
            samples.append(Sample(str(letter.origin), _shown(letter.detail)))


def _shown(text: str) -> str:
    printable = "".join(one if one.isprintable() else "?" for one in text[:_MOST_TEXT])
    return _TELLING.sub("[masked]", printable)
