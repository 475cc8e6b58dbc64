"""How log lines are written: one JSON object a line, or text for people.

Owns the set-up of structlog and of the standard library's loggers. What libraries say goes the same way, masked:
their words were not chosen with personal data in mind.
"""

import json
import logging
import re
import sys
import warnings
from typing import Any, TextIO

import orjson
import structlog
from structlog.typing import EventDict, Processor

_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}

_TELLING = re.compile(
    r"\+?\(?[0-9](?:[ ()-]{0,2}[0-9]){9,14}"  # a phone number as people write it
    r"|\S*(?:@|\\x|[0-9A-Fa-f]{12,}|[0-9]{6,})\S*|\S{41,}"
)
"""What might be an identifier, a digest, a token or bytes of a record in a library's message."""

_QUIET_LIBRARIES = ("aiokafka", "aiohttp", "asyncio", "kafka")
"""Their debug lines print requests whole, records among them: never below warning."""


def configure(level: str, style: str, stream: TextIO = sys.stdout) -> None:
    """Set up all logging of the process. `style` is json or console."""
    render = _json_renderer() if style == "json" else structlog.dev.ConsoleRenderer(colors=False)
    first: list[Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*first, _plain_errors, render],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=_factory(style, stream),
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*first, structlog.stdlib.add_logger_name, _mask],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _plain_errors,
                _text_renderer() if style == "json" else render,
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=_LEVELS[level], force=True)
    for name in _QUIET_LIBRARIES:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)
    sys.unraisablehook = _unraisable
    warnings.simplefilter("default", ResourceWarning)


def set_level(level: str) -> None:
    """Write lines of this level and above from now on. Loggers are not cached, so that all follow."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]))
    logging.getLogger().setLevel(_LEVELS[level])


def _factory(style: str, stream: TextIO) -> Any:
    if style == "json":
        return structlog.BytesLoggerFactory(stream.buffer)
    return structlog.PrintLoggerFactory(stream)


def _json_renderer() -> Processor:
    return structlog.processors.JSONRenderer(serializer=lambda event, **_: _encode(event))


def _text_renderer() -> Processor:
    return structlog.processors.JSONRenderer(serializer=lambda event, **_: _encode(event).decode())


def _encode(event: EventDict) -> bytes:
    """One line. Writing the log must not fail: what orjson refuses, as huge numbers or broken text, json takes."""
    try:
        return orjson.dumps(event, default=str)
    except TypeError:
        return json.dumps(event, default=str).encode()


def _mask(_: Any, __: str, event: EventDict) -> EventDict:
    """Of a library's message, the first line, masked: asyncio quotes exceptions further down, warnings source code."""
    first = str(event["event"]).partition("\n")[0]
    event["event"] = _TELLING.sub("[masked]", first)
    return event


def _plain_errors(_: Any, __: str, event: EventDict) -> EventDict:
    """Of an exception, its type and where it was raised: its text and its locals may quote a record."""
    error = event.pop("exc_info", None)
    if error is True:
        error = sys.exc_info()
    if isinstance(error, tuple):
        error = error[1]
    if isinstance(error, BaseException):
        event["error_type"] = type(error).__name__
        event["error_at"] = _where(error)
    event.pop("stack_info", None)
    return event


def _where(error: BaseException) -> list[str]:
    places = []
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        places.append(f"{code.co_filename.rpartition('/')[2]}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return places[-8:]


def crashed(error: BaseException) -> None:
    """Say that an error nobody foresaw ended the process: its types and places, not its words."""
    if isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            crashed(one)
    else:
        structlog.get_logger("connector").critical("internal error", exc_info=error)


def _unraisable(unraisable: Any) -> None:
    """Python's own way would print a traceback, with words that may quote a record."""
    structlog.get_logger("connector").error("ignored error", exc_info=unraisable.exc_value)
