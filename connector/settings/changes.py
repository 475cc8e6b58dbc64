"""What differs between two configurations, and which of that can change while the connector runs.

Owns which keys those are. It names keys by their paths and shows no value. Pure.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from pydantic import BaseModel

from connector.settings.model import RouteSettings, Settings
from connector.settings.problems import joined

# List positions are left out, as in connector.settings.refused.
_OPTIONS = frozenset(
    f"identities[].{key}"
    for key in ("transformation", "strip_plus", "strip_dots", "default_region")
)
_RELOADABLE = _OPTIONS | {
    "delivery.linger_seconds",
    "delivery.max_bytes",
    "delivery.max_in_flight",
    "delivery.max_in_flight_per_audience",
    "delivery.max_pending_rows",
    "delivery.max_pending_rows_per_audience",
    "delivery.max_rows",
    "delivery.max_uncommitted_records",
    "delivery.retry_initial_seconds",
    "delivery.retry_max_seconds",
    "destinations[].description",
    "destinations[].marketing_actions",
    "governance.policy_file",
    "log.level",
    "segments",
    "segments[].labels",
    "segments[].match",
}

_position = re.compile(r"\[\d+\]")


class Changes(NamedTuple):
    """The paths of what differs.

    Attributes:
        added: routes, as they stand in the new configuration.
        removed: routes, as they stood in the old one.
        changed: routes of which something else than segment, destination and audience differs.
        keys: what else differs and can change while it runs.
        frozen: what differs and cannot.
    """

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    frozen: tuple[str, ...] = ()


def changes(old: Settings, new: Settings) -> Changes:
    """What differs."""
    before, after = _by_audience(old), _by_audience(new)
    keys: list[str] = []
    frozen: list[str] = []
    for path in _differences(old, new):
        (keys if _may_change(path, new) else frozen).append(path)
    return Changes(
        tuple(path for key, (path, _) in after.items() if key not in before),
        tuple(path for key, (path, _) in before.items() if key not in after),
        tuple(
            path
            for key, (path, route) in after.items()
            if key in before and before[key][1] != route
        ),
        tuple(keys),
        tuple(frozen),
    )


def _by_audience(settings: Settings) -> dict[tuple[str, str, str], tuple[str, RouteSettings]]:
    return {
        (one.segment, one.destination, one.audience_id): (f"routes[{position}]", one)
        for position, one in enumerate(settings.routes)
    }


def _may_change(path: str, settings: Settings) -> bool:
    template = _position.sub("[]", path)
    if template in _OPTIONS:
        # The suppression list knows people by what the options made of them when it was read.
        return settings.governance.suppression_topic is None
    return template in _RELOADABLE


def _differences(old: BaseModel, new: BaseModel, path: str = "") -> Iterator[str]:
    """The paths of all keys that differ, but for the routes'; of a list that is longer or shorter, its own."""
    for key in type(old).model_fields:
        here, before, after = joined(path, key), getattr(old, key), getattr(new, key)
        if before == after or here == "routes":
            continue
        if isinstance(before, BaseModel) and isinstance(after, BaseModel):
            yield from _differences(before, after, here)
        elif _are_mappings(before) and _are_mappings(after) and len(before) == len(after):
            for position, pair in enumerate(zip(before, after, strict=True)):
                yield from _differences(*pair, f"{here}[{position}]")
        else:
            yield here


def _are_mappings(value: object) -> bool:
    return isinstance(value, tuple) and all(isinstance(one, BaseModel) for one in value)
