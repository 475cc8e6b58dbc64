"""What the emulator shows of itself, as JSON values. Reads, changes nothing."""

from typing import Any

import msgspec

from connector.sandbox.emulator.service import Service


def audiences_snapshot(
    service: Service, audience_id: str | None = None, *, with_members: bool
) -> list[dict[str, Any]]:
    """Return each audience, or the one asked for, with its sizes and on demand its members."""
    shown = []
    for record in service.directory.audiences():
        name = record.audience.audience_id
        if audience_id in (None, name):
            shown.append(
                {
                    "advertiser_id": record.audience.advertiser_id,
                    "audience_id": name,
                    "name": record.audience.name,
                    "deleted": record.deleted,
                    "sizes": service.memberships.sizes(name),
                    "rows": service.memberships.rows(name),
                }
            )
            if with_members:
                shown[-1]["members"] = service.memberships.members(name)
    return shown


def accounts_snapshot(service: Service) -> dict[str, Any]:
    """Return the tokens and the audiences as they stand."""
    return {
        "tokens": service.directory.tokens(),
        "audiences": [
            {**msgspec.to_builtins(record.audience), "deleted": record.deleted}
            for record in service.directory.audiences()
        ],
    }


def stats_snapshot(service: Service) -> dict[str, Any]:
    """Return what clients did since the start or the last reset."""
    rates = service.rates
    return {
        **service.stats.snapshot(),
        "under_way": len(service.under_way),
        "rate": {
            "max_calendar_second": rates.max_calendar_second,
            "max_sliding_second": rates.max_sliding_second,
            "per_second": [msgspec.to_builtins(second) for second in rates.history],
        },
    }
