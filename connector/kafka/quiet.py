"""What aiokafka logs, without its floods: with a broker gone it says the same some 60 times a second.

Owns the limit. Which levels are logged, and how, is not its business.
"""

import logging
import time
from collections.abc import Callable
from typing import Final

from aiokafka.client import __name__ as _client_logger  # imported, aiokafka has made its loggers

_LIBRARY: Final = _client_logger.partition(".")[0]
_SECONDS: Final = 30.0
_MOST_TEMPLATES: Final = 1000
"""The library has fewer; a text that was put together beforehand must not fill the memory."""


class Repeats(logging.Filter):
    """Lets one line of each logger and message template pass in a while, with how many like it were left out.

    Args:
        clock: monotonic seconds.
    """

    def __init__(
        self, seconds: float = _SECONDS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__()
        self._seconds = seconds
        self._clock = clock
        self._passed_at: dict[tuple[str, str], float] = {}
        self._left_out: dict[tuple[str, str], int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        key = (record.name, str(record.msg))
        now = self._clock()
        passed_at = self._passed_at.get(key)
        if passed_at is not None and now - passed_at < self._seconds:
            self._left_out[key] = self._left_out.get(key, 0) + 1
            return False
        if len(self._passed_at) >= _MOST_TEMPLATES:
            self._passed_at.clear()
            self._left_out.clear()
        self._passed_at[key] = now
        if left_out := self._left_out.pop(key, 0):
            record.msg = f"{record.getMessage()} ({left_out} more like it since)"
            record.args = None
        return True


def install(repeats: Repeats | None = None) -> Callable[[], None]:
    """Limit what all of aiokafka's loggers say; returns what takes the limit away again.

    Loggers are limited, not their handlers: it holds whoever sets up logging, before or after.
    """
    repeats = repeats or Repeats()
    names = [name for name in logging.root.manager.loggerDict if name.startswith(_LIBRARY)]
    for name in names:
        logging.getLogger(name).addFilter(repeats)

    def remove() -> None:
        for name in names:
            logging.getLogger(name).removeFilter(repeats)

    return remove
