"""`connector generator`: events as a source would send them, into a topic of a real Kafka; for trying and testing.

Owns the arguments, the signals and the exit codes; what is written stands in connector.sandbox.generator.
"""

import argparse
import asyncio
import functools
import signal
import sys
from collections.abc import Coroutine
from typing import Any

from connector.cli.trying import importing_sandbox, positive


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options to its parser."""
    parser.add_argument(
        "--bootstrap-servers",
        default="localhost:9092",
        metavar="H:P",
        help="the brokers to ask first, without encryption or login (default: %(default)s)",
    )
    parser.add_argument(
        "--topic",
        default="segment-membership",
        help="where to write; it has to be there (default: %(default)s)",
    )
    parser.add_argument(
        "--rate",
        type=positive,
        default=100,
        metavar="N",
        help="events a second (default: %(default)s)",
    )
    parser.add_argument(
        "--events",
        type=positive,
        default=sys.maxsize,
        metavar="N",
        help="how many (default: until it is stopped)",
    )
    parser.add_argument(
        "--profiles",
        type=positive,
        default=10_000,
        metavar="N",
        help="how many people there are (default: %(default)s)",
    )
    parser.add_argument(
        "--segments",
        type=positive,
        default=20,
        metavar="N",
        help="how many segments they enter and leave (default: %(default)s)",
    )
    parser.add_argument(
        "--seed", type=int, default=1, metavar="S", help="same seed, same events (default: 1)"
    )


def main(args: argparse.Namespace) -> int:
    """Write until all is written, or until SIGTERM or SIGINT: 0; 1 if Kafka cannot take it."""
    # Here, not above: the command line must not load all this to print its help.
    with importing_sandbox("generator"):
        from connector.sandbox import stream  # noqa: PLC0415
        from connector.sandbox.generator import Traffic  # noqa: PLC0415
    traffic = Traffic(args.events, args.profiles, args.segments, args.seed)
    options = stream.Options(args.bootstrap_servers, args.topic, args.rate, traffic)
    announce = functools.partial(print, flush=True)
    asyncio.run(_until_stopped(stream.run(options, announce)))
    return 0


async def _until_stopped(work: Coroutine[Any, Any, None]) -> None:
    task = asyncio.create_task(work)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    await asyncio.wait({task})
    if not task.cancelled():
        task.result()
