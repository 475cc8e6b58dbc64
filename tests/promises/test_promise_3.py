"""The body decides. HTTP 200 with a code that is not 0 is not success."""

import asyncio
import json

from hypothesis import given
from hypothesis import strategies as st

from connector.core.batch import Batch
from connector.core.outcome import Outcome
from connector.tiktok.protocol import CODE_LABELS, classify
from tests import virtual_time
from tests.fakes.tiktok import FakeDestination
from tests.promises.worlds import some
from tests.whole import Life, owed

CODES = {int(label) for label in CODE_LABELS if label.isdecimal()} - {0, 20001, 40050}
"""TikTok's known codes without success and its two warnings."""


class TikTok(FakeDestination):
    """Answers HTTP 200 with a code, and applies what it answers 0 to."""

    def __init__(self, code: int) -> None:
        super().__init__()
        self.code = code

    def reply(self, _: str, __: Batch) -> Outcome:
        return classify(200, json.dumps({"code": self.code}).encode())

    def apply(self, audience_id: str, batch: Batch) -> None:
        if self.code == 0:
            super().apply(audience_id, batch)


@some
@given(
    st.sampled_from(sorted(CODES))
    | st.integers(1, 99_999).filter(lambda code: code not in {20001, 40050})
)
def test_promise_3_the_body_decides(code: int) -> None:
    async def test() -> None:
        tiktok = TikTok(code)
        life = Life(tiktok=tiktok, linger=0.2)
        tiktok.answer = tiktok.reply
        life.write(*((user, "segment-1", "entered") for user in range(20)))
        async with life.flowing():
            await asyncio.sleep(30.0)
            assert tiktok.calls
            assert life.ended("delivered") == 0
            assert owed(life) == []
        tiktok.code = 0
        life = Life(life, linger=0.2)
        async with life.flowing():
            await life.until_all_is_committed()
        assert owed(life) == []

    virtual_time.run(test())
