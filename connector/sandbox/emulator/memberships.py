"""Who is in which audience: per audience and identifier type a set of digests, kept as raw bytes.

The emulator's one result, against which a client is checked. Knows no HTTP and no accounts.
"""

from collections import Counter

from connector.sandbox.emulator.api_calls import MappingCall


class Memberships:
    """Sets of digests; adding a member twice or deleting none changes nothing, as at TikTok."""

    def __init__(self) -> None:
        self._digests: dict[str, dict[str, set[bytes]]] = {}
        self._rows: dict[str, Counter[str]] = {}

    def apply(self, call: MappingCall) -> None:
        """Add or delete all identifiers of an accepted call."""
        for audience_id, by_type in call.changes.items():
            members = self._digests.setdefault(audience_id, {})
            for kind, digests in by_type.items():
                if call.action == "add":
                    members.setdefault(kind, set()).update(digests)
                elif kind in members:
                    members[kind].difference_update(digests)
            rows = self._rows.setdefault(audience_id, Counter())
            rows[call.action] += call.rows_by_audience[audience_id]

    def members(self, audience_id: str) -> dict[str, list[str]]:
        """Return the digests in lower-case hex, sorted, by type; a type without members is absent."""
        return {
            kind: [digest.hex() for digest in sorted(digests)]
            for kind, digests in sorted(self._digests.get(audience_id, {}).items())
            if digests
        }

    def sizes(self, audience_id: str) -> dict[str, int]:
        """Return the number of members by type; a type without members is absent."""
        by_type = self._digests.get(audience_id, {})
        return {kind: len(digests) for kind, digests in sorted(by_type.items()) if digests}

    def rows(self, audience_id: str) -> dict[str, int]:
        """Return how many rows naming this audience were applied, by action."""
        counts = self._rows.get(audience_id, Counter())
        return {action: counts[action] for action in ("add", "delete")}

    def empty(self, audience_id: str) -> None:
        """Forget the members of one audience, not the rows counted."""
        self._digests.pop(audience_id, None)

    def clear(self) -> None:
        """Forget everything."""
        self._digests.clear()
        self._rows.clear()
