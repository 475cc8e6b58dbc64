"""What a batch tells about its rows."""

from connector.core.batch import Batch
from connector.core.checkpoint import Checkpoint
from connector.core.model import Action
from tests.core.strategies import PARTITION, row


def test_a_batch_counts_its_rows_by_span() -> None:
    checkpoint = Checkpoint()
    checkpoint.assign([PARTITION])
    first, second = (checkpoint.track(PARTITION, position, 0.0, 0) for position in (1, 2))
    rows = [row(["a"], of=first), row(["b"], of=second), row(["c"], of=first)]
    batch = Batch(Action.ADD, rows, {0: ["a", "b", "c"]}, "age")

    assert batch.spans() == {first: 2, second: 1}
