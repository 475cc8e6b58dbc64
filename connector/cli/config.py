"""Reading the configuration that a command's --config names."""

import argparse
import os

from connector.settings import Secrets, Settings, load, resolve_secrets


def read(options: argparse.Namespace) -> tuple[Settings, Secrets]:
    """The settings and the secrets they name. Raises SettingsError with all that is wrong."""
    settings = load(options.config, os.environ)
    return settings, resolve_secrets(settings, os.environ)
