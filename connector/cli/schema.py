"""`connector schema`: the configuration's JSON Schema, for editors and for pipelines that check configurations."""

import argparse
import json

from connector.settings.schema import json_schema


def add_arguments(_: argparse.ArgumentParser) -> None:
    """It has no options of its own; --config is taken, as by every command, and not needed."""


def main(_: argparse.Namespace) -> int:
    """Print the schema."""
    print(json.dumps(json_schema(), indent=2))
    return 0
