"""The metrics that the dashboard shows and the connector does not have yet.

One that the catalogue has counts no longer, wherever it still stands here. With the last of them this file goes.
"""

from connector.telemetry.catalogue import Catalogue
from connector.telemetry.families import Family

_COMING = (
    Family("erasure_oldest_pending_timestamp_seconds", "gauge", (), ""),
    Family("suppression_entries", "gauge", ("status",), ""),
    Family("suppression_entries_without_identities", "gauge", (), ""),
    Family("suppression_loaded", "gauge", (), ""),
    Family("additions_blocked_total", "counter", ("topic", "reason"), ""),
    Family("intake_paused", "gauge", ("reason",), ""),
    Family("audience_matched_users", "gauge", ("destination", "audience"), ""),
    Family("admin_requests_refused_total", "counter", ("reason",), ""),
)


def coming() -> list[Family]:
    """Those that the catalogue does not have."""
    there = {one.name for one in Catalogue()}
    return [one for one in _COMING if one.name not in there]
