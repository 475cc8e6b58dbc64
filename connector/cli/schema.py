"""`connector schema`: the configuration's JSON Schema, for editors and for pipelines that check configurations."""

import argparse
import json

from connector.cli.config import add_config
from connector.settings.schema import json_schema


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options; --config is taken, as by every command, and not needed."""
    add_config(parser)


def main(_: argparse.Namespace) -> int:
    """Print the schema."""
    print(json.dumps(json_schema(), indent=2))
    return 0
