"""When the identifiers of one type were applied, and whether their callers were told: for counting what came twice.

Off until a type is named. Meant for a type whose identifiers stand for one event each. Reads no clock.
"""

from typing import Any, NamedTuple

from connector.sandbox.emulator.api_calls import ApiCall, MappingCall
from connector.sandbox.emulator.tiktok_facts import Violation


class Application(NamedTuple):
    """One time that an identifier was applied.

    Attributes:
        at: seconds since the epoch.
        answered: whether the answer was sent as it should be; a fault may have kept it back or broken it.
    """

    at: float
    answered: bool


class Watched:
    """Keeps each application of the identifiers of one type."""

    def __init__(self) -> None:
        self.kind: str | None = None
        self._found: dict[bytes, list[Application]] = {}

    def watch(self, kind: str | None) -> None:
        """Begin anew with this type; None ends it."""
        self.kind = kind
        self.clear()

    def clear(self) -> None:
        """Forget what was found."""
        self._found.clear()

    def applied(self, call: MappingCall, now: float) -> None:
        """Note a call that changed the audiences; its answer has not been sent yet."""
        for digest in self._digests(call):
            self._found.setdefault(digest, []).append(Application(now, answered=False))

    def answered(self, call: ApiCall | Violation) -> None:
        """Note that the call just applied gets its right answer."""
        if isinstance(call, MappingCall):
            for digest in self._digests(call):
                found = self._found[digest]
                found[-1] = found[-1]._replace(answered=True)

    def listing(self) -> dict[str, list[dict[str, Any]]]:
        """Return all applications by the identifier in lower-case hex, as JSON values."""
        return {
            digest.hex(): [application._asdict() for application in found]
            for digest, found in self._found.items()
        }

    def _digests(self, call: MappingCall) -> list[bytes]:
        if self.kind is None:
            return []
        return [
            digest for by_type in call.changes.values() for digest in by_type.get(self.kind, ())
        ]
