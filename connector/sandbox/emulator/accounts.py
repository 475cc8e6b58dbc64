"""Which tokens, advertisers and audiences there are: as declared (Accounts) and as they stand (Directory).

Owns the answers to "may this token?" and "is there such an audience?". Knows no members and no HTTP.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Final

import msgspec

from connector.sandbox.emulator.declared import read_as, read_json
from connector.sandbox.emulator.tiktok_facts import (
    MAX_AUDIENCES,
    TEXT_40104,
    TEXT_40105,
    Code,
    Refused,
)

DEFAULT_TOKEN: Final = "emulator-access-token"  # noqa: S105  -- opens nothing but this emulator
DEFAULT_ADVERTISER: Final = "7000000000000000001"
_FIRST_AUDIENCE: Final = 7100000000000000001
_FIRST_CREATED: Final = 7200000000000000001

Id = Annotated[str, msgspec.Meta(min_length=1)]


class Audience(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A streaming audience of one advertiser."""

    advertiser_id: Id
    audience_id: Id
    name: str


class Accounts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A declaration: each token with the advertisers it has permission for, and the audiences."""

    tokens: dict[Id, list[Id]] = {}
    audiences: list[Audience] = []


@dataclass(slots=True)
class AudienceRecord:
    """An audience as it stands. A deleted one is kept, so that it can be restored."""

    audience: Audience
    created: float
    deleted: bool = False


def default_accounts() -> Accounts:
    """Return one token, one advertiser and twenty audiences."""
    audiences = [
        Audience(DEFAULT_ADVERTISER, str(_FIRST_AUDIENCE + number), f"Audience {number + 1}")
        for number in range(20)
    ]
    return Accounts({DEFAULT_TOKEN: [DEFAULT_ADVERTISER]}, audiences)


def parse_accounts(text: bytes, where: str = "accounts") -> Accounts:
    """Return the accounts declared in a JSON text.

    Raises:
        Malformed: the text is something else; says what and where.
    """
    return read_as(Accounts, read_json(text, where), where)


class Directory:
    """Tokens, permissions and audiences as they stand now."""

    def __init__(self) -> None:
        self._advertisers: dict[str, tuple[str, ...]] = {}
        self._revoked: set[str] = set()
        self._audiences: dict[str, AudienceRecord] = {}
        self._created = 0

    def declare(self, accounts: Accounts, now: float) -> None:
        """Add what is declared; a token or an audience that exists is replaced, the rest stays."""
        for token, advertisers in accounts.tokens.items():
            self._advertisers[token] = tuple(advertisers)
            self._revoked.discard(token)
        for audience in accounts.audiences:
            self._audiences[audience.audience_id] = AudienceRecord(audience, now)

    def set_revoked(self, token: str, *, revoked: bool) -> bool:
        """Revoke or restore a token; False if there is none."""
        (self._revoked.add if revoked else self._revoked.discard)(token)
        return token in self._advertisers

    def set_deleted(self, audience_id: str, *, deleted: bool) -> bool:
        """Delete or restore an audience; False if there is none."""
        record = self._audiences.get(audience_id)
        if record is not None:
            record.deleted = deleted
        return record is not None

    def authenticate(self, token: str | None) -> str:
        """Return the token if it is good.

        Raises:
            Refused: 40104 without a token, 40105 with one that is unknown or revoked.
        """
        if not token:
            raise Refused(Code.TOKEN_MISSING, TEXT_40104)
        if token not in self._advertisers or token in self._revoked:
            raise Refused(Code.TOKEN_INVALID, TEXT_40105)
        return token

    def permit(self, token: str, advertiser_ids: Iterable[str]) -> None:
        """Check that the token has permission for each advertiser.

        Raises:
            Refused: 40001, also for an advertiser that does not exist: a stranger is not told which.
        """
        if not set(advertiser_ids) <= set(self._advertisers[token]):
            raise Refused(Code.NO_PERMISSION, "No permission to operate this advertiser.")

    def require(self, advertiser_ids: Iterable[str], audience_ids: Iterable[str]) -> None:
        """Check that each audience exists and belongs to one of the advertisers.

        An audience of somebody else gives 40001, not 40007: TikTok's choice is not known, the remedies
        differ (correct the id, or correct the account), and so both cases can be tested.

        Raises:
            Refused: 40007 or 40001.
        """
        advertisers = set(advertiser_ids)
        for audience_id in audience_ids:
            record = self._audiences.get(audience_id)
            if record is None or record.deleted:
                raise Refused(Code.NOT_FOUND, f"Audience{_named(audience_id)} does not exist.")
            if record.audience.advertiser_id not in advertisers:
                raise Refused(
                    Code.NO_PERMISSION,
                    f"Audience{_named(audience_id)} does not belong to the advertiser.",
                )

    def create(self, advertiser_id: str, name: str, now: float) -> str:
        """Make an audience and return its id. Names need not be unique: a repeat makes a second one.

        Raises:
            Refused: the advertiser has as many as are allowed. TikTok's code for it is not known.
        """
        if len(self.audiences_of(advertiser_id)) >= MAX_AUDIENCES:
            raise Refused(
                Code.BAD_PARAMETER,
                f"The advertiser has reached the limit of {MAX_AUDIENCES} audiences.",
            )
        audience_id = str(_FIRST_CREATED + self._created)
        self._created += 1
        audience = Audience(advertiser_id, audience_id, name)
        self._audiences[audience_id] = AudienceRecord(audience, now)
        return audience_id

    def audiences_of(self, advertiser_id: str) -> list[AudienceRecord]:
        """Return the advertiser's audiences that are not deleted, oldest first."""
        return [
            record
            for record in self._audiences.values()
            if record.audience.advertiser_id == advertiser_id and not record.deleted
        ]

    def audiences(self) -> list[AudienceRecord]:
        """Return all audiences, the deleted ones included."""
        return list(self._audiences.values())

    def tokens(self) -> dict[str, dict[str, object]]:
        """Return each token with its advertisers and whether it is revoked."""
        return {
            token: {"advertisers": list(advertisers), "revoked": token in self._revoked}
            for token, advertisers in self._advertisers.items()
        }


def _named(audience_id: str) -> str:
    """Name an audience in a message only if it looks like one: it may be anything a client sent."""
    plausible = audience_id.isascii() and audience_id.isdigit() and len(audience_id) <= 20
    return f" {audience_id}" if plausible else ""
