"""`connector emulator`: the TikTok emulator alone, for testing any client against it.

Owns the arguments and the exit codes; what the emulator does stands in connector.sandbox.emulator.
"""

import argparse
import functools
import sys
from pathlib import Path

_DEFAULT_HOST = "127.0.0.1"
_DEFAULT_PORT = 8089  # beside the connector's own 8080

_EXAMPLE = """\
example:
  connector emulator --port 8089 --qps 10 --faults faults.json

  faults.json: [{"endpoint": "segment/mapping", "probability": 0.1, "code": 40100}]
  accounts.json: {"tokens": {"a-token": ["7000000000000000001"]},
                  "audiences": [{"advertiser_id": "7000000000000000001",
                                 "audience_id": "7100000000000000001", "name": "High value"}]}
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options to its parser."""
    parser.description = "Runs an emulator of TikTok's Business API, until it is stopped."
    parser.epilog = _EXAMPLE
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--host", default=_DEFAULT_HOST, help="address (default: %(default)s)")
    parser.add_argument(
        "--port", type=int, default=_DEFAULT_PORT, help="port, 0 for any (default: %(default)s)"
    )
    parser.add_argument("--faults", type=Path, metavar="F", help="JSON file with a list of faults")
    parser.add_argument(
        "--qps",
        type=_whole,
        default=10,
        metavar="N",
        help="calls a second before code 40100, 0 for no limit (default: %(default)s)",
    )
    parser.add_argument(
        "--accounts", type=Path, metavar="F", help="JSON file with tokens and audiences"
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="S", help="of the faults' chances (default: 0)"
    )


def main(args: argparse.Namespace) -> int:
    """Run until SIGTERM or SIGINT: 0; 1 if the address is taken, 2 if a file is wrong."""
    # Here, not above: the command line must not load a web server to print its help.
    from connector.sandbox.emulator import (  # noqa: PLC0415
        DEFAULT_TOKEN,
        Emulator,
        Limits,
        Malformed,
        default_accounts,
        parse_accounts,
        parse_faults,
        run,
    )

    path = args.faults
    try:
        faults = parse_faults(path.read_bytes()) if path else []
        path = args.accounts
        accounts = parse_accounts(path.read_bytes()) if path else None
    except Malformed as error:
        return _fail(2, f"{path}: {error}")
    except OSError as error:
        return _fail(2, f"{path}: cannot be read: {error.strerror}")
    emulator = Emulator(accounts or default_accounts(), Limits(qps=args.qps), args.seed)
    emulator.add_faults(faults)
    token = None if accounts else DEFAULT_TOKEN
    announce = functools.partial(print, flush=True)
    try:
        run(args.host, args.port, emulator, token=token, announce=announce)
    except (OSError, OverflowError) as error:
        return _fail(1, f"cannot listen on {args.host}:{args.port}: {error}")
    return 0


def _whole(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError("must be 0 or more")
    return number


def _fail(code: int, line: str) -> int:
    sys.stderr.write(f"connector emulator: {line}\n")
    return code
