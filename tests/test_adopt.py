"""The service's own parts take another configuration up: they hold what a start with it would have made."""

import asyncio
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import structlog

from connector.assembly import Parts
from connector.core.model import Partition
from connector.core.recency import Recency
from connector.settings.changes import _RELOADABLE
from connector.settings.credentials import resolve_secrets
from connector.settings.model import Settings
from tests.settings.trees import TOKENS, changed, load_tree

ROUTE = {"segment": "new", "destination": "emea", "audience_id": "7100000000000000009"}
VALUES: Mapping[str, Any] = {
    "delivery.linger_seconds": 2.5,
    "delivery.max_bytes": 5000,
    "delivery.max_in_flight": 3,
    "delivery.max_in_flight_per_audience": 2,
    "delivery.max_pending_rows": 77,
    "delivery.max_pending_rows_per_audience": 66,
    "delivery.max_rows": 55,
    "delivery.max_uncommitted_records": 44,
    "delivery.retry_initial_seconds": 0.25,
    "delivery.retry_max_seconds": 33.0,
    "identities[].transformation": "never",
    "identities[].strip_plus": True,
    "identities[].strip_dots": True,
    "identities[].default_region": "DE",
    "log.level": "error",
    "routes": [ROUTE],
    "routes[].identities": ["EMAIL_SHA256"],
    "routes[].when_blocked": "dead_letter",
    "routes[].segment": "another",
}
"""Every key that makes a difference to the parts, with another value."""

JUDGED_ALONE = {
    "destinations[].description",
    "destinations[].marketing_actions",
    "governance.policy_file",
    "segments",
    "segments[].labels",
    "segments[].match",
}

SAMPLES = (
    {"Email": "Jane.Doe+x@example.com", "phone": "030 901820"},
    {"email": "a" * 64, "phone": "(213) 373-4253"},
)


@pytest.fixture(autouse=True)
def _log_level() -> Iterator[None]:
    """The level of the log is the process's."""
    before, level = structlog.get_config(), logging.getLogger().level
    yield
    structlog.configure(**before)
    logging.getLogger().setLevel(level)


def state(parts: Parts) -> dict[str, Any]:
    """Everything in the parts that the configuration may change."""
    people = parts.people
    audiences = [one for one in parts.backlog if not one.is_retired]
    return {
        "routes": [
            (segment, route, audience and audience.key)
            for segment, some in parts.pipeline._routes.items()
            for route, audience in some
        ],
        "table": [*parts.pipeline._table],
        "audiences": [(one.key, one.segment, one.sets_aside, one.slots) for one in audiences],
        "limits": [parts.backlog._limits, *(one.lane.room.limits for one in audiences)],
        "bounds": parts.dispatcher._bounds,
        "blocked": parts._bulkheads._rules,
        "retries": parts._settlement._rules,
        "reading": parts.pauses._bounds,
        "erasure": people and people.erasure._rules,
        "matched_users": parts.matched_users._audiences,
        "digests": [parts.identities.rows(one) for one in SAMPLES],
    }


def parts_of(settings: Settings) -> Parts:
    clock = asyncio.get_running_loop().time
    return Parts(settings, resolve_secrets(settings, TOKENS), clock, until_end=False)


def at(path: str) -> str:
    """The template's path in the right tree."""
    entry = "identities[1]" if path.endswith("default_region") else "identities[0]"
    return path.replace("identities[]", entry).replace("routes[]", "routes[0]")


def test_every_key_is_tried() -> None:
    routes = {one for one in VALUES if one.startswith("routes")}
    assert VALUES.keys() - routes == _RELOADABLE - JUDGED_ALONE


@pytest.mark.parametrize("path", VALUES)
def test_the_parts_become_what_a_start_would_have_made_of_them(tmp_path: Path, path: str) -> None:
    suppression = None if path.startswith("identities") else "suppressed"
    given = {"governance.suppression_topic": suppression}
    before = load_tree(tmp_path, changed(given))
    after = load_tree(tmp_path, changed({**given, at(path): VALUES[path]}))

    async def test() -> None:
        parts = parts_of(before)
        old = state(parts)
        fresh = state(parts_of(after))
        parts.adopt(after)
        assert state(parts) == fresh
        if path == "log.level":
            assert logging.getLogger().level == logging.ERROR
        else:
            assert fresh != old, "the value makes no difference"
        parts.dismiss()
        parts.adopt(before)
        assert state(parts) == old

    asyncio.run(test())


def test_all_at_once(tmp_path: Path) -> None:
    some = {at(path): value for path, value in VALUES.items() if not path.startswith("routes[")}
    before, after = load_tree(tmp_path, changed({})), load_tree(tmp_path, changed(some))

    async def test() -> None:
        parts = parts_of(before)
        state(parts)
        parts.adopt(after)
        assert state(parts) == state(parts_of(after))

    asyncio.run(test())


def test_what_is_left_of_a_removed_route_is_let_go_when_nothing_is_to_be_erased_there(
    tmp_path: Path,
) -> None:
    given = {"governance.suppression_topic": "suppressed"}
    before = load_tree(tmp_path, changed(given))
    after = load_tree(tmp_path, changed({**given, "routes": [ROUTE]}))

    async def test() -> None:
        parts = parts_of(before)
        assert parts.people is not None
        parts.adopt(after)
        orders: dict[Any, None] = parts.people.erasure._orders
        orders["an entry, waiting for its second round"] = None
        parts.dismiss()
        assert len([*parts.backlog]) == 3
        orders.clear()
        parts.dismiss()
        assert [one.segment for one in parts.backlog] == ["new"]

    asyncio.run(test())


def test_what_messages_repeat_is_news_for_another_configuration(tmp_path: Path) -> None:
    before = load_tree(tmp_path, changed({}))
    after = load_tree(tmp_path, changed({"routes[2]": ROUTE}))

    async def test() -> None:
        parts = parts_of(before)
        parts.pipeline._repeats._recent[Partition("members", 0)] = Recency(10)
        parts.adopt(after)
        assert parts.pipeline._repeats._recent == {}

    asyncio.run(test())


def test_counts_go_on(tmp_path: Path) -> None:
    before = load_tree(tmp_path, changed({}))
    after = load_tree(tmp_path, changed({"identities[0].strip_plus": True}))

    async def test() -> None:
        parts = parts_of(before)
        for _ in range(3):
            parts.identities.rows({"email": "a+b@example.com"})
        parts.adopt(after)
        parts.identities.rows({"email": "a+b@example.com"})
        assert sum(parts.identities.kinds.totals().values()) == 4

    asyncio.run(test())
