"""A picture of the dashboard over a loaded connector: python -m tests.deploy.grafana.picture.

Brings up broker, emulator, connector and Prometheus, mends half-way what is halted, draws the page and lets a
headless Chromium take the picture of it for docs/dashboard.md. `--rows` chooses rows by their number.
"""

import argparse
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.debian import program
from tests.deploy.grafana.drawing import COLUMN, height, page
from tests.deploy.grafana.reading import dashboard, filled
from tests.deploy.loaded import MISSING_AUDIENCE, OTHER_TOKEN, loaded_connector
from tests.deploy.prometheus import Prometheus, Series, scrape_config
from tests.end_to_end.deployment import Emulator
from tests.kafka_broker import Broker

PICTURES = Path(__file__).parents[3] / "docs" / "pictures"

_RATE_SECONDS = 15
_POINTS = 120


def draw(prometheus: Prometheus, tree: dict[str, Any], seconds: float, page_file: Path) -> None:
    """Write the page, with what Prometheus knows of the last so many seconds."""
    now = time.time()

    def ask(target: dict[str, Any]) -> list[Series]:
        expression = filled(target["expr"], _RATE_SECONDS, int(seconds))
        if target.get("instant"):
            return prometheus.query(expression)
        return prometheus.query_range(expression, now - seconds, now, seconds / _POINTS)

    page_file.write_text(page(tree, ask, now - seconds, now), "utf-8")


def photograph(page_file: Path, picture: Path, pixels: tuple[int, int]) -> None:
    """Render a page of this machine with Chromium, without a display and without a network."""
    width, tall = pixels
    with tempfile.TemporaryDirectory() as profile:
        done = subprocess.run(
            [
                program("chromium", package="chromium"),
                *("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"),
                *("--disable-background-networking", f"--user-data-dir={profile}"),
                f"--window-size={width},{tall}",
                f"--screenshot={picture}",
                page_file.as_uri(),
            ],
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert done.returncode == 0, done.stderr[-2000:]
    assert picture.is_file(), f"no picture:\n{done.stderr[-2000:]}"


def chosen(tree: dict[str, Any], rows: Sequence[int]) -> dict[str, Any]:
    """The dashboard with these rows alone, from 1, moved up to the top; all without any."""
    if not rows:
        return tree
    number, kept = 0, []
    for panel in tree["panels"]:
        number += panel["type"] == "row"
        if number in rows:
            kept.append(panel)
    return {**tree, "panels": _moved_up(kept)}


def _moved_up(panels: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same without the lines of the grid on which none of them stands."""
    taken = sorted(
        {
            line
            for one in panels
            for line in range(one["gridPos"]["y"], one["gridPos"]["y"] + one["gridPos"]["h"])
        }
    )
    places = {line: place for place, line in enumerate(taken)}
    return [
        {**one, "gridPos": {**one["gridPos"], "y": places[one["gridPos"]["y"]]}} for one in panels
    ]


def _mend(emulator: Emulator) -> None:
    """The token and the audience are there again, and TikTok makes no more mistakes."""
    emulator.clear_faults()
    emulator.post("limits", {"qps": 0})
    emulator.post("tokens", {"token": OTHER_TOKEN, "action": "restore"})
    emulator.post("audiences", {"audience_id": MISSING_AUDIENCE, "action": "restore"})


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.deploy.grafana.picture")
    parser.add_argument("--seconds", type=int, default=180, help="of load to show")
    parser.add_argument("--rows", type=int, nargs="*", default=[], help="by number, from 1")
    parser.add_argument("--output", type=Path, default=PICTURES / "dashboard-rows.png")
    asked = parser.parse_args()
    tree = chosen(dashboard(), asked.rows)
    broker = Broker().start()
    try:
        with tempfile.TemporaryDirectory() as name, tempfile.TemporaryDirectory() as own:
            with loaded_connector(Path(name), broker) as loaded:
                prometheus = Prometheus(Path(own), scrape_config(Path(own), loaded.admin_port))
                try:
                    time.sleep(asked.seconds / 2)
                    _mend(loaded.emulator)
                    time.sleep(asked.seconds / 2)
                    draw(prometheus, tree, asked.seconds, Path(own) / "page.html")
                finally:
                    prometheus.end()
            asked.output.parent.mkdir(exist_ok=True)
            photograph(Path(own) / "page.html", asked.output, (24 * COLUMN, height(tree)))
    finally:
        broker.stop()


if __name__ == "__main__":
    main()
