"""`connector dead-letters`: what was set aside, and sending it again.

Owns the options and the words. Shows no key, payload, row or text of TikTok's.
"""

import argparse
import asyncio
import difflib
import json
import os
import re
import signal
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from connector.cli.config import read
from connector.errors import ConnectorError, SettingsError
from connector.replay.choice import Wanted
from connector.replay.letters import REASONS
from connector.replay.summary import Fate, Summary
from connector.replay.survey import Survey
from connector.settings.credentials import Secrets
from connector.settings.model import Settings
from connector.telemetry import logs

_SHARE = 0.1
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_DURATION = re.compile(r"([0-9]{1,9})([smhdw])")

_EXAMPLES = """\
examples:
  connector dead-letters list --since 24h
  connector dead-letters list --reason malformed_json,missing_field --output json
  connector dead-letters replay --reason rejected --since 7d --dry-run
  connector dead-letters replay --since 2026-11-20T00:00:00Z --share 0.5 --yes
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = f"{parser.epilog}\n\n{_EXAMPLES}"
    parser.add_argument(
        "what",
        choices=("list", "replay"),
        help="list: count the letters; replay: send them again, but for what has changed since",
    )
    parser.add_argument(
        "--reason",
        action="extend",
        type=_reasons,
        default=[],
        metavar="R",
        help="only these reasons, separated by commas; may be given again",
    )
    parser.add_argument(
        "--since",
        type=_since,
        metavar="T",
        help="only what was set aside since then: a time (RFC 3339), or how long ago (30m, 24h, 7d)",
    )
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="replay: say what it would do; send and write nothing",
    )
    parser.add_argument(
        "--share",
        type=_share,
        metavar="S",
        help=f"replay: the part of the allowance of calls that it uses, above 0 and up to 1 (default: {_SHARE})",
    )
    parser.add_argument(
        "--yes",
        action="store_true",
        help="replay: also letters about records that the source no longer holds, though newer changes may be gone",
    )
    parser.add_argument(
        "--output",
        choices=("text", "json"),
        default="text",
        help="text, or one JSON document (default: %(default)s)",
    )


def main(options: argparse.Namespace) -> int:
    """List or replay; 0 when it is done. Raises ConnectorError for what a user can act on."""
    wanted = Wanted(frozenset(options.reason), options.since)
    if options.what == "list":
        _refuse_options_of_replay(options)
    settings, secrets = read(options)
    logs.configure(settings.log.level, settings.log.format, sys.stderr)
    if options.what == "list":
        survey = asyncio.run(_survey(settings, secrets, wanted))
        topic = settings.kafka.dead_letter_topic
        lines = _survey_lines(survey, topic, is_terminal=sys.stdout.isatty())
        _print(_as_json(survey), lines, options.output)
        return 0
    return _replay(settings, secrets, wanted, options)


def _replay(
    settings: Settings, secrets: Secrets, wanted: Wanted, options: argparse.Namespace
) -> int:
    from connector.replay.run import Replay, Request  # noqa: PLC0415  --help need not pay for it

    request = Request(wanted, options.share or _SHARE, options.dry_run, options.yes)
    # Until the replay has its own handler nothing is under way: a stop is a stop.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))

    async def run() -> Summary:
        return await Replay(settings, secrets, request).run()

    try:
        summary = asyncio.run(run())
    except asyncio.CancelledError:
        raise ConnectorError(
            "stopped at once by a second signal: the letters stay in the topic"
        ) from None
    lines = _summary_lines(summary, is_terminal=sys.stdout.isatty())
    _print(_summary_as_json(summary), lines, options.output)
    if summary.is_stuck:
        raise ConnectorError(
            f"nothing but halted work is left: {_letters(summary.fates[Fate.LEFT])} not sent."
            " See the log for what TikTok refuses; they stay in the topic"
        )
    return 0


async def _survey(settings: Settings, secrets: Secrets, wanted: Wanted) -> Survey:
    from connector.replay.assembly import read_dead_letters  # noqa: PLC0415  as above

    survey = Survey(wanted)
    await read_dead_letters(settings, secrets, survey.take)
    return survey


# Options


def _reasons(text: str) -> list[str]:
    reasons = [one.strip() for one in text.split(",") if one.strip()]
    for one in reasons or [text]:
        if one not in REASONS:
            near = difflib.get_close_matches(one, REASONS, 1, 0.0)[0]
            raise argparse.ArgumentTypeError(f"there is no reason {one!r}: did you mean {near}?")
    return reasons


def _since(text: str) -> float:
    if duration := _DURATION.fullmatch(text):
        return time.time() - int(duration[1]) * _UNITS[duration[2]]
    try:
        since = datetime.fromisoformat(text)
        if since.tzinfo is not None:
            return since.timestamp()
    except (ValueError, OverflowError):
        pass
    raise argparse.ArgumentTypeError(
        f"{text!r} is neither a time like 2026-11-20T12:00:00Z nor a duration like 30m, 24h or 7d"
    )


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = 0.0
    if not 0.0 < share <= 1.0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0 and up to 1")
    return share


def _refuse_options_of_replay(options: argparse.Namespace) -> None:
    given = {"--dry-run": options.dry_run, "--share": options.share, "--yes": options.yes}
    if names := [name for name, value in given.items() if value]:
        raise SettingsError(
            [f"dead-letters list takes no {name}: it is for replay" for name in names]
        )


# Output


def _print(document: dict[str, Any], lines: Iterable[str], output: str) -> None:
    if output == "json":
        print(json.dumps(document, indent=2, ensure_ascii=False))
    else:
        for line in lines:
            print(line)


def _as_json(survey: Survey) -> dict[str, Any]:
    return {
        "letters": survey.letters,
        "unparsable": survey.unparsable,
        "oldest": _time(survey.oldest),
        "newest": _time(survey.newest),
        "most_attempts": survey.most_attempts,
        "reasons": [
            {**kind._asdict(), "letters": count} for kind, count in survey.kinds.most_common()
        ],
        "deliveries": [
            {**refusal._asdict(), "letters": count}
            for refusal, count in survey.refusals.most_common()
        ],
        "samples": {
            reason: [sample._asdict() for sample in samples]
            for reason, samples in survey.samples.items()
        },
    }


def _survey_lines(survey: Survey, topic: str, *, is_terminal: bool) -> Iterator[str]:
    rows = [(*kind, count) for kind, count in survey.kinds.most_common()]
    refusals = [
        (*refusal[:2], "none" if refusal.code is None else refusal.code, count)
        for refusal, count in survey.refusals.most_common()
    ]
    samples = [(reason, *sample) for reason, some in survey.samples.items() for sample in some]
    yield _headline(survey, topic)
    if survey.unparsable:
        yield f"unparsable {survey.unparsable:,}: records of the topic that are no letters of this connector"
    for title, table in (
        (("reason", "stage", "topic", "letters"), rows),
        (("destination", "audience", "code", "letters"), refusals),
        (("reason", "source", "detail"), samples),
    ):
        if table:
            yield from _table(title, table) if is_terminal else _plain(title, table)


def _headline(survey: Survey, topic: str) -> str:
    if not survey.letters:
        return f"{topic} holds no letters" + (" that are meant" if _is_filtered(survey) else "")
    return (
        f"{topic}: {_letters(survey.letters)}, from {_time(survey.oldest)} to {_time(survey.newest)},"
        f" at most {survey.most_attempts} {'attempt' if survey.most_attempts == 1 else 'attempts'}"
    )


def _is_filtered(survey: Survey) -> bool:
    return bool(survey.wanted.reasons) or survey.wanted.since is not None


_SAID = {
    Fate.SENT: ("delivered", "would be sent"),
    Fate.SUPERSEDED: ("what they say has changed since: nothing was sent", ""),
    Fate.SUPPRESSED: ("all their identifiers are suppressed: nothing was sent", ""),
    Fate.FAILED_AGAIN: ("written again, with one more attempt", "would be written again"),
    Fate.FILTERED: ("no route is for them any more, or all that they would add is suppressed", ""),
    Fate.NO_ROUTE: ("nothing leads to their audience or identities any more", ""),
    Fate.NO_PAYLOAD: ("the record cannot be had", ""),
    Fate.TOPIC_NOT_CONFIGURED: ("their topics are not configured: see kafka.topics", ""),
    Fate.PAST_RETENTION: (
        "the source no longer holds their records, so newer changes may be gone: --yes includes them",
        "",
    ),
    Fate.LEFT: ("not sent: they stay in the topic", ""),
}


def _summary_as_json(summary: Summary) -> dict[str, Any]:
    return {
        "dry_run": summary.is_dry_run,
        "chosen": summary.chosen,
        **{fate.value: summary.fates[fate] for fate in Fate},
        "unparsable": summary.unparsable,
        "repeated": summary.repeated,
    }


def _summary_lines(summary: Summary, *, is_terminal: bool) -> Iterator[str]:
    title = "dry run: nothing is sent or written" if summary.is_dry_run else ""
    if title:
        yield title
    rows: list[tuple[object, ...]] = [("chosen", summary.chosen, "letters, one for each thing")]
    for fate, (said, said_dry) in _SAID.items():
        words = said_dry if summary.is_dry_run and said_dry else said
        rows.append((fate.value, summary.fates[fate], words if summary.fates[fate] else ""))
    if summary.unparsable:
        rows.append(("unparsable", summary.unparsable, "no letters of this connector"))
    if summary.repeated:
        words = "newer changes sent again, behind calls that might have overwritten them"
        rows.append(("repeated", summary.repeated, words))
    if is_terminal:
        yield from (line.rstrip() for line in _table((), rows))
    else:
        yield from (f"{name} {count}" for name, count, _ in rows)
        if past := summary.fates[Fate.PAST_RETENTION]:
            yield f"{_letters(past)} left out: {_SAID[Fate.PAST_RETENTION][0]}"


def _plain(title: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """A line for each row, each value behind its name; the last may hold spaces."""
    for row in rows:
        yield " ".join(f"{name}={value}" for name, value in zip(title, row, strict=True))


def _table(title: Sequence[str], rows: Sequence[Sequence[object]]) -> Iterator[str]:
    cells = [[f"{one:,}" if isinstance(one, int) else str(one) for one in row] for row in rows]
    widths = [
        max(map(len, column)) for column in zip(*([title] if title else []), *cells, strict=True)
    ]
    if title:
        yield ""
        head = "  ".join(f"{name:<{width}}" for name, width in zip(title, widths, strict=True))
        yield head if os.environ.get("NO_COLOR") else f"\x1b[1m{head}\x1b[0m"
    for row in cells:
        yield "  ".join(f"{one:<{width}}" for one, width in zip(row, widths, strict=True)).rstrip()


def _letters(count: int) -> str:
    return f"{count:,} {'letter' if count == 1 else 'letters'}"


def _time(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
