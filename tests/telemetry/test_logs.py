"""Log lines of a process that has set up its logging: their shape, what never stands in them, and how many there are."""

import io
import json
import logging
import subprocess
import sys
import timeit
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog

from connector.telemetry import logs
from connector.telemetry.catalogue import Catalogue
from connector.telemetry.events import LifeEvents

EMAIL = "jane.doe@example.com"
PHONE = "+12133734253"
DIGEST = "d6117306485ed0e50afab3ac871e98f81699151f30281527d63ff5f233656c69"
TOKEN = "0123456789abcdef0123456789abcdef01234567"
SECRETS = (EMAIL, PHONE, DIGEST, TOKEN)


def output_of(body: str, level: str = "info", style: str = "json") -> str:
    """What a process prints that sets up its logging and then does this."""
    program = f"""
import asyncio, logging, sys, warnings
import structlog
from connector.telemetry import logs
EMAIL, PHONE, DIGEST, TOKEN = {SECRETS!r}
logs.configure({level!r}, {style!r})
log = structlog.get_logger("connector")
library = logging.getLogger("some.library")
{body}
"""
    done = subprocess.run(
        [sys.executable, "-W", "default", "-c", program],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert done.stderr == ""
    return done.stdout


def lines_of(body: str, level: str = "info") -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in output_of(body, level).splitlines()]
    assert all(isinstance(line, dict) for line in lines)
    return lines


def test_every_line_is_one_json_object_whoever_wrote_it() -> None:
    lines = lines_of(
        """
log.info("running", admin_port=3)
library.warning("of a library:\\n%s", "two lines")
warnings.warn("old", DeprecationWarning)
try:
    {}["key"]
except KeyError:
    log.error("internal error", exc_info=True)
    library.exception("theirs failed")
library.error("with a stack", stack_info=True)
log.info("stopped", undelivered_changes=2**80)
log.info("stopping", why="broken \\udcff")
library.error("broken \\udcff")
"""
    )

    assert [line["level"] for line in lines] == [
        *("info", "warning", "warning", "error", "error", "error", "info", "info", "error")
    ]
    assert lines[0]["event"] == "running"
    assert lines[0]["admin_port"] == 3
    assert lines[1]["logger"] == "some.library"
    assert lines[2]["logger"] == "py.warnings"
    assert "DeprecationWarning" in lines[2]["event"]
    assert lines[3]["error_type"] == lines[4]["error_type"] == "KeyError"
    assert all(line["timestamp"].endswith("Z") for line in lines)


def test_what_a_library_says_is_masked() -> None:
    said = output_of(
        """
library.warning("no %s, %r or <%s>; %s, token=%s.", EMAIL, PHONE, DIGEST, b"\\x00\\xff", TOKEN)
library.warning({"email": EMAIL})
library.warning("call (213) 373-4253, 213-373-4253 or +1 213 373 4253 now")
warnings.warn(f"a warning about {EMAIL}")
"""
    )

    for secret in (*SECRETS, "jane", "3734253", "373-4253", "373 4253", "x00"):
        assert secret not in said
    assert said.count("[masked]") >= 8


def test_what_helps_an_operator_is_not_masked() -> None:
    (line,) = lines_of(
        'library.warning("no connection to broker-1.kafka:9092 (10.0.12.7) for members:3, error 111")'
    )

    assert line["event"] == (
        "no connection to broker-1.kafka:9092 (10.0.12.7) for members:3, error 111"
    )


def test_an_exception_is_its_type_and_places_and_never_its_text() -> None:
    said = output_of(
        """
def parse(value):
    raise ValueError(f"cannot read plain-words of {value}")

try:
    try:
        parse(EMAIL)
    except ValueError as error:
        raise RuntimeError("plain-words again") from error
except RuntimeError as error:
    log.error("ignored error", exc_info=error)
    log.error("ignored error", exc_info=True)
    library.exception("theirs")
    logs.crashed(ExceptionGroup("plain-words", [error, KeyError("plain-words")]))
"""
    )

    assert "plain-words" not in said
    lines = [json.loads(line) for line in said.splitlines()]
    assert [line["error_type"] for line in lines] == ["RuntimeError"] * 4 + ["KeyError"]
    assert lines[0]["error_at"] == ["<string>:17 <module>"]


