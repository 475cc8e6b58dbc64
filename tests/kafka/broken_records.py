"""Records that no honest client writes: header keys that are not UTF-8. The broker takes them, as it takes any bytes."""

from collections.abc import Sequence

from aiokafka import AIOKafkaProducer
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.default_records import DefaultRecordBatchBuilder, _DefaultRecordBatchBuilderPy

CODECS = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}


class NotUtf8(str):
    """A header key that becomes bytes which are no text."""

    __slots__ = ()

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        return b"\xff\xfe\xfd"


class _Batch(BatchBuilder):  # type: ignore[misc]
    """A batch from the library's builder in Python: the compiled one takes no strange keys."""

    def __init__(self, codec: str, *, is_transactional: bool = False) -> None:
        super().__init__(16_000_000, CODECS[codec], is_transactional=int(is_transactional))
        self._builder = _DefaultRecordBatchBuilderPy(
            2, CODECS[codec], int(is_transactional), -1, -1, 0, 16_000_000
        )

    def _set_producer_state(self, producer_id: int, epoch: int, sequence: int) -> None:
        self._builder.set_producer_state(producer_id, epoch, sequence)


assert DefaultRecordBatchBuilder is not _DefaultRecordBatchBuilderPy, "aiokafka is not compiled"


def batch(
    values: Sequence[bytes | None],
    bad: Sequence[int],
    codec: str = "none",
    *,
    is_transactional: bool = False,
) -> BatchBuilder:
    """A batch of these values; those at `bad` have a header key that is not UTF-8."""
    made = _Batch(codec, is_transactional=is_transactional)
    for index, value in enumerate(values):
        name = NotUtf8("x") if index in bad else "fine"
        headers = [("before", b"1"), (name, b"2"), ("after", None)]
        made.append(timestamp=1000 + index, key=b"key", value=value, headers=headers)
    return made


async def write(
    servers: str,
    topic: str,
    *batches: BatchBuilder,
    transaction: str | None = None,
    partition: int = 0,
) -> None:
    """Write the batches as they are, each acknowledged; in a transaction named "abort" or "commit"."""
    name = None if transaction is None else f"{topic}-{transaction}"
    producer = AIOKafkaProducer(bootstrap_servers=servers, transactional_id=name, acks="all")
    await producer.start()
    try:
        if transaction:
            await producer.begin_transaction()
        for one in batches:
            one.close()
            await (await producer.send_batch(one, topic, partition=partition))
        if transaction:
            await getattr(producer, f"{transaction}_transaction")()
    finally:
        await producer.stop()
