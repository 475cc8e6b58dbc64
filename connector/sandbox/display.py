"""What the demo shows: a live table in a terminal, a line now and then in a pipe.

Owns the words and the layout. Everything shown is a count or a configured name.
"""

from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from connector.sandbox.compare import Comparison, Line
from connector.sandbox.progress import Progress

_BAR_WIDTH = 30


class Display(Protocol):
    """Where the demo speaks. As a context, it shows progress; `say` and `result` work outside too."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def say(self, line: str) -> None:
        """Show a line of text."""

    def show(self, progress: Progress) -> None:
        """Show how far it is."""

    def result(self, comparison: Comparison) -> None:
        """Show the verdict."""


def display_for(console: Console) -> Display:
    """Return the display that suits what is at the other end."""
    return LiveDisplay(console) if console.is_terminal else PlainDisplay(console)


class PlainDisplay:
    """Lines of text, for a pipe or a log."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        pass

    def say(self, line: str) -> None:
        self._console.out(line, highlight=False)

    def show(self, progress: Progress) -> None:
        shown = [f"{label} {value}" for label, value in _summary(progress)]
        members = f"members {progress.members:,} of {progress.expected:,}"
        self.say("  ".join([f"{progress.seconds:5.1f}s", *shown, members]))

    def result(self, comparison: Comparison) -> None:
        self.say("")
        width = max(len(line.name) for line in _lines(comparison))
        heads = ("expected", "actual", "missing", "extra")
        self.say(" ".join([f"{'audience':<{width}}", *(f"{head:>9}" for head in heads), " equal"]))
        for line in _lines(comparison):
            numbers = (line.expected, line.actual, line.missing, line.extra)
            shown = [f"{line.name:<{width}}", *(f"{number:>9,}" for number in numbers)]
            self.say(" ".join([*shown, "   yes" if line.equal else "    NO"]))
        self.say("")
        self.say(verdict(comparison))


class LiveDisplay:
    """Numbers and bars that change in place."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, refresh_per_second=4, transient=False)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()

    def say(self, line: str) -> None:
        self._console.print(Text(line))

    def show(self, progress: Progress) -> None:
        self._live.update(Group(_numbers(progress), Text(), _bars(progress)))

    def result(self, comparison: Comparison) -> None:
        table = Table("audience", header_style="bold")
        for head in ("expected", "actual", "missing", "extra"):
            table.add_column(head, justify="right")
        table.add_column("equal", justify="center")
        for line in comparison.audiences:
            table.add_row(*_row(line))
        table.add_section()
        table.add_row(*_row(comparison.total), style="bold")
        table.add_row(*_row(comparison.letters), style="bold")
        self._console.print(table)
        style = "bold green" if comparison.equal else "bold red"
        self._console.print(Text(verdict(comparison), style))


def verdict(comparison: Comparison) -> str:
    """Return the comparison in one sentence."""
    if comparison.equal:
        return (
            f"Equal: {len(comparison.audiences)} audiences with {comparison.total.actual:,} "
            f"identifiers and {comparison.letters.actual:,} dead letters are what the events imply."
        )
    wrong = sum(not line.equal for line in comparison.audiences)
    letters = comparison.letters
    return (
        f"NOT EQUAL: {wrong} audiences differ ({comparison.total.missing:,} identifiers missing, "
        f"{comparison.total.extra:,} extra); {letters.missing:,} dead letters missing, "
        f"{letters.extra:,} extra."
    )


def _summary(progress: Progress) -> list[tuple[str, str]]:
    now = progress.metrics
    return [
        ("connector", now.state),
        ("fed", f"{progress.fed:,}/{progress.events:,}"),
        ("consumed", f"{now.consumed:,.0f}"),
        ("committed", f"{progress.committed:,}"),
        ("records/s", f"{progress.records_per_second:,.0f}"),
        ("rows", f"{now.delivered:,.0f}"),
        ("superseded", f"{now.superseded:,.0f}"),
        ("pending", f"{now.pending:,.0f}"),
        ("calls", f"{now.calls:,.0f}"),
        ("calls/s", f"{progress.calls_per_second:.0f} of {now.allowance:.0f}"),
        ("retries", f"{now.retries:,.0f}"),
        ("lag", f"{now.lag:,.0f}"),
        ("letters", f"{now.letters:,.0f}"),
    ]


def _numbers(progress: Progress) -> Table:
    grid = Table.grid(padding=(0, 3))
    cells = [Text.assemble((f"{label} ", "dim"), value) for label, value in _summary(progress)]
    cells.insert(0, Text(f"{progress.seconds:.0f} s", "bold"))
    per_row = 5
    for start in range(0, len(cells), per_row):
        grid.add_row(*cells[start : start + per_row])
    return grid


def _bars(progress: Progress) -> Table:
    table = Table.grid(padding=(0, 2))
    for one in progress.audiences:
        # An exit that is under way makes an audience larger than the events imply.
        filled = min(one.members, one.expected)
        bar = ProgressBar(total=max(one.expected, 1), completed=filled, width=_BAR_WIDTH)
        count = Text(f"{one.members:,} of {one.expected:,}", "dim", justify="right")
        table.add_row(one.name, bar, count)
    return table


def _lines(comparison: Comparison) -> list[Line]:
    return [*comparison.audiences, comparison.total, comparison.letters]


def _row(line: Line) -> tuple[str | Text, ...]:
    numbers = (line.expected, line.actual, line.missing, line.extra)
    answer = Text("yes", "green") if line.equal else Text("NO", "bold red")
    return (line.name, *(f"{number:,}" for number in numbers), answer)
