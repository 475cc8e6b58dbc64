"""`connector healthcheck`: asks the local service; for an image's HEALTHCHECK and for probes by command."""

import argparse
import http.client
import os

from connector.errors import ConnectorError
from connector.settings import load

_TIMEOUT_SECONDS = 3.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("--ready", action="store_true", help="ask /readyz instead of /healthz")


def main(options: argparse.Namespace) -> int:
    """Ask; 0 when the answer is 200."""
    admin = load(options.config, os.environ).admin
    host = "127.0.0.1" if admin.host in {"0.0.0.0", "::", ""} else admin.host
    path = "/readyz" if options.ready else "/healthz"
    connection = http.client.HTTPConnection(host, admin.port, timeout=_TIMEOUT_SECONDS)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        text = answer.read().decode(errors="replace")
    except OSError as error:
        why = error.strerror or str(error)
        raise ConnectorError(f"no answer from {host}:{admin.port}: {why}") from None
    except http.client.HTTPException as error:
        why = f"what listens there is not the connector ({type(error).__name__})"
        raise ConnectorError(f"no answer from {host}:{admin.port}: {why}") from None
    finally:
        connection.close()
    print(text)
    return 0 if answer.status == 200 else 1
