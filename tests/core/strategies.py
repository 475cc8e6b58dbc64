"""Rows, spans and settings for the tests of the core: builders and Hypothesis strategies."""

from collections.abc import Iterable

from hypothesis import settings
from hypothesis import strategies as st

from connector.core.batch import Row, row_of
from connector.core.checkpoint import Checkpoint, Span
from connector.core.identity import Digests
from connector.core.model import Action, Partition
from connector.core.room import Limits

PARTITION = Partition("members", 0)

DIGESTS = (b"a", b"b", b"c")
"""So few that changes meet all the time; the same bytes in every slot."""

few = settings(deadline=None, max_examples=50)
some = settings(deadline=None, max_examples=150)
many = settings(deadline=None, max_examples=400)

actions = st.sampled_from(Action)
digests = st.none() | st.sampled_from(DIGESTS)


def users(slots: int) -> st.SearchStrategy[Digests]:
    """One user's digests: at least one slot is taken."""
    return st.lists(digests, min_size=slots, max_size=slots).filter(any)


def limits(
    max_rows: int = 1_000, max_bytes: int = 1_000_000, linger_seconds: float = 1.0
) -> Limits:
    return Limits(max_rows, max_bytes, linger_seconds)


def span(arrived: float = 0.0) -> Span:
    """A span of a checkpoint of its own, with one open part for its row."""
    checkpoint = Checkpoint()
    checkpoint.assign([PARTITION])
    return checkpoint.track(PARTITION, 1, arrived, -1)


def row(
    digests: Iterable[bytes | None],
    action: Action = Action.ADD,
    arrived: float = 0.0,
    of: Span | None = None,
    offset: int = 0,
) -> Row:
    return row_of(list(digests), action, of or span(arrived), offset, 1_000, b"key")
