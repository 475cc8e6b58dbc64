"""The state in words: which finding comes first, and what the others say below it."""

from typing import Any

import pytest

from connector.headline import headline

EMEA = {"name": "emea", "reason": None}
APAC = {"name": "apac", "reason": None}
REFUSED = {"name": "emea", "reason": "token_refused"}


def shown(**changes: Any) -> dict[str, Any]:
    """A status in which all is well, but for these."""
    intake = {"joined": True, "paused": False, "reasons": [], "by": None, "held_by": None}
    return {
        "state": "running",
        "intake": intake | changes.pop("intake", {}),
        "destinations": [EMEA, APAC],
        "lane_counts": {"open": 40, "waiting": 0, "halted": 0},
        "limits": {"paused_for_seconds": 0.0},
        "partitions": [{"lag": 0}, {"lag": 0}],
        "people": None,
        "reload": {"outcome": "applied"},
        **changes,
    }


CASES = [
    (shown(state="starting"), "starting", "notice", "Starting"),
    (
        shown(reload={"outcome": "refused"}),
        "unconfigured",
        "notice",
        "A changed configuration is refused",
    ),
    (
        shown(state="starting", people={"loaded": False, "problem": None}),
        "starting",
        "notice",
        "Starting",
    ),
    (
        shown(people={"loaded": True, "problem": "Kafka has no topic x any more: create it"}),
        "stale",
        "trouble",
        "The suppression list may be out of date",
    ),
    (shown(state="stopping"), "stopping", "notice", "Stopping"),
    (shown(intake={"joined": False}), "joining", "notice", "Waiting for partitions"),
    (
        shown(destinations=[REFUSED], lane_counts={"open": 0, "waiting": 0, "halted": 9}),
        "refused",
        "trouble",
        "Nothing is delivered",
    ),
    (shown(destinations=[REFUSED, APAC]), "destination_refused", "trouble", "A destination is re"),
    (
        shown(intake={"reasons": ["operator"], "by": "on-call"}),
        "paused",
        "notice",
        "Intake is paused by on-call",
    ),
    (
        shown(
            intake={
                "reasons": ["blocked"],
                "held_by": {"destination": "emea", "audience": "71"},
            }
        ),
        "held",
        "trouble",
        "A blocked audience holds the intake",
    ),
    (shown(intake={"reasons": ["letters"]}), "letters", "trouble", "Dead letters hold the intake"),
    (shown(intake={"reasons": ["pending"]}), "full", "notice", "Intake waits for TikTok"),
    (
        shown(limits={"paused_for_seconds": 200.0}),
        "limited",
        "trouble",
        "TikTok takes no calls for a while",
    ),
    (
        shown(lane_counts={"open": 38, "waiting": 0, "halted": 2}),
        "halted",
        "trouble",
        "2 of 40 audiences are halted",
    ),
    (shown(partitions=[]), "standing_by", "ok", "Standing by"),
    (shown(partitions=[{"lag": 3000}, {"lag": 412}]), "running", "ok", "Running"),
    (shown(), "running", "ok", "Running"),
]


@pytest.mark.parametrize(("status", "code", "level", "text"), CASES, ids=[c[1] for c in CASES])
def test_each_state_has_its_words(status: Any, code: str, level: str, text: str) -> None:
    said = headline(status)

    assert (said["code"], said["level"]) == (code, level)
    assert said["text"].startswith(text)
    assert said["notes"]
    assert all(note.endswith(".") for note in said["notes"])


@pytest.mark.parametrize(
    ("lags", "note"),
    [
        ([0, 0], "Everything in Kafka has been read."),
        ([3000, 412], "3,412 records wait in Kafka."),
        ([3000, None], None),
    ],
)
def test_running_says_what_waits(lags: list[int | None], note: str | None) -> None:
    said = headline(shown(partitions=[{"lag": lag} for lag in lags]))
    assert said["notes"] == ([note] if note else [])


def test_its_text_does_not_change_with_a_number_while_it_runs() -> None:
    """A screen reader is told of each change."""
    one = headline(shown(partitions=[{"lag": 5}]))
    other = headline(shown(partitions=[{"lag": 6}]))
    assert one["text"] == other["text"]


def test_what_weighs_most_comes_first_and_the_rest_below() -> None:
    said = headline(
        shown(
            destinations=[REFUSED, APAC],
            intake={"reasons": ["operator"], "by": "on-call"},
            lane_counts={"open": 20, "waiting": 0, "halted": 20},
        )
    )
    assert said["text"] == "A destination is refused"
    assert "emea" in said["notes"][0]
    assert said["notes"][1].startswith("Intake is paused by on-call. ")
    assert said["notes"][2].startswith("20 of 40 audiences are halted. ")


def test_the_audience_that_holds_the_intake_is_named() -> None:
    held_by = {"destination": "emea", "audience": "7100000000000000001"}
    said = headline(shown(intake={"reasons": ["blocked"], "held_by": held_by}))
    assert "Audience 7100000000000000001 of emea is blocked" in said["notes"][0]


def test_with_every_audience_halted_no_others_go_on() -> None:
    counts = {"open": 0, "waiting": 0, "halted": 1}
    said = headline(shown(lane_counts=counts))
    assert said["text"] == "1 of 1 audiences is halted"
    assert "others" not in said["notes"][0]
