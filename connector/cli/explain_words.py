"""The words of `connector explain`: an explanation as one JSON document, and that document as lines.

Lines are made of the document alone, so that both say the same. Prints nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from connector.core.model import Action
from connector.core.routing import FROM_EVENT
from connector.core.verdicts import Form, Verdict
from connector.explanation import Explanation, Led, Member, Refusal, Ruling

_MOST_LINES = 20
"""Of one kind: a message may hold thousands of memberships, a profile thousands of values."""

_COLOURS = {"accepted": 32, "filtered": 33, "invalid": 31}
_STATUS = {Action.ADD: "entered", Action.DELETE: "exited"}
_ACTION = {status: action for action, status in _STATUS.items()}
_REPEATS = "the service also leaves out what it has handled before; that is not known here"
_UNKNOWN_LIST = "who is suppressed is not known here: a sample asks nobody"
_LATEST_MS = 253_402_300_799_999

_Line = tuple[str, str]
"""A label, indented by its depth, and what is said."""


# The document


def document(
    record: Mapping[str, Any],
    format_: str,
    explanation: Explanation,
    *,
    knows_suppressed: bool | None = None,
) -> dict[str, Any]:
    """The whole explanation as JSON holds it.

    Args:
        record: what is shown of the record itself.
        format_: the name of the topic's format.
        knows_suppressed: whether the suppression list was read; None where there is none.
    """
    envelope = explanation.envelope
    return {
        "record": dict(record),
        "envelope": None if envelope is None else envelope._asdict(),
        "format": format_,
        "repeats": explanation.repeats,
        "suppression_known": knows_suppressed,
        "profiles": [[_verdict(one) for one in some] for some in explanation.profiles],
        "memberships": [_member(one) for one in explanation.members],
        "outcome": explanation.outcome,
        "changes": explanation.changes,
        "why": explanation.filtered,
        "dead_letter": _letter(explanation.refusal),
    }


def _verdict(verdict: Verdict) -> dict[str, Any]:
    judged = "usable" if verdict.is_usable else "dropped" if verdict.reason else "absent"
    return {
        "namespace": verdict.namespace,
        "target": verdict.target,
        "kind": verdict.form,
        "characters": verdict.length,
        "verdict": judged,
        "reason": verdict.reason,
        "count": verdict.times,
    }


def _member(member: Member) -> dict[str, Any]:
    return {
        "segment": member.segment,
        "segment_characters": member.segment_length,
        "status": _STATUS[member.said],
        "action": member.action,
        "permission": _ruling(member.ruling),
        "profile": member.profile,
        "profile_id_kept": member.has_profile_id,
        "time_kept": member.has_time,
        "problem": member.problem,
        "routes": [_route(one) for one in member.routes],
        "why": member.filtered,
        "refusal": _letter(member.refusal),
    }


def _ruling(ruling: Ruling | None) -> dict[str, Any] | None:
    return None if ruling is None else ruling._asdict()


def _route(led: Led) -> dict[str, Any]:
    return {
        "destination": led.audience.destination,
        "audience_id": led.audience.audience_id,
        "identities": None if led.only is None else list(led.only),
        "id_schema": list(led.schema),
        "rows": [[target for target in row if target is not None] for row in led.rows],
        "why": led.filtered,
        "refusal": _letter(led.refusal),
    }


def _letter(refusal: Refusal | None) -> dict[str, Any] | None:
    return None if refusal is None else refusal._asdict()


# The lines


def lines(document: Mapping[str, Any], *, is_coloured: bool) -> Iterator[str]:
    """The document for people: a label and a text on each line, aligned."""
    some = [*_head(document), *_body(document), *_end(document)]
    width = max(len(label) for label, _ in some)
    for label, text in some:
        line = f"{label:<{width}}  {text}".rstrip()
        if label == "outcome" and is_coloured:
            outcome = document["outcome"]
            coloured = f"\x1b[{_COLOURS[outcome]}m{outcome}\x1b[0m"
            line = f"{label:<{width}}  {coloured}{text.removeprefix(outcome)}"
        yield line


def _head(document: Mapping[str, Any]) -> Iterator[_Line]:
    record = document["record"]
    if record["offset"] is None:
        yield "record", f"a sample of {record['topic']}"
    else:
        yield "record", f"{record['topic']}:{record['partition']}:{record['offset']}"
    if "value_bytes" in record:
        if record["offset"] is not None:
            yield "  time", _time(record["timestamp_ms"])
            yield "  key", _bytes(record["key_bytes"])
        yield "  value", _bytes(record["value_bytes"])
        yield "  headers", ", ".join(record["headers"]) or "none"
        for name, value in record["header_values"].items():
            yield f"    {name}", value
    yield "envelope", _envelope(document["envelope"])
    members = document["memberships"]
    is_refused = not members and document["dead_letter"] is not None
    found = "refused" if is_refused else _count(len(members), "membership")
    yield "decoded as", f"{document['format']}: {found}"


def _envelope(envelope: Mapping[str, Any] | None) -> str:
    if envelope is None:
        return "none"
    if envelope["is_broken"]:
        return "CloudEvents, which cannot be taken off"
    if envelope["mode"] is None:
        return "CloudEvents around nothing"
    time = "a time" if envelope["has_time"] else "no time"
    problem = f", {envelope['problem']}" if envelope["problem"] else ""
    return f"CloudEvents, {envelope['mode']}, with {time}{problem}: {_bytes(envelope['value_bytes'])} in it"


def _body(document: Mapping[str, Any]) -> Iterator[_Line]:
    members = document["memberships"]
    profile = None
    for number, member in enumerate(members[:_MOST_LINES], 1):
        yield "membership", f"{number} of {len(members)}"
        yield from _told(member)
        if member["profile"] != profile:
            profile = member["profile"]
            yield from _identities(document["profiles"][profile])
        else:
            yield "  identities", "those of the membership before"
        yield from _led(member)
    if len(members) > _MOST_LINES:
        yield "membership", f"{len(members) - _MOST_LINES:,} more: see --output json"


def _told(member: Mapping[str, Any]) -> Iterator[_Line]:
    name = member["segment"]
    if name is None:
        name = f"one of {_count(member['segment_characters'], 'character')} that no route names"
    yield "  segment", name
    yield from _status(member)
    yield "  profile id", "kept" if member["profile_id_kept"] else "not kept"
    yield "  time", "kept" if member["time_kept"] else "not kept"
    if member["problem"]:
        yield "  problem", f"{member['problem']}, counted and otherwise ignored"


def _status(member: Mapping[str, Any]) -> Iterator[_Line]:
    is_other = member["action"] != _ACTION[member["status"]]
    instead = ", by the rules about people" if is_other else ""
    yield "  status", f"{member['status']}: {member['action']}{instead}"
    ruling = member["permission"]
    if ruling is None:
        return
    if ruling["has_consented"] is not None:
        yield "  consent", "given" if ruling["has_consented"] else "not given: an exit"
    if ruling["profile_is_suppressed"]:
        yield "  suppression", "the profile is suppressed: an exit"
    elif gone := ruling["suppressed"]:
        yield "  suppression", f"left out: {', '.join(gone)}"
    elif gone is not None:
        yield "  suppression", "none of it is suppressed"


def _identities(verdicts: Sequence[Mapping[str, Any]]) -> Iterator[_Line]:
    groups = _alike(verdicts)
    yield "  identities", "" if groups else "none"
    words = [_form(one, count) for one, count in groups[:_MOST_LINES]]
    width = max(map(len, words), default=0)
    for (one, _), form in zip(groups, words, strict=False):
        yield f"    {one['namespace']}", f"{form:<{width}}  {_judged(one)}"
    if len(groups) > _MOST_LINES:
        yield "    ...", f"{len(groups) - _MOST_LINES:,} more: see --output json"


def _alike(verdicts: Sequence[Mapping[str, Any]]) -> list[tuple[Mapping[str, Any], int]]:
    """Values that stand beside each other, and of which the same is said: what, and of how many."""
    groups = groupby(verdicts, lambda one: {**one, "count": 1})
    return [(said, sum(one["count"] for one in some)) for said, some in groups]


def _form(verdict: Mapping[str, Any], count: int) -> str:
    if verdict["kind"] is None:
        what = "namespace" if verdict["target"] is None else "value"
        return f"{_count(count, what)}, not looked at"
    length = verdict["characters"]
    words = verdict["kind"].replace("_", " ") + (
        "" if length is None else f", {_count(length, 'character')}"
    )
    return words if count == 1 else f"{count:,} times {words}"


def _judged(verdict: Mapping[str, Any]) -> str:
    if verdict["verdict"] == "usable":
        return f"usable as {verdict['target']}"
    if verdict["kind"] == Form.ABSENT:
        return f"nothing for {verdict['target']}"
    aim = f" for {verdict['target']}" if verdict["target"] else ""
    return f"dropped{aim}: {verdict['reason']}"


def _led(member: Mapping[str, Any]) -> Iterator[_Line]:
    for route in member["routes"]:
        takes = ", ".join(route["identities"]) if route["identities"] else "all identities"
        named = " (the event names it)" if route["audience_id"] == FROM_EVENT else ""
        audience = f"{route['destination']}/{route['audience_id']}"
        yield "  route", f"{audience}{named}, takes {takes}"
        if route["why"]:
            yield "    filtered", route["why"]
        if route["refusal"]:
            yield "    refused", f"{route['refusal']['reason']}: {route['refusal']['detail']}"
        if route["rows"]:
            yield "    sends", f"{member['action']} {audience}"
            yield "    id_schema", ", ".join(route["id_schema"])
            yield from _rows(route["rows"])
    if member["why"]:
        yield "  filtered", member["why"]
    if member["refusal"] and not member["routes"]:
        yield "  refused", f"{member['refusal']['reason']}: {member['refusal']['detail']}"


def _rows(rows: Sequence[Sequence[str]]) -> Iterator[_Line]:
    for number, row in enumerate(rows[:_MOST_LINES], 1):
        yield f"    row {number}", ", ".join(row)
    if len(rows) > _MOST_LINES:
        yield "    ...", f"{len(rows) - _MOST_LINES:,} more: see --output json"


def _end(document: Mapping[str, Any]) -> Iterator[_Line]:
    if document["repeats"]:
        yield "repeats", _REPEATS
    if document["suppression_known"] is False:
        yield "suppression", _UNKNOWN_LIST
    outcome, letter = document["outcome"], document["dead_letter"]
    if letter is not None:
        yield "outcome", f"{outcome}: it becomes a dead letter"
        yield "  reason", letter["reason"]
        yield "  stage", letter["stage"]
        yield "  detail", letter["detail"]
    elif document["changes"]:
        yield "outcome", f"{outcome}: {_count(document['changes'], 'change')}"
    else:
        why = document["why"] or _why(document["memberships"])
        yield "outcome", f"{outcome}: {why}"


def _why(members: Sequence[Mapping[str, Any]]) -> str:
    """Why nothing is sent: what all memberships and their routes have in common."""
    reasons = {one["why"] for one in members} | {
        route["why"] for one in members for route in one["routes"]
    }
    return "; ".join(sorted(reasons - {None}))


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _bytes(number: int | None) -> str:
    return "none" if number is None else _count(number, "byte")


def _time(milliseconds: int | None) -> str:
    if milliseconds is None:
        return "none"
    if milliseconds > _LATEST_MS:
        return "after the year 9999"
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
