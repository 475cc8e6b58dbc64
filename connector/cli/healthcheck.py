"""`connector healthcheck`: asks the local service; for an image's HEALTHCHECK and for probes by command."""

import argparse
import http.client
import os
from pathlib import Path

from connector.errors import ConnectorError
from connector.settings import address

_TIMEOUT_SECONDS = 3.0
_EVERYWHERE = frozenset(("0.0.0.0", "::", ""))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("--ready", action="store_true", help="ask /readyz instead of /healthz")


def main(options: argparse.Namespace) -> int:
    """Ask; 0 when the answer is 200."""
    listening_host, port = address.read(options.config, os.environ) or _configured(options.config)
    host = "127.0.0.1" if listening_host in _EVERYWHERE else listening_host
    path = "/readyz" if options.ready else "/healthz"
    connection = http.client.HTTPConnection(host, port, timeout=_TIMEOUT_SECONDS)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        text = answer.read().decode(errors="replace")
    except OSError as error:
        why = error.strerror or str(error)
        raise ConnectorError(f"no answer from {host}:{port}: {why}") from None
    except http.client.HTTPException as error:
        why = f"what listens there is not the connector ({type(error).__name__})"
        raise ConnectorError(f"no answer from {host}:{port}: {why}") from None
    finally:
        connection.close()
    print(text)
    return 0 if answer.status == 200 else 1


def _configured(path: Path | None) -> tuple[str, int]:
    """By reading all of the configuration, which says what is wrong with it."""
    from connector.settings.load import load  # noqa: PLC0415  a quarter of a second

    admin = load(path, os.environ).admin
    return admin.host, admin.port
