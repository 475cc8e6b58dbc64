"""A connector whose page can be looked at: real broker, emulator, a small load, tokens; and a real browser.

Owns how it is set up. What is seen is for tests/deploy/test_status_page.py to say.
"""

import contextlib
import json
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.chaos.load import LOAD_IDENTITIES, Load
from tests.debian import program
from tests.end_to_end.deployment import (
    FIRST_AUDIENCE,
    TOKEN,
    Deployment,
    Emulator,
    until,
)
from tests.kafka_broker import Cluster

VIEW, OPERATE = "a-token-that-may-view", "a-token-that-may-operate"

_LONGEST_SECONDS = 1800.0
_START_PATIENCE = 30.0
_OPTIONS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")


class Stage(NamedTuple):
    """What runs."""

    deployment: Deployment
    emulator: Emulator

    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self.deployment.admin_port}"

    def audience(self, number: int, action: str) -> None:
        """Delete or restore the audience of a segment."""
        audience = str(FIRST_AUDIENCE + number)
        self.emulator.post("audiences", {"audience_id": audience, "action": action})

    def token(self, action: str) -> None:
        """Revoke or restore the connector's token at TikTok."""
        self.emulator.post("tokens", {"token": TOKEN, "action": action})

    def status(self) -> dict[str, Any]:
        """What /status says to who may view."""
        request = urllib.request.Request(
            f"{self.root}/status", headers={"Authorization": f"Bearer {VIEW}"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            found: dict[str, Any] = json.loads(answer.read())
        return found


@contextlib.contextmanager
def staged(
    folder: Path,
    broker: Cluster,
    segments: Sequence[str],
    *,
    rate: int = 150,
    topic: str | None = None,
    **overrides: Any,
) -> Iterator[Stage]:
    """A connector in good order under a small load, until the block ends.

    Args:
        folder: an empty one, for configuration, tokens and logs.
        rate: events a second.
        topic: its topic's name; one of its own without.
        overrides: of the configuration, as a Deployment takes them.
    """
    for name, token in (("view", VIEW), ("operate", OPERATE)):
        (folder / name).write_text(token)
    emulator = Emulator(folder, audiences=len(segments), qps=50)
    try:
        deployment = _deployment(folder, broker, emulator, segments, topic, overrides)
        load = Load(deployment, 1, _LONGEST_SECONDS, rate)
        deployment.run()
        load.start()
        try:
            total = deployment.total
            until(
                lambda: total("changes_total", outcome="delivered") > 0,
                _START_PATIENCE,
                "a delivery",
            )
            yield Stage(deployment, emulator)
        finally:
            load.stop()
            deployment.close()
    finally:
        emulator.end()


def _deployment(
    folder: Path,
    broker: Cluster,
    emulator: Emulator,
    segments: Sequence[str],
    topic: str | None,
    overrides: dict[str, Any],
) -> Deployment:
    tokens = [
        {"name": "marketing", "role": "view", "token_file": str(folder / "view")},
        {"name": "on-call", "role": "operate", "token_file": str(folder / "operate")},
    ]
    overrides = {
        "admin__tokens": tokens,
        "tiktok__rate_limit__queries_per_second": 10,
        **overrides,
    }
    if topic is not None:
        overrides["kafka__topics"] = [{"name": broker.create_topic(topic, partitions=4)}]
    deployment = Deployment(
        folder,
        broker,
        emulator.base_url,
        segments=segments,
        identities=LOAD_IDENTITIES,
        **overrides,
    )
    deployment.topic = topic or deployment.topic
    return deployment


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """A Chromium, Debian's own, without a window."""
    executable = program("chromium", package="chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=[*_OPTIONS])
        try:
            yield browser
        finally:
            browser.close()


def sign_in(context: BrowserContext, root: str, token: str) -> Page:
    """The page, as whoever has this token sees it, once it shows something."""
    page = context.new_page()
    page.goto(root)
    page.get_by_label("Token").fill(token)
    page.get_by_role("button", name="Sign in").click()
    page.locator('#following[data-state="live"]').wait_for()
    return page
