"""`connector run`: the service, until a signal or, with --until-end, until all is delivered."""

import argparse
import asyncio
import signal
import sys
from pathlib import Path

from connector.cli.config import read
from connector.errors import ConnectorError
from connector.settings.credentials import Secrets
from connector.settings.model import Settings
from connector.telemetry import logs


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "--until-end",
        action="store_true",
        help="read up to the ends seen at start, deliver everything, commit, exit",
    )


def main(options: argparse.Namespace) -> int:
    """Run the service; 0 after a signal or when the end is reached."""
    # Until the service has its own handler nothing is under way: a stop is a stop.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # it is about to be read
    settings, secrets = read(options)
    logs.configure(settings.log.level, settings.log.format)
    try:
        asyncio.run(_run(options.config, settings, secrets, until_end=options.until_end))
    except asyncio.CancelledError:
        raise ConnectorError(
            "stopped at once by a second signal; nothing uncommitted is lost"
        ) from None
    except BaseExceptionGroup as group:
        known = _first_known(group)
        if known is not None:
            raise known from group
        logs.crashed(group)
        print("connector: an internal error ended the service: see the log", file=sys.stderr)
        return 1
    return 0


async def _run(path: Path | None, settings: Settings, secrets: Secrets, *, until_end: bool) -> None:
    from connector.app import Application  # noqa: PLC0415  half a second that --help need not pay

    await Application(path, settings, secrets, until_end=until_end).run()


def _first_known(group: BaseExceptionGroup[BaseException]) -> ConnectorError | None:
    """The error a user can act on, if all that failed was of that kind."""
    known, unknown = group.split(ConnectorError)
    if known is None or unknown is not None:
        return None
    error: BaseException = known
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error if isinstance(error, ConnectorError) else None
