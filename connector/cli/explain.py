"""`connector explain`: what a record becomes, step by step. Reads one record, or a file; sends and writes nothing.

Owns the options and the words. Shows no value of the record but those of three headers that say what it is.
"""

import argparse
import asyncio
import json
import logging
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from connector.cli import explain_words
from connector.cli.config import read
from connector.configured import (
    format_of,
    identity_map,
    identity_mappings,
    kafka_security,
    permission,
    routes_of,
    routing_table,
)
from connector.core.model import Partition, Record
from connector.core.suppression import SuppressionList
from connector.errors import ConnectorError, SettingsError
from connector.explanation import UNREADABLE, Explainer
from connector.kafka.lookup import record_at
from connector.settings.credentials import Secrets
from connector.settings.model import Settings
from connector.settings.topics import TopicSettings
from connector.telemetry import logs

_PLACE = re.compile(r"([A-Za-z0-9._-]{1,249}):([0-9]{1,9}):([0-9]{1,18})")
_STDIN = "-"

_MOST_BYTES = 100_000_000
"""No broker takes a record of this size."""

_SHOWN_HEADERS = ("content-type", "ce_specversion", "ce_type")
"""Those that say what the record is; of all others only the names are shown."""

_MOST_TEXT = 200


class _Place(NamedTuple):
    partition: Partition
    offset: int


class _Read(NamedTuple):
    """What was read: a record's parts, or a sample's."""

    value: bytes | None
    headers: Sequence[tuple[str, bytes]]
    key: bytes | None = None
    timestamp_ms: int = -1


_EXAMPLES = """\
examples:
  connector explain segment-membership:3:42 --output json
  connector explain --sample event.json --topic segment-membership
  connector explain --sample - --header content-type=application/cloudevents+json < event.json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = f"{parser.epilog}\n\n{_EXAMPLES}"
    parser.add_argument(
        "place",
        nargs="?",
        type=_place,
        metavar="TOPIC:PARTITION:OFFSET",
        help="the record, as dead letters and the log name it",
    )
    parser.add_argument(
        "--sample",
        metavar="FILE",
        help=f"take a record's value from a file instead, {_STDIN} for the standard input; calls nobody",
    )
    parser.add_argument(
        "--topic",
        metavar="T",
        help="with --sample: the topic it would come from; needed when several are configured",
    )
    parser.add_argument(
        "--header",
        action="append",
        default=[],
        type=_header,
        metavar="NAME=VALUE",
        help="with --sample: a header of the record; may be given again",
    )
    parser.add_argument(
        "--output",
        choices=("text", "json"),
        default="text",
        help="text, or one JSON document (default: %(default)s)",
    )


def main(options: argparse.Namespace) -> int:
    """Explain and print; 0 whatever the record becomes. Raises ConnectorError when it cannot be read."""
    _refuse_what_does_not_fit(options)
    settings, secrets = read(options)
    if options.place is not None:
        topic = _topic_of(settings, options.place)
        found = _from_kafka(settings, secrets, options.place)
    else:
        topic = _topic_of_sample(settings, options.topic)
        found = _Read(_sample(options.sample), options.header)
    suppressed = None if options.place is None else _suppressed(settings, secrets)
    explainer = Explainer(
        identity_mappings(settings),
        routing_table(settings, routes_of(settings, identity_map(settings))),
        permission(settings, suppressed),
    )
    explanation = UNREADABLE
    if found is not None:
        explanation = explainer.explain(format_of(settings, topic), found.value, found.headers)
    record = _record(options.place, topic, found)
    has_list = settings.governance.suppression_topic is not None
    document = explain_words.document(
        record,
        topic.format,
        explanation,
        knows_suppressed=suppressed is not None if has_list else None,
    )
    if options.output == "json":
        print(json.dumps(document, indent=2, ensure_ascii=False))
        return 0
    is_coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    for line in explain_words.lines(document, is_coloured=is_coloured):
        print(line)
    return 0


# Options


def _place(text: str) -> _Place:
    found = _PLACE.fullmatch(text)
    if found is None:
        raise argparse.ArgumentTypeError(
            "not of the form TOPIC:PARTITION:OFFSET, such as segment-membership:3:42"
        )
    return _Place(Partition(found[1], int(found[2])), int(found[3]))


def _header(text: str) -> tuple[str, bytes]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError("not of the form NAME=VALUE")
    return name, os.fsencode(value)


def _refuse_what_does_not_fit(options: argparse.Namespace) -> None:
    if (options.place is None) is (options.sample is None):
        raise SettingsError(
            ["explain takes either TOPIC:PARTITION:OFFSET or --sample FILE: name one of them"]
        )
    given = {"--topic": options.topic is not None, "--header": bool(options.header)}
    if options.sample is None and any(given.values()):
        names = " and ".join(name for name, is_given in given.items() if is_given)
        raise SettingsError([f"explain takes {names} with --sample only"])


def _topic_of_sample(settings: Settings, name: str | None) -> TopicSettings:
    topics = settings.kafka.topics
    if name is None and len(topics) == 1:
        return topics[0]
    names = ", ".join(one.name for one in topics)
    if name is None:
        raise SettingsError([f"--topic is needed, for several are configured: one of {names}"])
    found = next((one for one in topics if one.name == name), None)
    if found is None:
        raise SettingsError([f"--topic names none of kafka.topics: {names}"])
    return found


# Reading


def _topic_of(settings: Settings, place: _Place) -> TopicSettings:
    name = place.partition.topic
    for topic in settings.kafka.topics:
        if topic.name == name:
            return topic
    raise ConnectorError(f"{name} is none of kafka.topics: nothing says how its records are read")


def _from_kafka(settings: Settings, secrets: Secrets, place: _Place) -> _Read | None:
    """What stands there; None for what Kafka's client cannot parse."""
    # What libraries warn of is said by what is raised, in words for people.
    for library in ("aiokafka", "asyncio"):
        logging.getLogger(library).addHandler(logging.NullHandler())
    kafka = settings.kafka
    looking = record_at(
        kafka.bootstrap_servers,
        kafka_security(settings, secrets),
        kafka.isolation_level,
        place.partition,
        place.offset,
    )
    record: Record | None = asyncio.run(looking)
    if record is None:
        return None
    return _Read(record.value, tuple(record.headers), record.key, record.timestamp)


