"""Nothing is lost.

An offset is committed only when every change at or below it is delivered, superseded or filtered, or its letter is
acknowledged by the broker. Whenever the process is killed, the audiences end as the events say.
"""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from connector.core.outcome import Outcome
from tests import virtual_time
from tests.fakes.kafka import Hole
from tests.promises.worlds import Change, changes, first, outcomes, seconds, some
from tests.test_intake import P0, P1
from tests.whole import Life, finish, owed

BAD = (4, 5)
BROKEN = [b"no event", None, Hole.UNREADABLE, Hole.GAP, b""]


def life_of(beside: Life | None = None) -> Life:
    return Life(beside, bad=BAD, poll_records=5, qps=20.0, linger=0.2)


@some
@given(changes, changes, outcomes, st.lists(st.tuples(seconds, st.booleans()), max_size=3))
def test_promise_1_nothing_is_lost(
    before: list[Change],
    after: list[Change],
    ends: list[Outcome],
    deaths: list[tuple[float, bool]],
) -> None:
    async def test() -> None:
        life = life_of()
        life.write(*before)
        life.kafka.push(P0, BROKEN)
        life.kafka.push(P1, BROKEN)
        life.write(*after)
        for lived, takes_letters in deaths:
            life.letters.refusing = not takes_letters
            first(life, ends)
            async with life.flowing():
                await asyncio.sleep(lived)
            assert owed(life) == []
            life = life_of(life)
        await finish(life)

    virtual_time.run(test())
