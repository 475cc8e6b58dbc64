"""The catalogues as tables of two documents: python -m connector.telemetry.document prints that of docs/metrics.md.

With the word logs it prints those of docs/logs.md.
"""

import sys
from collections.abc import Iterator

from connector.telemetry.catalogue import Catalogue
from connector.telemetry.families import PREFIX
from connector.telemetry.lines import ANY_KEYS, SECTIONS, SOME_KEYS, Key, Line


def table() -> str:
    """A row for each metric, in Markdown: name, kind, labels, meaning."""
    return "\n".join(_metrics()) + "\n"


def lines() -> str:
    """A table for each section of the log lines: level, name, keys, meaning."""
    return "\n".join(
        f"### {heading}\n\n" + "\n".join(_lines(some)) + "\n" for heading, some in SECTIONS.items()
    )


def any_keys() -> str:
    """A row for each key that any log line may have."""
    return "\n".join(_keys(ANY_KEYS)) + "\n"


def some_keys() -> str:
    """A row for each key that some log lines have."""
    return "\n".join(_keys(SOME_KEYS)) + "\n"


def _metrics() -> Iterator[str]:
    yield "| name | type | labels | meaning |"
    yield "|---|---|---|---|"
    for metric in Catalogue():
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        yield f"| `{PREFIX}{metric.name}` | {metric.kind} | {labels} | {metric.text} |"


def _lines(some: tuple[Line, ...]) -> Iterator[str]:
    yield "| level | event | keys | meaning |"
    yield "|---|---|---|---|"
    for line in some:
        keys = ", ".join(f"`{key}`" for key in line.keys)
        yield f"| {line.level} | `{line.event}` | {keys} | {line.meaning} |"


def _keys(some: dict[str, Key]) -> Iterator[str]:
    yield "| key | value | meaning |"
    yield "|---|---|---|"
    for name, key in some.items():
        yield f"| `{name}` | {key.shape} | {key.meaning} |"


if __name__ == "__main__":
    if sys.argv[1:] == ["logs"]:
        sys.stdout.write(f"{lines()}\n{any_keys()}\n{some_keys()}")
    else:
        sys.stdout.write(table())
