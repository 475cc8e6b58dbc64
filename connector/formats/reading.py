"""From a record to its memberships: the envelope taken off, then the topic's format.

Owns the order of these two. Knows no record beyond its value and headers.
"""

from collections.abc import Sequence

from connector.formats.cloudevents import unwrap
from connector.formats.membership import Format, Membership


def memberships_of(
    shape: Format, value: bytes | None, headers: Sequence[tuple[str, bytes]]
) -> list[Membership]:
    """What a record says; nothing for a tombstone. Raises InvalidRecord as formats do."""
    if headers and (envelope := unwrap(value, headers)) is not None:
        if envelope.value is None:
            return []
        memberships = shape.decode(envelope.value)
        for membership in memberships:
            membership.at = envelope.time if membership.at is None else membership.at
            membership.problem = membership.problem or envelope.problem
        return memberships
    return [] if value is None else shape.decode(value)
