"""The documents say what the benchmark measures, and the same in both places."""

import re
from pathlib import Path

from tests.benchmarks.__main__ import PARTS

_ROOT = Path(__file__).parents[2]
_GUIDE = (_ROOT / "docs" / "performance.md").read_text("utf-8")


def test_every_part_has_its_line() -> None:
    named = re.findall(r"^\| `(\w+)` \|", _GUIDE, re.MULTILINE)

    assert named == list(PARTS)


def test_the_readme_has_the_figures_of_the_guide() -> None:
    section = (_ROOT / "README.md").read_text("utf-8").split("\n## How fast\n")[1]
    figures = re.findall(r"\| ([\d,]+) \| ([\d.]+) MB \|", section.partition("\n## ")[0])

    assert len(figures) == 4
    for rate, megabytes in figures:
        assert f" {rate} records/CPU-s " in _GUIDE
        assert f" {megabytes} MB " in _GUIDE


def test_the_guide_shows_every_goal_that_it_counts() -> None:
    met = len(re.findall(r"\| yes +\|$", _GUIDE, re.MULTILINE))
    missed = len(re.findall(r"\| \*\*missed\*\* \|$", _GUIDE, re.MULTILINE))

    assert f"\n{met} of {met + missed} goals are met.\n" in _GUIDE
