"""No identifier, digest, profile id or token leaves the hot path: not in a log, a metric or the status."""

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from connector.sandbox.generator import Traffic, generate, segment_names
from tests.end_to_end.deployment import TOKEN, Deployment, Emulator, until


def _texts(value: Any) -> Iterator[str]:
    """All strings of a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)


def _secrets(values: list[bytes]) -> set[str]:
    """All that could identify a person in these records."""
    found: set[str] = set()
    for value in values:
        try:
            event = json.loads(value)
        except ValueError:
            continue
        if isinstance(event, dict):
            found.update(_texts(event.get("identities")))
            found.update(_texts(event.get("profile_id")))
    nothings = {"none", "null", "undefined"}  # words of their own, and no identifier of anybody
    return {one.strip() for one in found if len(one.strip()) >= 4} - nothings


def _words(text: str) -> set[str]:
    """The text's words, cut in several ways, so that an identifier stands alone in one of them."""
    words = set(re.split(r"[\s\"',;{}\[\]()<>=]+", text))
    for separator in (r"[\s\"',:;{}\[\]()<>=/]+", r"[^0-9A-Za-z@+.-]+", r"[^0-9A-Fa-f]+"):
        words.update(re.split(separator, text))
    return words


def test_nothing_that_identifies_a_person_is_in_logs_metrics_or_status(
    make_emulator: Callable[..., Emulator], deploy: Callable[..., Deployment]
) -> None:
    emulator = make_emulator(20, qps=50)
    deployment = deploy(emulator, segment_names(20), log={"level": "debug"})
    events = list(generate(Traffic(events=10_000, profiles=2_000, seed=6)))
    values = [one.value for one in events if one.value]
    secrets = _secrets(values)
    digests = {hashlib.sha256(one.lower().encode()).hexdigest() for one in secrets}
    quoted = " ".join([TOKEN, *list(secrets)[:20], *list(digests)[:20]])
    emulator.faults(
        {"endpoint": "segment/mapping", "probability": 0.1, "status": 500, "body": quoted},
        {"endpoint": "segment/mapping", "probability": 0.1, "code": 50000, "message": quoted},
        {"endpoint": "segment/mapping", "count": 3, "code": 40002, "message": quoted},
        {"endpoint": "segment/mapping", "count": 2, "status": 403, "body": quoted},
        {"endpoint": "user/info", "count": 1, "code": 40105, "message": quoted},
        {"endpoint": "segment/mapping", "probability": 0.05, "reset": "after"},
    )
    deployment.feed(events)
    connector = deployment.run()
    until(deployment.is_all_committed, 90, "everything to be committed")
    pages = [deployment.get(path)[1] for path in ("/metrics", "/status", "/readyz", "/healthz")]
    assert connector.end() == 0

    shown = "\n".join([connector.text(), *pages])
    assert "batch delivered" in shown, "the log is not at debug level"
    words = _words(shown)
    leaked = (secrets | digests | {TOKEN}) & words
    assert not leaked, f"{len(leaked)} values of people are shown"
    assert not re.search(r"[0-9a-fA-F]{64}|[0-9a-f]{8}-[0-9a-f]{4}-", shown)
    assert "@" not in shown
    assert TOKEN not in shown
    assert not re.search(r"\bp-\d+\b", shown)
