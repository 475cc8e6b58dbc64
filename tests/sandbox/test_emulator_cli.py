"""`connector emulator` as a process: what it prints, how it ends."""

import argparse
import json
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from connector.cli.emulator import add_arguments, main

_PROGRAM = """\
import argparse, sys
from connector.cli.emulator import add_arguments, main
parser = argparse.ArgumentParser()
add_arguments(parser)
sys.exit(main(parser.parse_args()))
"""


def parsed(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser.parse_args(arguments)


def test_it_says_where_it_listens_and_ends_well_on_sigterm(tmp_path: Path) -> None:
    faults = tmp_path / "faults.json"
    faults.write_text('[{"endpoint": "segment/mapping", "code": 40100}]')
    command = [sys.executable, "-c", _PROGRAM, "--port", "0", "--faults", str(faults)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(4)]
        root = lines[0].split()[-1].removesuffix("/open_api/v1.3")
        with urllib.request.urlopen(f"{root}/_emulator/faults", timeout=5) as answer:
            shown = json.load(answer)
        process.send_signal(signal.SIGTERM)

        assert process.wait(timeout=10) == 0
    assert shown["faults"][0]["code"] == 40100
    assert lines[1] == "Access-Token: emulator-access-token\n"
    assert f"{root}/_emulator/stats" in lines[2]


@pytest.mark.parametrize(
    ("option", "content", "message"),
    [
        ("--faults", '[{"code": 1}, {"cod": 2}]', "faults[1]: Object contains unknown field `cod`"),
        ("--faults", "[", "faults: not valid JSON"),
        ("--accounts", '{"tokens": []}', "accounts.tokens: Expected `object`"),
        ("--accounts", None, "cannot be read: No such file"),
    ],
)
def test_a_wrong_file_is_one_line_and_exit_code_2(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    option: str,
    content: str | None,
    message: str,
) -> None:
    path = tmp_path / "file.json"
    if content is not None:
        path.write_text(content)

    assert main(parsed(option, str(path))) == 2
    error = capsys.readouterr().err
    assert message in error
    assert str(path) in error
    assert error.count("\n") == 1


def test_an_address_in_use_is_one_line_and_exit_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        assert main(parsed("--port", str(port))) == 1
    assert capsys.readouterr().err.startswith(
        f"connector emulator: cannot listen on 127.0.0.1:{port}"
    )


def test_a_negative_limit_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parsed("--qps", "-1")

    assert ended.value.code == 2
    assert "must be 0 or more" in capsys.readouterr().err
