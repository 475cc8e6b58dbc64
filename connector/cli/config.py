"""Reading the configuration that a command's --config names."""

import argparse
import os

from connector.settings.credentials import Secrets, resolve_secrets
from connector.settings.load import load
from connector.settings.model import Settings


def read(options: argparse.Namespace) -> tuple[Settings, Secrets]:
    """The settings and the secrets they name. Raises SettingsError with all that is wrong."""
    settings = load(options.config, os.environ)
    return settings, resolve_secrets(settings, os.environ)