def _suppressed(settings: Settings, secrets: Secrets) -> SuppressionList | None:
    """Who is suppressed now; None where nobody is asked about."""
    if settings.governance.suppression_topic is None:
        return None
    from connector.replay.assembly import read_suppressed  # noqa: PLC0415  most need it not

    logs.configure("warning", "console", sys.stderr)
    return asyncio.run(read_suppressed(settings, secrets))


def _sample(name: str) -> bytes:
    try:
        if name == _STDIN:
            value = sys.stdin.buffer.read(_MOST_BYTES + 1)
        else:
            with Path(name).open("rb") as file:
                value = file.read(_MOST_BYTES + 1)
    except (OSError, ValueError) as error:  # a name with a zero byte is a wrong value
        why = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else "no file"
        raise ConnectorError(f"--sample cannot be read: {why}") from None
    if len(value) > _MOST_BYTES:
        raise ConnectorError("--sample is larger than any record can be")
    return value


def _record(place: _Place | None, topic: TopicSettings, found: _Read | None) -> dict[str, Any]:
    """What is shown of the record itself."""
    record: dict[str, Any] = {"topic": topic.name, "partition": None, "offset": None}
    if place is not None:
        record |= {"partition": place.partition.partition, "offset": place.offset}
    if found is None:
        return record
    shown = {
        name.lower(): _shown((value or b"").decode("utf-8", "replace"))
        for name, value in found.headers
        if name.lower() in _SHOWN_HEADERS
    }
    return record | {
        "timestamp_ms": None if found.timestamp_ms < 0 else found.timestamp_ms,
        "key_bytes": None if found.key is None else len(found.key),
        "value_bytes": None if found.value is None else len(found.value),
        "headers": [_shown(name) for name, _ in found.headers],
        "header_values": shown,
    }


def _shown(text: str) -> str:
    """Bounded, and without control characters: it comes from anybody."""
    return "".join(one if one.isprintable() else "?" for one in text[:_MOST_TEXT])
