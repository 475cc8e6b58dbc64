"""The option that every command has, and reading the configuration it names."""

import argparse
import os
from pathlib import Path

from connector.settings import Secrets, Settings, load, resolve_secrets


def add_config(parser: argparse.ArgumentParser) -> None:
    """Add --config."""
    parser.add_argument(
        "--config",
        type=Path,
        metavar="F",
        help="the configuration; else CONNECTOR_CONFIG, else config/connector.yaml",
    )


def read(options: argparse.Namespace) -> tuple[Settings, Secrets]:
    """The settings and the secrets they name. Raises SettingsError with all that is wrong."""
    settings = load(options.config, os.environ)
    return settings, resolve_secrets(settings, os.environ)
