"""The commands: their names, help and arguments, and how errors become exit codes.

Owns the mapping: 0 fine, 1 failed at run time, 2 wrong usage or configuration. A command's module is imported
only when it is the one: `connector --help` and `connector healthcheck` stay quick.
"""

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from connector import __version__
from connector.errors import ConnectorError, SettingsError

_COMMANDS = {
    "run": ("the long-running service", "connector run --config config/connector.yaml"),
    "check": (
        "check the configuration, Kafka and TikTok; changes nothing",
        "connector check --config config/connector.yaml --offline",
    ),
    "schema": ("print the configuration's JSON Schema", "connector schema > schema.json"),
    "dead-letters": (
        "what was set aside, and sending it again",
        "connector dead-letters list --config config/connector.yaml",
    ),
    "explain": (
        "what a record becomes, step by step; sends nothing",
        "connector explain segment-membership:3:42",
    ),
    "demo": (
        "the whole thing on an embedded broker and TikTok emulator",
        "connector demo --events 20000",
    ),
    "emulator": ("the TikTok emulator alone", "connector emulator --port 8081"),
    "generator": (
        "write events as a source would send them to a topic; for trying and testing",
        "connector generator --topic segment-membership --rate 200",
    ),
    "healthcheck": (
        "ask the local service whether it is healthy",
        "connector healthcheck --ready",
    ),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. Raises SystemExit as argparse does: for help and wrong usage."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        try:
            return _run(words)
        finally:
            sys.stdout.flush()  # else the interpreter does, and complains where we would not
    except BrokenPipeError:  # the reader of our output has gone: nothing is left to say to it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _run(words: list[str]) -> int:
    parser = _parser(next((word for word in words if word in _COMMANDS), None))
    options = parser.parse_args(words)
    command = _module(options.command)
    try:
        return int(command.main(options))
    except SettingsError as error:
        for problem in error.problems:
            print(f"connector: {problem}", file=sys.stderr)
        return 2
    except ConnectorError as error:
        print(f"connector: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 1


def _parser(wanted: str | None) -> argparse.ArgumentParser:
    """The parser of all commands; only the wanted one's own arguments are filled in."""
    parser = argparse.ArgumentParser(
        prog="connector",
        description="Streams segment-membership changes from Kafka to TikTok audiences.",
        epilog="example: connector demo",
    )
    parser.add_argument("--version", action="version", version=f"connector {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    for name, (text, example) in _COMMANDS.items():
        one = commands.add_parser(name, help=text, description=text, epilog=f"example: {example}")
        one.add_argument(
            "--config",
            type=Path,
            metavar="F",
            help="the configuration; else CONNECTOR_CONFIG, else config/connector.yaml",
        )
        if name == wanted:
            _module(name).add_arguments(one)
    return parser


def _module(command: str) -> ModuleType:
    return importlib.import_module(f"connector.cli.{command.replace('-', '_')}")