def test_a_task_that_nobody_awaited_does_not_print_its_error() -> None:
    """Asyncio quotes the exception in its message."""
    (line,) = lines_of(
        """
async def fail():
    raise ValueError("plain-words")

async def main():
    asyncio.create_task(fail())
    await asyncio.sleep(0)
    await asyncio.sleep(0)

asyncio.run(main())
"""
    )

    assert line["event"] == "Task exception was never retrieved"
    assert line["error_type"] == "ValueError"
    assert "plain-words" not in str(line)


def test_debug_lets_no_client_library_below_warning() -> None:
    """Their debug lines hold whole requests."""
    lines = lines_of(
        """
for name in ("aiokafka", "aiokafka.conn", "aiohttp.client", "asyncio"):
    theirs = logging.getLogger(name)
    theirs.debug("a request")
    theirs.info("a request")
    theirs.warning("a warning")
log.debug("offsets committed")
""",
        level="debug",
    )

    assert [line["event"] for line in lines] == [*["a warning"] * 4, "offsets committed"]


def test_each_level_is_for_us_and_for_libraries() -> None:
    lines = lines_of(
        """
for level in ("debug", "info", "warning", "error"):
    logs.configure(level, "json")
    for one in ("debug", "info", "warning", "error"):
        getattr(log, one)("ours at " + level)
        getattr(library, one)("theirs at " + level)
        getattr(logging.getLogger("aiokafka"), one)("quiet at " + level)
"""
    )

    levels = ["debug", "info", "warning", "error"]
    for number, level in enumerate(levels):
        for who in ("ours", "theirs"):
            said = [one["level"] for one in lines if one["event"] == f"{who} at {level}"]
            assert said == levels[number:]
        quiet = [one["level"] for one in lines if one["event"] == f"quiet at {level}"]
        assert quiet == levels[max(number, 2) :]


def test_the_level_can_change_under_loggers_in_use() -> None:
    lines = lines_of(
        """
for level in ("info", "debug", "error", "warning"):
    logs.set_level(level)
    for logger in (log, library, logging.getLogger("aiokafka")):
        logger.debug(f"debug at {level}")
        logger.warning(f"warning at {level}")
""",
    )

    said = [(line.get("logger", "ours"), line["event"]) for line in lines]
    all_of_it = ["warning at info", "debug at debug", "warning at debug", "warning at warning"]
    for logger in ("ours", "some.library"):
        assert [event for one, event in said if one == logger] == all_of_it
    assert [event for one, event in said if one == "aiokafka"] == [
        event for event in all_of_it if "warning at" in event
    ]


def test_console_lines_are_text_without_colours_and_as_discreet() -> None:
    said = output_of(
        """
log.info("running", admin_port=3)
library.warning("a word on %s", EMAIL)
try:
    int("plain-words")
except ValueError:
    log.error("internal error", exc_info=True)
""",
        style="console",
    )

    assert "running" in said
    assert "admin_port=3" in said
    assert "ValueError" in said
    assert "\x1b" not in said
    assert EMAIL not in said
    assert "plain-words" not in said


def test_what_fails_in_a_thread_is_told_without_its_words() -> None:
    (line,) = lines_of(
        """
import threading
thread = threading.Thread(target=lambda: int("plain-words"))
thread.start()
thread.join()
"""
    )

    assert (line["event"], line["error_type"]) == ("ignored error", "ValueError")


