"""API calls after their shape was judged: one value per endpoint, and what a fault may match on.

Owns no rules. Whoever may call, and what exists, is the directory's business.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from connector.sandbox.emulator.tiktok_facts import (
    AUDIENCE_GET,
    AUDIENCE_LIST,
    MAPPING,
    SEGMENT_AUDIENCE,
    USER_INFO,
)

# audience -> identifier type -> digests
Changes: TypeAlias = dict[str, dict[str, set[bytes]]]


@dataclass(frozen=True, slots=True)
class MappingCall:
    """A well-formed segment/mapping call.

    Attributes:
        rows: rows in batch_data.
        rows_by_audience: rows that name the audience at least once.
        changes: what it would add to or delete from each audience.
        repeated: how many of its (audience, type, digest) stood in it before.
    """

    advertiser_ids: tuple[str, ...]
    action: str
    rows: int
    rows_by_audience: Mapping[str, int]
    changes: Changes
    repeated: int

    endpoint = MAPPING

    @property
    def audience_ids(self) -> Iterable[str]:
        return self.changes


@dataclass(frozen=True, slots=True)
class SegmentAudienceCall:
    """A well-formed segment/audience call: create has a name, delete an audience."""

    advertiser_ids: tuple[str, ...]
    action: str
    name: str = ""
    audience_ids: tuple[str, ...] = ()

    endpoint = SEGMENT_AUDIENCE


@dataclass(frozen=True, slots=True)
class ListCall:
    """A well-formed dmp/custom_audience/list call. No audience_ids means all."""

    advertiser_ids: tuple[str, ...]
    audience_ids: tuple[str, ...]
    page: int
    page_size: int

    endpoint = AUDIENCE_LIST
    action = None


@dataclass(frozen=True, slots=True)
class GetCall:
    """A well-formed dmp/custom_audience/get call."""

    advertiser_ids: tuple[str, ...]
    audience_ids: tuple[str, ...]

    endpoint = AUDIENCE_GET
    action = None


@dataclass(frozen=True, slots=True)
class UserInfoCall:
    """A user/info call; it has no parameters."""

    advertiser_ids: tuple[str, ...] = ()
    audience_ids: tuple[str, ...] = ()

    endpoint = USER_INFO
    action = None


ApiCall: TypeAlias = MappingCall | SegmentAudienceCall | ListCall | GetCall | UserInfoCall


class Gathered:
    """Collects the identifiers of one mapping call, column by column or entry by entry."""

    def __init__(self) -> None:
        self._digests: dict[str, dict[str, list[bytes]]] = {}

    def add(self, audience_ids: Iterable[str], id_type: str, digests: list[bytes]) -> None:
        """Take digests of one type for each audience named; naming it twice is naming it once."""
        for audience_id in dict.fromkeys(audience_ids):
            self._digests.setdefault(audience_id, {}).setdefault(id_type, []).extend(digests)

    def call(
        self,
        advertiser_ids: Iterable[str],
        action: str,
        rows: int,
        rows_by_audience: Counter[str],
    ) -> MappingCall:
        """Return the finished call."""
        changes: Changes = {}
        repeated = 0
        for audience_id, by_type in self._digests.items():
            changes[audience_id] = {kind: set(digests) for kind, digests in by_type.items()}
            repeated += sum(map(len, by_type.values()))
            repeated -= sum(map(len, changes[audience_id].values()))
        return MappingCall(
            tuple(advertiser_ids), action, rows, dict(rows_by_audience), changes, repeated
        )
