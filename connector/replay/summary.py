"""What became of the chosen letters, each in one word.

Owns the words and their sum. Pure.
"""

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum


class Fate(StrEnum):
    """What became of a letter: each has exactly one."""

    SENT = "sent"
    SUPERSEDED = "superseded"
    SUPPRESSED = "suppressed"
    FAILED_AGAIN = "failed_again"
    FILTERED = "filtered"
    NO_ROUTE = "no_route"
    NO_PAYLOAD = "no_payload"
    TOPIC_NOT_CONFIGURED = "topic_not_configured"
    PAST_RETENTION = "past_retention"
    LEFT = "left"


@dataclass
class Summary:
    """A replay in numbers.

    Attributes:
        is_dry_run: nothing was sent or written: `sent` and `failed_again` are what would have been.
        chosen: the letters that were meant, one for each thing.
        unparsable: records of the dead-letter topic that are no letters of ours.
        repeated: newer changes of the source that were sent again, because a call might have overwritten them.
        is_stuck: it gave up because nothing but halted work was left.
    """

    is_dry_run: bool = False
    chosen: int = 0
    unparsable: int = 0
    repeated: int = 0
    is_stuck: bool = False
    fates: Counter[Fate] = field(default_factory=Counter)