def test_what_was_left_out_is_told_at_the_end() -> None:
    lines = lines_of(
        """
for number in range(25):
    log.warning("batch rejected", reason="bad_parameters", rows=number)
    library.error("cannot reach %s", number)
"""
    )

    assert len(lines) == 22
    assert {one["event"]: one for one in lines[-2:]} == {
        "batch rejected": {
            "timestamp": lines[-2]["timestamp"],
            "level": "warning",
            "event": "batch rejected",
            "reason": "bad_parameters",
            "suppressed": 15,
        },
        "cannot reach %s": {
            "timestamp": lines[-1]["timestamp"],
            "level": "error",
            "logger": "some.library",
            "event": "cannot reach %s",
            "suppressed": 15,
        },
    }


def test_a_process_that_ends_at_once_tells_before_its_last_line() -> None:
    lines = lines_of(
        """
import os
for _ in range(25):
    log.warning("offset commit failed", why="the broker did not answer in time")
log.critical("the event loop is stuck: the process ends", seconds=60, where="f (g.py:1)")
os._exit(0)
"""
    )

    assert [line.get("suppressed") for line in lines[-2:]] == [15, None]
    assert lines[-1]["level"] == "critical"


# One sink, without a process of its own


class Hands:
    """A clock that stands until it is moved."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Said:
    """A sink, our logger and a library's over it, and what they wrote."""

    def __init__(self, stream: Any = None) -> None:
        self.hands = Hands()
        self.stream = stream or io.BytesIO()
        self.sink = logs.Sink(logs._json, self.stream, self.hands)
        self.log = structlog.wrap_logger(
            None, processors=[self.sink.take], wrapper_class=logs.Logger
        )
        self.library = logging.Logger("some.library")  # noqa: LOG001  of its own, and gone with the test
        self.library.addHandler(self.sink)

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]


@pytest.fixture
def said() -> Iterator[Said]:
    before = logs.Logger.least
    logs.Logger.least = 10
    yield Said()
    logs.Logger.least = before


def test_of_a_warning_that_repeats_the_first_ten_of_a_minute_are_written(said: Said) -> None:
    for _ in range(960):
        said.log.warning("offset commit failed", why="timed out")
        said.hands.now += 0.125

    written = [line.get("suppressed") for line in said.lines]
    # Two minutes of 480 each; how many were left out of the second is told when it is over.
    assert written == [*[None] * 10, 470, *[None] * 10]
    said.sink.sum_up()
    assert said.lines[-1]["suppressed"] == 470


def test_any_line_tells_what_the_minutes_before_left_out(said: Said) -> None:
    for _ in range(12):
        said.library.warning("no connection")
    said.hands.now += 61.0
    said.log.info("partition resumed", topic="members", partition=3)

    assert [line["event"] for line in said.lines[-2:]] == ["no connection", "partition resumed"]
    assert said.lines[-2]["suppressed"] == 2


def test_the_service_lets_it_be_told_though_nothing_else_is_said(
    said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs._Current, "sink", said.sink)
    life = LifeEvents(Catalogue(), said.hands, said.hands)
    for _ in range(12):
        said.log.warning("offset commit failed", why="timed out")
    life.lines_left_out()
    assert len(said.lines) == 10
    said.hands.now += 61.0
    life.lines_left_out()
    assert said.lines[-1]["suppressed"] == 2


def test_what_differs_in_its_reason_is_told_apart(said: Said) -> None:
    for _ in range(11):
        for reason in ("timeout", "connection"):
            said.log.warning("batch will be sent again", reason=reason)
            said.log.warning("batch rejected", reason=reason)
    said.sink.sum_up(everything=True)

    summaries = [
        (line["event"], line["reason"], line["suppressed"])
        for line in said.lines
        if "suppressed" in line
    ]
    assert sorted(summaries) == [
        ("batch rejected", "connection", 1),
        ("batch rejected", "timeout", 1),
        ("batch will be sent again", "connection", 1),
        ("batch will be sent again", "timeout", 1),
    ]


@pytest.mark.parametrize("level", ["debug", "info", "error", "critical"])
def test_what_is_no_warning_is_said_each_time(said: Said, level: str) -> None:
    for _ in range(50):
        getattr(said.log, level)("audience halted: its changes wait until it is mended")

    assert len(said.lines) == 50


