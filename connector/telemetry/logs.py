"""How log lines are written: one JSON object a line, or text for people.

Owns the set-up of structlog and of the standard library's loggers, which end in one place. Logging never raises, and
waits for nothing but the write. What may stand in a line is connector.telemetry.redaction's, which of many like it are
written connector.telemetry.sampling's.
"""

import atexit
import json
import logging
import sys
import threading
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, BinaryIO, ClassVar, NamedTuple, TextIO

import orjson
import structlog
from structlog.typing import EventDict, WrappedLogger

from connector.telemetry import redaction
from connector.telemetry.redaction import Facts
from connector.telemetry.sampling import Sampler

_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}

_QUIET_LIBRARIES = ("aiokafka", "aiohttp", "asyncio", "kafka")
"""Their debug lines print requests whole, records among them: never below warning."""

_RECORD_KEYS = logging.makeLogRecord({}).__dict__.keys() | {"message", "asctime"}
"""What every record of logging has; more is what a library says beside its message."""

Render = Callable[[Facts], bytes]


class Logger(structlog.BoundLoggerBase):
    """What structlog hands out. The level is looked at with each call, so that it can change under loggers in use."""

    least: ClassVar[int] = _LEVELS["info"]

    def debug(self, event: str, **facts: object) -> None:
        """Below `least` this is all it costs."""
        if self.least <= 10:
            self._proxy_to_logger("debug", event, **facts)

    def info(self, event: str, **facts: object) -> None:
        if self.least <= 20:
            self._proxy_to_logger("info", event, **facts)

    def warning(self, event: str, **facts: object) -> None:
        if self.least <= 30:
            self._proxy_to_logger("warning", event, **facts)

    def error(self, event: str, **facts: object) -> None:
        self._proxy_to_logger("error", event, **facts)

    def critical(self, event: str, **facts: object) -> None:
        self._proxy_to_logger("critical", event, **facts)


class _Head(NamedTuple):
    """What lines that repeat have in common."""

    level: str
    event: object
    reason: object = None
    logger: str | None = None

    def redacted(self) -> Facts:
        if self.logger is not None:
            facts = redaction.of_library(self.event, None, 0)
            return {"level": self.level, "logger": self.logger, **facts}
        reason = {} if self.reason is None else {"reason": self.reason}
        return {"level": self.level, **redaction.ours(self.event, reason)}


class Sink(logging.Handler):
    """Where all lines end, ours by `take` and libraries' by `emit`.

    Args:
        clock: monotonic seconds.
    """

    def __init__(
        self, render: Render, stream: BinaryIO, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__()
        self._render = render
        self._stream = stream
        self._sampler: Sampler[_Head] = Sampler(clock)

    def take(self, _: WrappedLogger, level: str, event: EventDict) -> EventDict:
        """Write a line of ours. Raises what tells structlog that nothing is left to do."""
        try:
            self._take(level, event)
        except Exception as error:  # noqa: BLE001  logging never raises
            self._failed(error)
        raise structlog.DropEvent

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line of a library."""
        try:
            self._emit(record)
        except Exception as error:  # noqa: BLE001  logging never raises, and logging's own way quotes the line
            self._failed(error, record.name)

    def sum_up(self, *, everything: bool = False) -> None:
        """Say how many lines were left out in the minutes that are over; or in all, for this is the end."""
        try:
            for head, left_out in self._sampler.rest() if everything else self._sampler.over():
                self._write({**head.redacted(), "suppressed": left_out})
        except Exception as error:  # noqa: BLE001  logging never raises
            self._failed(error)

    def _take(self, level: str, event: EventDict) -> None:
        self.sum_up(everything=level == "critical")  # those end the process, some at once
        name = event.pop("event")
        head = _Head(level, name, event.get("reason"))
        # What is no warning is said each time: it tells of a change, or of the end.
        if level != "warning" or self._sampler.passes((name, head.reason), head):
            self._write({"level": level, **redaction.ours(name, event)})

    def _emit(self, record: logging.LogRecord) -> None:
        self.sum_up()
        level = record.levelname.lower()
        # By its place in the library's code: many put their messages together before they log them.
        place = (record.name, record.pathname, record.lineno)
        if self._sampler.passes(place, _Head(level, record.msg, logger=record.name)):
            extra = len(record.__dict__.keys() - _RECORD_KEYS)
            facts = redaction.of_library(record.getMessage(), record.exc_info, extra)
            self._write({"level": level, "logger": record.name, **facts})

    def _failed(self, error: Exception, logger: str = "connector") -> None:
        with suppress(Exception):
            facts = redaction.ours("a log line could not be written", {"exc_info": error})
            self._write({"level": "error", "logger": logger, **facts})

    def _write(self, facts: Facts) -> None:
        now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        line = self._render({"timestamp": now, **facts}) + b"\n"
        with suppress(OSError, ValueError):  # nobody reads it any more: the service goes on
            self._stream.write(line)
            self._stream.flush()


class _Current:
    """What is set up now: one for the process, as logging itself is."""

    sink: ClassVar[Sink | None] = None


def configure(level: str, style: str, stream: TextIO = sys.stdout) -> None:
    """Set up all logging of the process. `style` is json or console."""
    sink = Sink(_json if style == "json" else _console(), stream.buffer)
    structlog.configure(
        processors=[sink.take], wrapper_class=Logger, cache_logger_on_first_use=True
    )
    logging.basicConfig(handlers=[sink], force=True)
    set_level(level)
    logging.captureWarnings(capture=True)
    sys.unraisablehook = _unraisable
    threading.excepthook = _in_thread
    warnings.simplefilter("default", ResourceWarning)
    _Current.sink = sink
    atexit.register(sink.sum_up, everything=True)


def set_level(level: str) -> None:
    """Write lines of this level and above, from now on: of ours, and of libraries."""
    rank = _LEVELS[level]
    Logger.least = rank
    logging.getLogger().setLevel(rank)
    for name in _QUIET_LIBRARIES:
        logging.getLogger(name).setLevel(max(rank, logging.WARNING))


def sum_up() -> None:
    """Say how many lines were left out in the minutes that are over. To be called now and then."""
    if _Current.sink is not None:
        _Current.sink.sum_up()


def crashed(error: BaseException) -> None:
    """Say that an error nobody foresaw ended the process: its types and places, not its words."""
    if isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            crashed(one)
    else:
        structlog.get_logger("connector").critical("internal error", exc_info=error)


def _json(facts: Facts) -> bytes:
    """One line. What orjson refuses, as huge numbers or broken text, json takes."""
    try:
        return orjson.dumps(facts)
    except TypeError:
        return json.dumps(facts, default=str).encode()


def _console() -> Render:
    render = structlog.dev.ConsoleRenderer(colors=False)

    def lines(facts: Facts) -> bytes:
        return str(render(None, "", facts)).encode(errors="backslashreplace")

    return lines


def _unraisable(unraisable: Any) -> None:
    """Python's own way would print a traceback, with words that may quote a record."""
    structlog.get_logger("connector").error("ignored error", exc_info=unraisable.exc_value)


def _in_thread(failure: threading.ExceptHookArgs) -> None:
    """Likewise."""
    structlog.get_logger("connector").error("ignored error", exc_info=failure.exc_value)
