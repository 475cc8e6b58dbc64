"""Events: what each does to the metrics, what it says, and what none of them ever says."""

import inspect
from collections.abc import Callable, Collection, Iterator, MutableMapping, Sequence
from typing import Any, get_type_hints

import pytest
import structlog
from structlog.testing import capture_logs

from connector.core.batch import Batch, row_of
from connector.core.checkpoint import Checkpoint, Span
from connector.core.identity import Target
from connector.core.model import Action, Partition
from connector.core.outcome import Delivered, Rejected, Response, Retryable
from connector.core.rate_limit import RateLimit
from connector.core.routing import AudienceKey
from connector.telemetry import redaction
from connector.telemetry.catalogue import Catalogue
from connector.telemetry.events import (
    ChangeEnd,
    DeliveryEvents,
    IntakeEvents,
    LifeEvents,
    RecordEnd,
)
from connector.telemetry.lines import LINES

TOPIC = "members"
PARTITION = Partition(TOPIC, 3)
AUDIENCE = AudienceKey("emea", "7100000000000000001")
DIGEST = "d6117306485ed0e50afab3ac871e98f81699151f30281527d63ff5f233656c69"
RAW = bytes.fromhex(DIGEST)
RAW_END = RAW[-4:].decode()
"""As Python writes bytes, too: these are letters."""
QUOTE = f"id {DIGEST} of jane@example.com is not valid"
RESPONSE = Response("40002", 200, 40002, message=QUOTE, request_id="20261120120000ABCDEF")

Logged = list[MutableMapping[str, Any]]


class Telemetry(LifeEvents, IntakeEvents, DeliveryEvents):
    """All events over one catalogue."""


class Hands:
    """Two clocks that stand until they are moved."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.wall = 1_760_000_000.0


@pytest.fixture(autouse=True)
def _unconfigured() -> None:
    """A command that ran in this process before has set a level of its own."""
    structlog.reset_defaults()


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
def telemetry(hands: Hands) -> Telemetry:
    return Telemetry(Catalogue(), lambda: hands.now, lambda: hands.wall)


@pytest.fixture
def logged() -> Iterator[Logged]:
    with capture_logs() as lines:
        yield lines


def span() -> Span:
    checkpoint = Checkpoint()
    checkpoint.assign([PARTITION])
    return checkpoint.track(PARTITION, 10, 0.0, -1)


def batch(*timestamps: int) -> Batch:
    here = span()
    rows = [
        row_of([RAW], Action.ADD, here, offset, timestamp, b"profile-1")
        for offset, timestamp in enumerate(timestamps or (-1,))
    ]
    return Batch(Action.ADD, rows, {0: [RAW] * len(rows)}, "size")


SAMPLES: dict[Any, Any] = {
    str: "connection",
    int: 3,
    float: 1.5,
    Partition: PARTITION,
    Collection[Partition]: [PARTITION],
    Collection[str]: ["emea"],
    ChangeEnd: ChangeEnd.DELIVERED,
    Batch: batch(1_759_999_999_000),
    AudienceKey: AUDIENCE,
    Sequence[Target]: [Target.EMAIL_SHA256],
    Delivered: Delivered(RESPONSE, "partial_success"),
    Retryable: Retryable("audience_busy", RESPONSE),
    Rejected: Rejected("bad_parameters", RESPONSE),
    Response: RESPONSE,
    RateLimit: RateLimit(10.0),
}


def events() -> list[str]:
    names = [name for name, _ in inspect.getmembers(Telemetry, inspect.isfunction)]
    return [name for name in names if not name.startswith("_")]


def tell(telemetry: Telemetry, name: str) -> None:
    """Call an event with a sample for each of its arguments."""
    event: Callable[..., None] = getattr(telemetry, name)
    hints = get_type_hints(event)
    hints.pop("return")
    event(*(SAMPLES[hint] for hint in hints.values()))


@pytest.mark.parametrize("name", events())
def test_no_event_says_what_tiktok_said_or_whom_it_is_about(
    name: str, telemetry: Telemetry, logged: Logged
) -> None:
    tell(telemetry, name)

    said = str(logged)
    for secret in (QUOTE, "jane", DIGEST, DIGEST[:12], RAW_END, "profile-1"):
        assert secret not in said


@pytest.mark.parametrize("name", events())
def test_every_line_is_written_as_it_was_said(
    name: str, telemetry: Telemetry, logged: Logged
) -> None:
    """Nothing in it is unknown to the catalogue, or of another shape than it says."""
    tell(telemetry, name)

    for line in logged:
        event, level = line.pop("event"), line.pop("log_level")
        assert redaction.ours(event, line) == {"event": event, **line}
        assert LINES[event].level == level


def test_lines_were_said(telemetry: Telemetry, logged: Logged) -> None:
    for name in events():
        tell(telemetry, name)

    assert len({line["event"] for line in logged}) > 30


def test_no_label_holds_what_tiktok_said_or_whom_it_is_about(telemetry: Telemetry) -> None:
    for name in events():
        tell(telemetry, name)

    labels = {label for family in telemetry.metrics for key in _series(family) for label in key}
    assert not {label for label in labels if DIGEST[:12] in label or " " in label}
    assert not {label for label in labels if RAW_END in label}


def _series(family: Any) -> list[tuple[str, ...]]:
    return [tuple(sample.labels.values()) for sample in family.collect().samples]


@pytest.mark.parametrize(
    ("request_id", "said"),
    [
        ("20261120120000ABCDEF0123456789ABCDEF", "20261120120000ABCDEF0123456789ABCDEF"),
        ("id of jane@example.com", "idofjaneexamplecom"),
        (DIGEST, None),
        ("", None),
    ],
)
def test_a_request_id_is_said_only_if_it_looks_like_one(
    request_id: str, said: str | None, telemetry: Telemetry, logged: Logged
) -> None:
    telemetry.destination_halted(
        "emea", "token_refused", Response("40105", 200, 40105, "", request_id)
    )

    assert logged[0].get("request_id") == said
    assert logged[0]["code"] == 40105


def test_a_halt_is_said_each_time(telemetry: Telemetry, logged: Logged) -> None:
    for _ in range(2):
        telemetry.audience_halted(AUDIENCE, "audience_missing", RESPONSE)

    assert [line["log_level"] for line in logged] == ["error", "error"]


def test_every_record_is_counted_once(telemetry: Telemetry) -> None:
    telemetry.records_ended(TOPIC, accepted=5, filtered=2, invalid=1)
    telemetry.records_ended(TOPIC, accepted=1, filtered=0, invalid=0)

    metrics = telemetry.metrics
    assert metrics.records_consumed.values == {(TOPIC,): 9}
    assert metrics.records.values == {
        (TOPIC, RecordEnd.ACCEPTED): 6,
        (TOPIC, RecordEnd.FILTERED): 2,
        (TOPIC, RecordEnd.INVALID): 1,
    }


def test_latency_counts_from_the_records_own_timestamps(telemetry: Telemetry, hands: Hands) -> None:
    now = int(hands.wall * 1000)
    rows = batch(now - 250, now - 4000, -1)
    telemetry.batch_delivered(AUDIENCE, rows, [Target.EMAIL_SHA256])

    latency = telemetry.metrics.delivery_latency_seconds
    assert latency.count(TOPIC) == 2  # of a record without a timestamp nothing is known
    assert latency._sums[TOPIC,] == pytest.approx(4.25, abs=0.01)
    sent = telemetry.metrics.identifiers_sent.values
    assert sent == {(Target.EMAIL_SHA256, Action.ADD): 3}
