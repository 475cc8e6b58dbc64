"""The state in words: what the connector does now, and why if it does not.

Owns the findings, their order and their words. Pure: it reads the status as it is shown, and nothing else.
"""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

Shown = Mapping[str, Any]


class Level(StrEnum):
    """Whether somebody should look."""

    OK = "ok"
    NOTICE = "notice"
    TROUBLE = "trouble"


class Finding(NamedTuple):
    """Something that is true now.

    Attributes:
        code: of a closed set; it changes when the state does, and not with a number.
        note: a sentence that says more.
    """

    code: str
    level: Level
    text: str
    note: str


def headline(shown: Shown) -> dict[str, Any]:
    """The weightiest finding, and below it the sentences of all others."""
    first, *others = _findings(shown)
    notes = [first.note, *(f"{one.text}. {one.note}".rstrip() for one in others)]
    return {
        "code": first.code,
        "level": first.level.value,
        "text": first.text,
        "notes": [note for note in notes if note],
    }


def _findings(shown: Shown) -> Iterator[Finding]:
    if shown["state"] != "running":
        yield _starting(shown) if shown["state"] == "starting" else _stopping()
        return
    looks = (_membership, _people, _destinations, _intake, _calls, _lanes, _configuration)
    found = [finding for look in looks for finding in look(shown)]
    yield from found or [_running(shown)]


def _starting(shown: Shown) -> Finding:
    note = "Waiting for Kafka and its topics."
    people = shown["people"]
    if people is not None and not people["loaded"]:
        note = "Waiting for Kafka, and reading who is suppressed: nothing is handled before that is known."
    return Finding("starting", Level.NOTICE, "Starting", note)


def _stopping() -> Finding:
    note = "Calls under way may finish. What is not delivered by then is read again."
    return Finding("stopping", Level.NOTICE, "Stopping", note)


def _membership(shown: Shown) -> Iterator[Finding]:
    if not shown["intake"]["joined"]:
        note = "The consumer group is handing out partitions anew. Nothing is lost meanwhile."
        yield Finding("joining", Level.NOTICE, "Waiting for partitions", note)


def _people(shown: Shown) -> Iterator[Finding]:
    people = shown["people"]
    if people is not None and people["problem"] is not None:
        note = f"No call is made until it is known who is suppressed: {people['problem']}."
        yield Finding("stale", Level.TROUBLE, "The suppression list may be out of date", note)


def _destinations(shown: Shown) -> Iterator[Finding]:
    refused = [one for one in shown["destinations"] if one["reason"]]
    if not refused:
        return
    names = ", ".join(one["name"] for one in refused)
    if len(refused) == len(shown["destinations"]):
        note = f"No destination accepts calls: {names}. The changes wait; nothing is lost."
        yield Finding("refused", Level.TROUBLE, "Nothing is delivered", note)
    else:
        note = f"No calls to {names}: their changes wait. The others go on."
        yield Finding("destination_refused", Level.TROUBLE, "A destination is refused", note)


def _intake(shown: Shown) -> Iterator[Finding]:
    intake = shown["intake"]
    reasons = intake["reasons"]
    if "operator" in reasons:
        by = f" by {intake['by']}" if intake["by"] else ""
        note = "What was read is still delivered; further records wait in Kafka until somebody resumes."
        yield Finding("paused", Level.NOTICE, f"Intake is paused{by}", note)
    if "blocked" in reasons:
        held_by = intake["held_by"]
        which = f"Audience {held_by['audience']} of {held_by['destination']}"
        note = f"{which} is blocked, and as much waits for it as may: mend it."
        yield Finding("held", Level.TROUBLE, "A blocked audience holds the intake", note)
    if "letters" in reasons:
        note = (
            "Look at the dead-letter topic: it does not take letters, or not as many as there are."
        )
        yield Finding("letters", Level.TROUBLE, "Dead letters hold the intake", note)
    if "pending" in reasons:
        note = "As many changes wait as may: reading goes on when half of them are delivered."
        yield Finding("full", Level.NOTICE, "Intake waits for TikTok", note)


def _calls(shown: Shown) -> Iterator[Finding]:
    if shown["limits"]["paused_for_seconds"] > 0:
        note = "It has refused every call for having too many. They go on by themselves."
        yield Finding("limited", Level.TROUBLE, "TikTok takes no calls for a while", note)


def _lanes(shown: Shown) -> Iterator[Finding]:
    counts = shown["lane_counts"]
    halted, total = counts["halted"], sum(counts.values())
    is_said = all(one["reason"] for one in shown["destinations"])
    if halted and not is_said:
        verb = "is" if halted == 1 else "are"
        note = "What waits for a halted audience is kept until that is mended."
        note += "" if halted == total else " The others go on."
        yield Finding(
            "halted", Level.TROUBLE, f"{halted:,} of {total:,} audiences {verb} halted", note
        )


def _configuration(shown: Shown) -> Iterator[Finding]:
    if shown["reload"]["outcome"] == "refused":
        note = "What is on disk is wrong, or needs a restart: the earlier configuration runs."
        yield Finding("unconfigured", Level.NOTICE, "A changed configuration is refused", note)


def _running(shown: Shown) -> Finding:
    if not shown["partitions"]:
        note = "No partition is assigned to this replica: it stands by for the others."
        return Finding("standing_by", Level.OK, "Standing by", note)
    lags = [one["lag"] for one in shown["partitions"]]
    if None in lags:
        note = ""
    elif sum(lags):
        note = f"{sum(lags):,} records wait in Kafka."
    else:
        note = "Everything in Kafka has been read."
    return Finding("running", Level.OK, "Running", note)
