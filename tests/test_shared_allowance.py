"""The service's own parts: replicas whose monotonic clocks differ share the allowance by the wall clock."""

from pathlib import Path

import pytest

from connector.assembly import Parts
from connector.core.turns import Part
from connector.delivery.settlement import Clocks
from connector.settings.credentials import resolve_secrets
from tests.settings.trees import TOKENS, load_tree, right

TODAY = 1_795_000_000.0


def begins(folder: Path, booted: float, part: Part) -> float:
    """When the second call may start, in seconds since the epoch, at a replica whose machine was started then."""
    settings = load_tree(folder, right())
    parts = Parts(settings, resolve_secrets(settings, TOKENS), lambda: 0.0, until_end=False)
    now = TODAY - booted
    parts._clocks = Clocks(lambda: now, lambda: TODAY, lambda: 0.5)
    parts.dispatcher.resume(part)
    parts.rate.accepted()
    parts.rate.reserve(now)
    return TODAY + parts.rate.reserve(now)


def test_two_replicas_call_in_different_turns_whenever_their_machines_were_started(
    tmp_path: Path,
) -> None:
    even = begins(tmp_path, TODAY - 1_000.0, Part((0,), 2))
    odd = begins(tmp_path, TODAY - 98_765.4321, Part((1,), 2))

    assert even / 0.104 % 2.0 == pytest.approx(0.0, abs=0.001)
    assert odd / 0.104 % 2.0 == pytest.approx(1.0, abs=0.001)
