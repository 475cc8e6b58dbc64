"""The catalogue of metrics as the table in docs/metrics.md: python -m connector.telemetry.document prints it."""

import sys
from collections.abc import Iterator

from connector.telemetry.catalogue import Catalogue
from connector.telemetry.families import PREFIX


def table() -> str:
    """A row for each metric, in Markdown: name, kind, labels, meaning."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "| name | type | labels | meaning |"
    yield "|---|---|---|---|"
    for metric in Catalogue():
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        yield f"| `{PREFIX}{metric.name}` | {metric.kind} | {labels} | {metric.text} |"


if __name__ == "__main__":
    sys.stdout.write(table())
