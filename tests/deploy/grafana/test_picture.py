"""The page that draws the dashboard: nothing is missing on it, and a real browser renders it."""

import struct
from pathlib import Path

import pytest

from tests.deploy.grafana.drawing import COLUMN, NOTHING, height, page
from tests.deploy.grafana.picture import chosen, draw, photograph
from tests.deploy.grafana.reading import dashboard, panels
from tests.deploy.grafana.units import shown
from tests.deploy.loaded import SERIES_PATIENCE
from tests.deploy.prometheus import Prometheus, Series
from tests.end_to_end.deployment import until


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0, "short", "0"),
        (12_345, "short", "12.3 k"),
        (1_000_000, "short", "1 M"),
        (67_895_296, "bytes", "67.9 MB"),
        (0.25, "s", "250 ms"),
        (0, "s", "0 s"),
        (90, "s", "1.5 min"),
        (200_000, "s", "2.31 d"),
        (0.9987, "percentunit", "99.9 %"),
        (8.5, "cps", "8.5/s"),
        (8.5, "reqps", "8.5 req/s"),
    ],
)
def test_numbers_are_shown_with_their_units(value: float, unit: str, text: str) -> None:
    assert shown(value, unit) == text


def test_every_panel_is_drawn_whatever_it_has_to_show() -> None:
    every_label = dict.fromkeys(
        ("destination", "audience", "topic", "reason", "version", "python_version"), "<a&b>"
    )
    full = page(dashboard(), lambda _: [Series(every_label, [(0.0, 0.0), (1.0, 2.0)])], 0.0, 1.0)
    empty = page(dashboard(), lambda _: [], 0.0, 1.0)

    assert full.count("<section") == empty.count("<section") == len(panels(dashboard()))
    assert full.count(NOTHING) == 0
    assert empty.count(NOTHING) == len(panels(dashboard()))
    assert "<a&b>" not in full


def test_rows_can_be_chosen_and_move_up() -> None:
    some = chosen(dashboard(), [2])
    titles = [one["title"] for one in some["panels"] if one["type"] == "row"]

    assert titles == ["Kafka in"]
    assert height(some) < height(dashboard())
    assert min(one["gridPos"]["y"] for one in some["panels"]) == 0


@pytest.mark.deploy
def test_a_browser_renders_the_page_with_something_on_every_panel(
    prometheus: Prometheus, tmp_path: Path
) -> None:
    file, picture = tmp_path / "page.html", tmp_path / "page.png"
    tree = dashboard()

    def is_full() -> bool:
        draw(prometheus, tree, 30, file)
        return NOTHING not in file.read_text()

    until(is_full, SERIES_PATIENCE, "something to show on every panel")
    photograph(file, picture, (24 * COLUMN, height(tree)))
    data = picture.read_bytes()

    assert data.startswith(b"\x89PNG")
    assert struct.unpack(">II", data[16:24]) == (24 * COLUMN, height(tree))
    assert len(data) > 100_000, "next to nothing is on it"
