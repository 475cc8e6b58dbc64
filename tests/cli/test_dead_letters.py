"""`connector dead-letters`: usage, and what its lines look like. On a real broker: tests/end_to_end/test_replay.py."""

import argparse
import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from connector.cli import dead_letters
from connector.cli.main import main
from connector.core.letter import REJECTED, Origin, delivery_letter
from connector.core.model import Chunk, Partition
from connector.core.outcome import Response
from connector.replay.summary import Fate, Summary
from connector.replay.survey import Survey
from tests.cli.surroundings import configuration, free_port
from tests.fakes.kafka import FakeRecord

Capture = pytest.CaptureFixture[str]
WALL = 1_800_000_000.0


def ended(*words: str) -> int:
    try:
        return main(["dead-letters", *words])
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else -1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "required: what"),
        (["purge"], "invalid choice"),
        (["list", "--reason", "malformd_json"], "did you mean malformed_json?"),
        (["list", "--reason", "rejected,xyz"], "there is no reason 'xyz': did you mean"),
        (["list", "--reason", ","], "there is no reason ','"),
        (["list", "--since", "yesterday"], "neither a time like"),
        (["list", "--since", "2026-11-20T12:00:00"], "neither a time like"),
        (["list", "--since", "5 days"], "neither a time like"),
        (["replay", "--share", "0"], "not a number above 0 and up to 1"),
        (["replay", "--share", "1.01"], "not a number above 0 and up to 1"),
        (["replay", "--share", "nan"], "not a number above 0 and up to 1"),
        (["replay", "--output", "xml"], "invalid choice"),
        (["list", "--yes", "--dry-run"], "dead-letters list takes no --yes: it is for replay"),
    ],
)
def test_wrong_usage_is_exit_code_2_and_says_what_is_right(
    words: list[str], said: str, capsys: Capture
) -> None:
    assert ended(*words) == 2
    output, errors = capsys.readouterr()
    assert output == ""
    assert said in errors
    assert "Traceback" not in errors


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("30m", 1800), ("24h", 86_400), ("7d", 604_800)]
)
def test_a_duration_counts_back_from_now(
    text: str, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.time", lambda: WALL)
    assert options("list", "--since", text).since == WALL - seconds


def test_a_time_is_a_time() -> None:
    assert options("list", "--since", "1970-01-01T01:00:00+01:00").since == 0.0
    assert options("list", "--since", "1970-01-02T00:00:00Z").since == 86_400.0


def test_reasons_may_be_repeated_or_listed() -> None:
    given = options("list", "--reason", "rejected, blocked", "--reason", "unknown_status").reason
    assert given == ["rejected", "blocked", "unknown_status"]


def options(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    dead_letters.add_arguments(parser)
    return parser.parse_args(words)


@pytest.mark.parametrize("what", ["list", "replay"])
def test_a_kafka_that_is_not_there_is_one_line(what: str, tmp_path: Path) -> None:
    def impatient(tree: dict[str, Any]) -> None:
        tree["kafka"]["startup_timeout_seconds"] = 0.5

    servers = f"127.0.0.1:{free_port()}"
    path = configuration(tmp_path, "http://127.0.0.1:1", servers, change=impatient)
    # In a process of its own: the command sets up the logging of all that follows.
    done = subprocess.run(
        [sys.executable, "-m", "connector", "dead-letters", what, "--config", str(path)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"connector: Kafka cannot be reached at {servers}")
    assert done.stderr.count("\n") == 1


def survey() -> Survey:
    found = Survey()
    change: dict[str, Any] = {
        "destination": "emea",
        "audience_id": "7",
        "action": "add",
        "row": {"EMAIL_SHA256": "a" * 64},
    }
    records = []
    for number, code in enumerate((40002, 40002, None)):
        response = Response("x", 200, code, "jane@example.com", "r")
        origin = Origin(Partition("members", 1), number, 5, b"jane@example.com")
        letter = delivery_letter(origin, REJECTED, "our words", change, response, WALL, 1)
        records.append(FakeRecord(number, 5, letter.key, letter.value, tuple(letter.headers)))
    found.take(Chunk(records, 3, [3]))
    return found


def test_a_pipe_gets_plain_lines() -> None:
    assert list(dead_letters._survey_lines(survey(), "letters", is_terminal=False)) == [
        "letters: 3 letters, from 2027-01-15T08:00:00.000Z to 2027-01-15T08:00:00.000Z, at most 1 attempt",
        "unparsable 1: records of the topic that are no letters of this connector",
        "reason=rejected stage=delivery topic=members letters=3",
        "destination=emea audience=7 code=40002 letters=2",
        "destination=emea audience=7 code=none letters=1",
        "reason=rejected source=members:1:0 detail=our words",
        "reason=rejected source=members:1:1 detail=our words",
        "reason=rejected source=members:1:2 detail=our words",
    ]


def test_a_terminal_gets_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    lines = list(dead_letters._survey_lines(survey(), "letters", is_terminal=True))

    assert "reason    stage     topic    letters" in lines
    assert "rejected  delivery  members  3" in lines
    monkeypatch.delenv("NO_COLOR")
    assert any(
        "\x1b[1m" in line
        for line in dead_letters._survey_lines(survey(), "letters", is_terminal=True)
    )


def test_no_form_shows_a_value_of_anybody() -> None:
    shown = json.dumps(dead_letters._as_json(survey()))
    for is_terminal in (False, True):
        shown += "\n".join(dead_letters._survey_lines(survey(), "letters", is_terminal=is_terminal))

    assert "@" not in shown
    assert not re.search(r"[0-9a-f]{32}", shown)


def test_an_empty_topic_says_so() -> None:
    assert list(dead_letters._survey_lines(Survey(), "letters", is_terminal=True)) == [
        "letters holds no letters"
    ]


def test_a_summary_has_a_word_for_each_letter() -> None:
    summary = Summary(chosen=5, repeated=1)
    summary.fates.update(
        [Fate.SENT, Fate.SENT, Fate.PAST_RETENTION, Fate.PAST_RETENTION, Fate.LEFT]
    )
    document = dead_letters._summary_as_json(summary)
    plain = list(dead_letters._summary_lines(summary, is_terminal=False))
    table = list(dead_letters._summary_lines(summary, is_terminal=True))

    assert sum(document[fate.value] for fate in Fate) == document["chosen"] == 5
    assert plain[:2] == ["chosen 5", "sent 2"]
    assert plain[-1].startswith("2 letters left out: the source no longer holds")
    assert "sent                  2  delivered" in table
    assert "repeated" in table[-1]


def test_a_dry_run_says_what_would_be() -> None:
    summary = Summary(is_dry_run=True, chosen=1, fates=Counter([Fate.SENT]))
    lines = list(dead_letters._summary_lines(summary, is_terminal=True))

    assert lines[0] == "dry run: nothing is sent or written"
    assert lines[2].endswith("would be sent")
