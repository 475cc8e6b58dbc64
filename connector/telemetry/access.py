"""Every event of the HTTP side that is counted or logged, one function each: who was refused, and who did what.

The audit log. Owns what an event does to the metrics and what it says in the log. No function takes a token, a
session or anything else of a request: who is a configured name, what is a path or an operation of ours.
"""

from enum import StrEnum

from connector.telemetry.events import Events


class Refusal(StrEnum):
    """Why a request was refused."""

    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    CROSS_SITE = "cross_site"


class AccessEvents(Events):
    """Of requests and those who make them."""

    def refused(self, reason: Refusal, path: str, who: str | None) -> None:
        """A request was refused; `who` is None for somebody unknown."""
        self.metrics.admin_requests_refused.add(1, reason)
        self._log.warning("request refused", reason=reason.value, path=path, who=who or "somebody")

    def operated(self, who: str, operation: str, outcome: str) -> None:
        self._log.info("operation", who=who, operation=operation, outcome=outcome)

    def signed_in(self, who: str) -> None:
        self._log.info("signed in", who=who)

    def signed_out(self, who: str) -> None:
        self._log.info("signed out", who=who)

    def token_unusable(self, who: str, why: str) -> None:
        self._log.error("the new token is not taken: the old one stays", who=who, why=why)
