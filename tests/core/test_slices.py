"""A chunk in parts: nothing is lost, doubled or moved, and each part says how far it goes."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from connector.core.model import Chunk, slices
from tests.fakes.kafka import FakeRecord

values = st.lists(st.none() | st.binary(max_size=40), max_size=30)


@given(values, st.integers(1, 8), st.integers(0, 60), st.integers(1, 3))
def test_the_parts_make_up_the_whole(
    some: list[bytes | None], most_records: int, most_bytes: int, gap: int
) -> None:
    records = [FakeRecord(10 + gap * index, 0, None, value) for index, value in enumerate(some)]
    chunk = Chunk(records, 10 + gap * len(some) + 5, [3])
    parts = list(slices(chunk, most_records, most_bytes))

    assert [record for part in parts for record in part.records] == records
    assert parts[-1].position == chunk.position
    assert [one for part in parts for one in part.unreadable] == [3]
    for part, after in itertools.pairwise(parts):
        assert part.position == after.records[0].offset
    for part in parts:
        assert len(part.records) <= most_records
        size = sum(len(record.value or b"") for record in part.records)
        assert size <= most_bytes or len(part.records) == 1


def test_an_ordinary_poll_is_not_copied() -> None:
    chunk = Chunk([FakeRecord(1, 0, None, b"x")], 2)
    [part] = slices(chunk, 250, 32_000)

    assert part.records is chunk.records
