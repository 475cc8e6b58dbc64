"""Log lines of a process that has set up its logging: their shape, and what never stands in them."""

import json
import subprocess
import sys
from typing import Any

import pytest

from connector.telemetry import logs

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
log.info("ours", rows=3)
library.warning("of a library:\\n%s", "two lines")
warnings.warn("old", DeprecationWarning)
try:
    {}["key"]
except KeyError:
    log.exception("ours failed")
    library.exception("theirs failed")
library.error("with a stack", stack_info=True)
log.error("odd", value={1, 2}, large=2**80, broken="\\udcff")
library.error("broken \\udcff")
"""
    )

    assert [line["level"] for line in lines] == [
        *("info", "warning", "warning", "error", "error", "error", "error", "error")
    ]
    assert lines[0]["event"] == "ours"
    assert lines[0]["rows"] == 3
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
    log.error("ours", exc_info=error)
    log.error("ours", exc_info=True)
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


@pytest.mark.parametrize("name", ["aiokafka", "aiokafka.conn", "aiohttp.client", "asyncio"])
def test_debug_lets_no_client_library_below_warning(name: str) -> None:
    """Their debug lines hold whole requests."""
    lines = lines_of(
        f"""
theirs = logging.getLogger({name!r})
theirs.debug("a request")
theirs.info("a request")
theirs.warning("a warning")
log.debug("ours")
""",
        level="debug",
    )

    assert [line["event"] for line in lines] == ["a warning", "ours"]


@pytest.mark.parametrize(
    ("level", "said"),
    [
        ("debug", ["debug", "info", "warning", "error"]),
        ("info", ["info", "warning", "error"]),
        ("warning", ["warning", "error"]),
        ("error", ["error"]),
    ],
)
def test_the_level_is_for_us_and_for_libraries(level: str, said: list[str]) -> None:
    lines = lines_of(
        "for one in ('debug', 'info', 'warning', 'error'):\n"
        "    getattr(log, one)('ours')\n"
        "    getattr(library, one)('theirs')\n",
        level=level,
    )

    assert [line["level"] for line in lines if line["event"] == "ours"] == said
    assert [line["level"] for line in lines if line["event"] == "theirs"] == said


def test_console_lines_are_text_without_colours_and_as_discreet() -> None:
    said = output_of(
        """
log.info("ours", rows=3)
library.warning("a word on %s", EMAIL)
try:
    int("plain-words")
except ValueError:
    log.exception("failed")
""",
        style="console",
    )

    assert "ours" in said
    assert "rows=3" in said
    assert "ValueError" in said
    assert "\x1b" not in said
    assert EMAIL not in said
    assert "plain-words" not in said


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
