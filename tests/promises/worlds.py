"""What the promises are tried against: changes of few people, and a TikTok that is slow, unsure or out of order."""

import asyncio
from collections.abc import Iterator, Sequence
from itertools import cycle

from hypothesis import Phase, settings
from hypothesis import strategies as st

from connector.core.batch import Batch
from connector.core.outcome import Outcome
from tests.delivery.rig import TIMEOUT
from tests.fakes.tiktok import NO_AUDIENCE, OK, REFUSED, SERVER_ERROR, TIMED_OUT
from tests.whole import SEGMENTS, Life

rarely = settings(
    deadline=None, max_examples=6, phases=[Phase.explicit, Phase.reuse, Phase.generate]
)
"""For what takes long even in virtual time: too long to be made smaller when it fails."""

few = settings(deadline=None, max_examples=15)
some = settings(deadline=None, max_examples=40)

Change = tuple[int, str, str]
"""A user, a segment and a status."""

users = st.integers(0, 5)
"""So few that their changes meet all the time."""

changes = st.lists(
    st.tuples(users, st.sampled_from([*SEGMENTS]), st.sampled_from(["entered", "exited"])),
    min_size=1,
    max_size=12,
)
seconds = st.floats(0.01, 4.0)
outcomes = st.lists(
    st.sampled_from([OK, SERVER_ERROR, REFUSED, TIMED_OUT, NO_AUDIENCE]), max_size=8
)
"""What becomes of the first calls."""

durations = st.lists(st.floats(0.01, TIMEOUT), min_size=1, max_size=10)
"""How long calls take, over and over."""


def first(life: Life, ends: Sequence[Outcome]) -> None:
    """Let the first calls of a life end so; of a call that timed out, nothing is applied."""
    left: Iterator[Outcome] = iter(ends)

    def answer(audience: str, batch: Batch) -> Outcome:
        end = next(left, OK)
        return life.rejecting(audience, batch) if end is OK else end

    life.emea.answer = answer


def unsteady(life: Life, durations: Sequence[float], ends: Sequence[Outcome]) -> None:
    """As `first`, and each call takes its time."""
    first(life, ends)
    answer, each = life.emea.answer, cycle(durations)

    def slowly(audience: str, batch: Batch) -> Outcome:
        life.emea.seconds = next(each)
        return answer(audience, batch)

    life.emea.answer = slowly


def late(life: Life, delays: Sequence[float]) -> None:
    """Let what timed out be applied so much later, which is within another timeout."""
    answer, each = life.emea.answer, cycle(delays)

    def applied_late(audience: str, batch: Batch) -> Outcome:
        outcome = answer(audience, batch)
        if outcome is TIMED_OUT:
            seconds = life.emea.seconds + min(next(each), TIMEOUT - 0.1)
            asyncio.get_running_loop().call_later(seconds, life.emea.apply, audience, batch)
        return outcome

    life.emea.answer = applied_late
