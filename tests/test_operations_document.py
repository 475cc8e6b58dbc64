"""docs/operations.md tells of every setting what it does: held to the settings there are."""

import re
from pathlib import Path

from tests.test_repository import keys

TEXT = (Path(__file__).parent.parent / "docs" / "operations.md").read_text("utf-8")
SETTINGS = TEXT.split("\n## What each setting does\n")[1]


def described() -> list[str]:
    """The keys in the first column of the tables of settings."""
    first = [line.split("|")[1] for line in SETTINGS.splitlines() if line.startswith("| `")]
    return [key for cell in first for key in re.findall(r"`([^`]+)`", cell)]


def test_every_setting_stands_in_one_row_and_no_other_does() -> None:
    found = described()
    known = [path for path, _ in keys()]

    assert len(known) > 50
    assert sorted(found) == sorted(known), (
        f"docs/operations.md: not told of: {sorted({*known} - {*found})};"
        f" no setting: {sorted({*found} - {*known})}"
    )


def test_every_number_says_both_directions() -> None:
    numbers = SETTINGS.split("### Numbers")[1].split("###")[0]
    rows = [line.strip("|").split("|") for line in numbers.splitlines() if line.startswith("| `")]
    told = {key for row in rows for key in re.findall(r"`([^`]+)`", row[0])}
    numeric = {
        path for path, default in keys() if isinstance(default, float | int) and default is not True
    } - {
        "admin.port",
        "admin.protect_metrics",
        "identities[].strip_plus",
        "identities[].strip_dots",
    }

    assert numeric | {"tiktok.rate_limit.queries_per_second"} == told
    assert all(len(row) == 3 and all(cell.strip() for cell in row) for row in rows)
