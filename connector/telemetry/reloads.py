"""Every event of re-reading the configuration that is counted or logged, one function each.

Owns what an event does to the metrics and what it says in the log. A problem is a line of connector.settings: it holds
no value, but for the names of what a policy denies.
"""

from collections.abc import Sequence
from enum import StrEnum

from connector.telemetry.events import Events

_MOST_LISTED = 50
"""A line of the log is for people; a configuration can have thousands of routes."""


class ReloadEnd(StrEnum):
    """How a reading of the configuration ended."""

    APPLIED = "applied"
    UNCHANGED = "unchanged"
    REFUSED = "refused"


class ReloadEvents(Events):
    """Of the configuration."""

    def read(self) -> None:
        """What is on disk is what runs, as of now."""
        self.metrics.config_last_reload_successful.set(1)
        self.metrics.config_last_reload_success_timestamp_seconds.set(self._wall())

    def applied(
        self,
        added: Sequence[str],
        removed: Sequence[str],
        changed: Sequence[str],
        keys: Sequence[str],
    ) -> None:
        """Another configuration runs; the paths of its routes and keys that are new or other."""
        self._end(ReloadEnd.APPLIED)
        self._log.info(
            "configuration applied",
            routes_added=len(added),
            routes_removed=len(removed),
            routes_changed=len(changed),
            routes=_listed((*added, *changed)),
            removed_from=_listed(removed),
            keys=_listed(keys),
        )

    def unchanged(self) -> None:
        self._end(ReloadEnd.UNCHANGED)
        self._log.info("configuration unchanged")

    def refused(self, problems: Sequence[str]) -> None:
        self._end(ReloadEnd.REFUSED)
        self._log.error(
            "configuration refused: the earlier one stays in force",
            problems=_listed(problems),
            more=max(0, len(problems) - _MOST_LISTED),
        )

    def policy_denies(self, problems: Sequence[str]) -> None:
        """The policy on disk is against routes that run."""
        self._log.critical(
            "the policy denies routes that run: take them out of the configuration, or stop",
            problems=_listed(problems),
            more=max(0, len(problems) - _MOST_LISTED),
        )

    def _end(self, how: ReloadEnd) -> None:
        self.metrics.config_reloads.add(1, how)
        if how is ReloadEnd.REFUSED:
            self.metrics.config_last_reload_successful.set(0)
        else:
            self.read()


def _listed(lines: Sequence[str]) -> list[str]:
    return [*lines[:_MOST_LISTED]]
