"""The command line as a whole: usage, help, exit codes, and what reaches a user when something is wrong."""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from connector import __version__
from connector.cli import main as command_line
from connector.cli.main import main
from tests.cli.surroundings import configuration

COMMANDS = tuple(command_line._COMMANDS)
CONSOLE = Path(sys.executable).parent / "connector"

Capture = pytest.CaptureFixture[str]


def ended(arguments: Sequence[str]) -> int:
    """The exit code, whether it was returned or argparse's own."""
    try:
        return main(arguments)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else -1


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "connector", *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command: str, capsys: Capture) -> None:
    assert ended([command, "--help"]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"usage: connector {command}")
    assert re.search(rf"example:\s+connector {command}", text)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_takes_config(command: str, capsys: Capture) -> None:
    ended([command, "--help"])

    assert "--config F" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["--help"], ["-h"]])
def test_help_names_every_command_and_gives_an_example(words: list[str], capsys: Capture) -> None:
    assert ended(words) == 0
    text = capsys.readouterr().out
    assert "example: connector " in text
    for command in COMMANDS:
        assert re.search(rf"^    {command}\s+\w", text, re.MULTILINE)


def test_version(capsys: Capture) -> None:
    assert ended(["--version"]) == 0
    assert capsys.readouterr().out == f"connector {__version__}\n"


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["frobnicate"],
        ["--frobnicate"],
        ["run", "--frobnicate"],
        ["schema", "surplus"],
        ["run", "--config"],
        ["check", "--output", "xml"],
        ["emulator", "--port", "many"],
        *([command, "--frobnicate"] for command in COMMANDS),
    ],
)
def test_wrong_usage_is_exit_code_2_and_says_what_is_right(
    words: list[str], capsys: Capture
) -> None:
    assert ended(words) == 2
    output, errors = capsys.readouterr()
    assert output == ""
    assert errors.startswith("usage: connector")
    assert "error: " in errors


@pytest.mark.parametrize("command", ["run", "check", "healthcheck"])
def test_a_configuration_that_is_not_there_is_exit_code_2(
    command: str, tmp_path: Path, capsys: Capture
) -> None:
    assert ended([command, "--config", str(tmp_path / "none.yaml")]) == 2
    output, errors = capsys.readouterr()
    assert output == ""
    assert errors.startswith("connector: ")
    assert errors.count("\n") == 1


@pytest.mark.parametrize("command", ["run", "check", "healthcheck"])
def test_all_problems_of_a_configuration_are_said_a_line_each(
    command: str, tmp_path: Path, capsys: Capture
) -> None:
    path = tmp_path / "connector.yaml"
    path.write_text("kafka: {topics: [], group_id: 7}\nroutes: []\nadmin: {port: many}\n")

    assert ended([command, "--config", str(path)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) >= 5
    assert all(line.startswith("connector: ") for line in lines)


def test_no_traceback_reaches_a_user(tmp_path: Path) -> None:
    done = run("run", "--config", str(tmp_path))

    assert done.returncode == 2
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


def test_the_console_command_is_the_same(tmp_path: Path) -> None:
    done = subprocess.run(
        [CONSOLE, "run", "--config", str(tmp_path / "none")],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == run("run", "--config", str(tmp_path / "none")).stderr
    assert done.stderr.startswith("connector: ")


@pytest.mark.parametrize(
    ("words", "imported"), [(["--help"], []), (["healthcheck"], ["yaml"])], ids=["help", "health"]
)
def test_what_is_asked_often_is_quick_because_it_imports_next_to_nothing(
    words: list[str], imported: list[str], tmp_path: Path
) -> None:
    program = f"""\
import sys
from connector.cli.main import main
try:
    main({words})
except SystemExit:
    pass
heavy = {{"aiohttp", "aiokafka", "pydantic", "structlog", "prometheus_client", "yaml", "orjson"}}
print("imported:", sorted(heavy & sys.modules.keys()))
"""
    path = configuration(tmp_path, "https://example.com", "127.0.0.1:1")
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "CONNECTOR_CONFIG": str(path)},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )

    assert done.stdout.endswith(f"imported: {imported}\n")


@pytest.mark.parametrize("words", [["schema"], ["--help"], ["check", "--offline"]])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_has_gone_is_no_error_to_print(
    words: list[str], unbuffered: str, tmp_path: Path
) -> None:
    path = configuration(tmp_path, "https://example.com", "127.0.0.1:1")
    environment = {"CONNECTOR_CONFIG": str(path), "PYTHONUNBUFFERED": unbuffered}
    with subprocess.Popen(
        [sys.executable, "-m", "connector", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        errors = process.stderr.read()

        # argparse itself takes no notice when help is not read.
        assert process.wait(timeout=30) in ((0, 1) if "--help" in words else (1,))
    assert errors == ""
