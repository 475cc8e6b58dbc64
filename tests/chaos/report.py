"""What a run came to, as a table: for the terminal, or to be pasted into docs/reliability.md. Counts alone."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.chaos.run import Result

Row = tuple[str, str]


def table(result: Result) -> str:
    """For the terminal."""
    return "\n".join(f"  {name:<52}{figure:>12}" for name, figure in _rows(result))


def markdown(result: Result) -> str:
    """For a document, with what it takes to run it again."""
    plan = result.plan
    options = f"--seconds {plan.seconds:.0f} --seed {plan.seed} --rate {plan.rate}"
    if not plan.kills:
        options += " --no-kills"
    lines = [
        f"Commit `{_commit()}`, `python -m tests.chaos {options}`:",
        "",
        "| | |",
        "|---|---:|",
        *(f"| {name} | {figure} |" for name, figure in _rows(result)),
    ]
    return "\n".join(lines)


def _rows(result: Result) -> Iterator[Row]:
    yield from _load(result)
    yield from _misfortunes(result)
    yield from _faults(result)
    yield from _verdict(result)


def _load(result: Result) -> Iterator[Row]:
    yield "events", f"{result.events:,}"
    yield "calls", f"{result.calls:,}"
    yield "rows sent", f"{result.rows_sent:,}"
    yield "rows accepted", f"{result.rows_accepted:,}"
    yield "seconds until all was committed, after the load", f"{result.settled:.0f}"


def _misfortunes(result: Result) -> Iterator[Row]:
    for name, count in sorted(result.misfortunes.items()):
        yield name.replace("_", " "), f"{count:,}"
    yield "kills of a connector with calls under way", f"{result.kills_in_mid_call:,}"


def _faults(result: Result) -> Iterator[Row]:
    for name in sorted(result.fault_settings | result.fault_hits):
        yield f"calls struck by: {name}", f"{result.fault_hits[name]:,}"
    yield "calls struck by: poison in a row", f"{result.poisoned_calls:,}"


def _verdict(result: Result) -> Iterator[Row]:
    repeats, verdict = result.repeats, result.verdict
    yield "rows sent twice after a kill", f"{repeats.part(repeats.after_kills):.2%}"
    yield "rows sent twice, the answer being lost", f"{repeats.part(repeats.unanswered):.2%}"
    yield "rows sent twice for another reason", f"{repeats.part(repeats.otherwise):.2%}"
    yield "rows sent twice outside of kills", f"{repeats.outside_of_kills:.2%}"
    yield "identifiers in the audiences", f"{verdict.comparison.total.actual:,}"
    yield "letters", f"{verdict.letters:,}"
    yield "identifiers in two calls under way at once", f"{verdict.overlaps:,}"
    yield "lost", f"{verdict.lost:,}"
    yield "wrong", f"{verdict.wrong:,}"


def _commit() -> str:
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    asked = subprocess.run(command, check=False, text=True, capture_output=True)
    return asked.stdout.strip() or "unknown"
