"""What the commands for trying the connector out share: a kind of argument, and that they need more to be installed."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager

from connector.errors import ConnectorError


def positive(text: str) -> int:
    """An argument that is a whole number, 1 or more."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


@contextmanager
def importing_sandbox(command: str) -> Iterator[None]:
    """Around imports of connector.sandbox: raises ConnectorError, with what to install, where a library is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("connector"):
            raise
        raise ConnectorError(
            f"the {command} needs {error.name}: pip install 'tiktok-audience-connector[sandbox]'"
        ) from error
