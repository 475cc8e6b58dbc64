import logging
from collections.abc import Iterator

import pytest

from connector.kafka.quiet import Repeats, install


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def _alone() -> Iterator[None]:
    """Commands that ran in this process before have set limits of their own."""
    loggers = [logging.getLogger(name) for name in logging.root.manager.loggerDict]
    others = [
        (one, limit) for one in loggers for limit in one.filters if isinstance(limit, Repeats)
    ]
    for logger, limit in others:
        logger.removeFilter(limit)
    yield
    for logger, limit in others:
        logger.addFilter(limit)


@pytest.fixture
def clock() -> Iterator[Clock]:
    clock = Clock()
    remove = install(Repeats(30.0, clock))
    yield clock
    remove()


def texts(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


def test_the_same_line_passes_once_in_a_while_and_says_how_many_were_left_out(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    log = logging.getLogger("aiokafka")
    for node in range(100):
        log.error("Unable connect to node with id %s: %s", node, "100%")
        clock.now += 0.1
    assert texts(caplog) == ["Unable connect to node with id 0: 100%"]
    clock.now += 30
    log.error("Unable connect to node with id %s: %s", 7, "100%")
    assert texts(caplog)[1:] == ["Unable connect to node with id 7: 100% (99 more like it since)"]


def test_other_lines_and_other_loggers_are_not_held_back(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("aiokafka", "aiokafka.conn", "aiokafka.consumer.fetcher"):
        logging.getLogger(name).error("the same")
    logging.getLogger("aiokafka").error("another")
    logging.getLogger("connector").error("ours")
    logging.getLogger("connector").error("ours")
    assert len(caplog.records) == 6


def test_memory_is_bounded(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    repeats = Repeats(30.0, clock)
    for number in range(5000):
        record = logging.makeLogRecord({"name": "aiokafka", "msg": f"made of {number}"})
        assert repeats.filter(record)
    assert len(repeats._passed_at) <= 1000


def test_a_removed_limit_is_gone(caplog: pytest.LogCaptureFixture) -> None:
    install(Repeats())()
    for _ in range(3):
        logging.getLogger("aiokafka").error("the same")
    assert len(caplog.records) == 3