def test_a_library_that_puts_its_messages_together_itself_is_told_by_their_place(
    said: Said,
) -> None:
    for node in range(100):
        said.library.error(f"node {node} is gone")
    said.library.error("another")
    said.sink.sum_up(everything=True)

    assert len(said.lines) == 12
    assert said.lines[-1]["event"] == "node 0 is gone"
    assert said.lines[-1]["suppressed"] == 90


def test_a_summary_quotes_nobody_either(said: Said) -> None:
    for _ in range(11):
        said.library.error("no " + EMAIL)
        said.log.warning(EMAIL)
    said.sink.sum_up(everything=True)

    assert EMAIL not in str(said.lines)
    assert [line["event"] for line in said.lines if "suppressed" in line] == [
        "no [masked]",
        "[masked]",
    ]


def test_what_a_library_adds_to_its_message_is_counted_and_left_out(said: Said) -> None:
    said.library.error("failed", extra={"email": EMAIL, "phone": PHONE})

    (line,) = said.lines
    assert line["dropped_keys"] == 2
    assert EMAIL not in str(line)


class Unprintable:
    def __str__(self) -> str:
        raise RuntimeError(f"plain-words about {EMAIL}")


@pytest.mark.parametrize(
    "say",
    [
        lambda said: said.library.error("%d items", EMAIL),
        lambda said: said.library.error(Unprintable()),
        lambda said: said.log.error(Unprintable()),
        lambda said: said.log.warning("batch rejected", reason=[EMAIL]),
        lambda said: said.log.warning("batch rejected", reason={"of": EMAIL}),
    ],
)
def test_a_line_that_cannot_be_written_is_told_and_raises_nothing(
    said: Said, say: Callable[[Said], None], capsys: pytest.CaptureFixture[str]
) -> None:
    say(said)
    said.log.info("running", admin_port=1)

    first, last = said.lines
    assert first["event"] == "a log line could not be written"
    assert first["error_type"] in {"TypeError", "RuntimeError"}
    assert last["event"] == "running"
    assert EMAIL not in str(said.lines) + str(capsys.readouterr())


class Broken(io.BytesIO):
    def write(self, _: Any) -> int:
        raise BrokenPipeError


def test_a_stream_that_nobody_reads_any_more_stops_nothing() -> None:
    closed = io.BytesIO()
    closed.close()
    for stream in (Broken(), closed):
        said = Said(stream)
        said.log.error("internal error")
        said.library.error("theirs")


def test_a_renderer_that_fails_stops_nothing() -> None:
    def fail(_: object) -> bytes:
        raise ZeroDivisionError

    sink = logs.Sink(fail, io.BytesIO())
    structlog.wrap_logger(None, processors=[sink.take], wrapper_class=logs.Logger).error("x")
    sink.emit(logging.makeLogRecord({"msg": "x"}))
    sink.sum_up(everything=True)


def test_a_debug_line_that_is_not_written_costs_nothing_to_speak_of(said: Said) -> None:
    logs.Logger.least = 20
    log = said.log.bind()

    def say() -> None:
        log.debug("batch delivered", destination="emea", audience="7100000000000000001", rows=1000)

    best = min(timeit.repeat(say, number=2000, repeat=30)) / 2000

    assert said.lines == []
    assert best < 1e-6


def test_every_level_of_the_configuration_is_known() -> None:
    assert set(logs._LEVELS) == {"debug", "info", "warning", "error"}


def test_another_level_holds_at_once_for_loggers_that_were_used_before() -> None:
    lines = lines_of(
        """
log.info("one")
log.debug("not yet")
logs.set_level("debug")
log.debug("two")
library.info("three")
logs.set_level("error")
log.warning("no more")
library.warning("no more")
log.error("four")
"""
    )

    assert [line["event"] for line in lines] == ["one", "two", "three", "four"]
