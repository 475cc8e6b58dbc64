"""`connector demo`: the whole thing on one machine, with nothing to install and nothing to configure.

Owns the arguments and the exit codes; what the demo does stands in connector.sandbox.demo.
"""

import argparse

from connector.cli.trying import importing_sandbox, positive


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options to its parser."""
    parser.add_argument(
        "--events",
        type=positive,
        default=100_000,
        metavar="N",
        help="how many to generate (default: %(default)s)",
    )
    parser.add_argument(
        "--keep", action="store_true", help="leave it running after the comparison, until Ctrl-C"
    )
    parser.add_argument(
        "--port",
        type=_port,
        default=0,
        metavar="P",
        help="of the connector's /status and /metrics (default: a free one)",
    )
    parser.add_argument(
        "--seed", type=int, default=1, metavar="S", help="same seed, same events (default: 1)"
    )


def main(args: argparse.Namespace) -> int:
    """Run the demo; 0 if TikTok's side is equal to what the events imply, else 1."""
    # Here, not above: the command line must not load all this to print its help.
    with importing_sandbox("demo"):
        from connector.sandbox import demo  # noqa: PLC0415
    return demo.main(demo.Options(args.events, args.seed, args.port, args.keep))


def _port(text: str) -> int:
    number = int(text)
    if not 0 <= number <= 65_535:
        raise argparse.ArgumentTypeError("must be 0 to 65535")
    return number
