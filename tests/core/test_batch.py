"""What a batch tells about its rows."""

from hypothesis import given
from hypothesis import strategies as st

from connector.core.batch import Batch, row_of
from connector.core.checkpoint import Checkpoint
from connector.core.model import Action
from tests.core.strategies import PARTITION, row


def test_a_batch_counts_its_rows_by_span() -> None:
    checkpoint = Checkpoint()
    checkpoint.assign([PARTITION])
    first, second = (checkpoint.track(PARTITION, position, 0.0, 0) for position in (1, 2))
    rows = [row([b"a"], of=first), row([b"b"], of=second), row([b"c"], of=first)]
    batch = Batch(Action.ADD, rows, {0: [b"a", b"b", b"c"]}, "age")

    assert batch.spans() == {first: 2, second: 1}


@given(st.integers(0, 2**62), st.integers(1, 2**40), st.integers(-1, 2**62), st.integers(-1, 2**62))
def test_a_row_knows_its_records_place_and_time(
    offset: int, ahead: int, timestamp_ms: int, oldest_ms: int
) -> None:
    checkpoint = Checkpoint()
    checkpoint.assign([PARTITION])
    span = checkpoint.track(PARTITION, offset + ahead, 0.0, oldest_ms)

    of_record = row_of([b"a", None], Action.ADD, span, offset, timestamp_ms, b"key")

    assert (of_record.offset, of_record.timestamp_ms) == (offset, timestamp_ms)
    assert of_record.left == 1
