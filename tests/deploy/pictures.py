"""The pictures of the page in docs/pictures, taken of the real thing: python -m tests.deploy.pictures

Owns what is in them: a quarter of an hour of load with an outage of TikTok in it, so that the curves show something.
"""

import argparse
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Browser, Page

from connector.sandbox.generator import segment_names
from tests.deploy.stage import OPERATE, Stage, chromium, sign_in, staged
from tests.end_to_end.deployment import until
from tests.kafka_broker import Broker

FOLDER = Path(__file__).parents[2] / "docs" / "pictures"
MOST_BYTES = 300_000

_RATE = 700
_MINUTES = 14.0
_OUTAGE_AT, _OUTAGE_SECONDS = 0.4, 75.0


def main() -> None:
    """Take them all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=_MINUTES, help="of load before the first")
    minutes = parser.parse_args().minutes
    broker = Broker().start()
    try:
        with (
            tempfile.TemporaryDirectory() as folder,
            staged(
                Path(folder),
                broker,
                segment_names(12),
                rate=_RATE,
                topic="segment-membership",
                delivery__max_pending_rows=12_000,
            ) as stage,
            chromium() as browser,
        ):
            _pass_time(stage, minutes * 60)
            _take_all(stage, browser)
    finally:
        broker.stop()


def _pass_time(stage: Stage, seconds: float) -> None:
    """Load, with an outage in between."""
    time.sleep(seconds * _OUTAGE_AT)
    stage.emulator.faults({"status": 503})
    time.sleep(min(_OUTAGE_SECONDS, seconds * 0.1))
    stage.emulator.clear_faults()
    time.sleep(seconds * (0.9 - _OUTAGE_AT))


def _take_all(stage: Stage, browser: Browser) -> None:
    _take(_page(stage, browser), "status-desktop")
    _take(_page(stage, browser, color_scheme="dark"), "status-dark")
    stage.audience(2, "delete")
    until(lambda: stage.status()["lane_counts"]["halted"] == 1, 30, "the halt")
    time.sleep(10.0)
    _take(_page(stage, browser), "status-halted")
    phone = {"viewport": {"width": 360, "height": 780}, "device_scale_factor": 2}
    _take(_page(stage, browser, **phone), "status-phone")


def _page(stage: Stage, browser: Browser, **options: object) -> Page:
    context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
    page = sign_in(context, stage.root, OPERATE)
    page.wait_for_timeout(3000)
    return page


def _take(page: Page, name: str) -> None:
    path = FOLDER / f"{name}.png"
    page.screenshot(path=path)
    page.context.close()
    assert path.stat().st_size < MOST_BYTES, f"{path} has {path.stat().st_size} bytes"


if __name__ == "__main__":
    main()
