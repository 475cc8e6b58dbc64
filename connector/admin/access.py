"""Who may do what: the configured tokens, their roles, and what a request needs.

Owns the tokens as digests: compared in constant time, and nothing here could print one. Knows no HTTP.
"""

import asyncio
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import NamedTuple

from connector.admin.sessions import Sessions
from connector.secret import LEAST_TOKEN_CHARACTERS, Secret
from connector.telemetry.access import AccessEvents, Refusal

FAILURE_SECONDS = 0.5
"""How long a wrong token waits for its answer, so that trying many takes its time."""


class Role(StrEnum):
    """What a token allows. Who may operate may view."""

    VIEW = "view"
    OPERATE = "operate"


class Caller(NamedTuple):
    """Whose token it is: its configured name and role."""

    name: str
    role: Role


@dataclass(slots=True)
class Token:
    """A configured token: whose it is, and the secret that its file holds."""

    caller: Caller
    secret: Secret

    def digest(self) -> bytes:
        """What it is compared by: of one length, whatever the token's."""
        return _digest(self.secret.value())


class Access:
    """Judges requests: `recognise`, `refusal`; and takes over tokens whose files have changed: `renew`.

    Args:
        failure_seconds: how long a wrong token waits for its answer.

    Attributes:
        sessions: of those who signed in with one of the tokens.
    """

    def __init__(
        self,
        tokens: Iterable[Token],
        sessions: Sessions[Caller],
        telemetry: AccessEvents,
        failure_seconds: float = FAILURE_SECONDS,
    ) -> None:
        self._tokens = {token.caller: token for token in tokens}
        self._digests = {caller: token.digest() for caller, token in self._tokens.items()}
        self.sessions = sessions
        self._telemetry = telemetry
        self._failure_seconds = failure_seconds

    @property
    def has_tokens(self) -> bool:
        """Whether any token is configured: without, everybody may view and nobody operate."""
        return bool(self._tokens)

    async def recognise(self, token: str) -> Caller | None:
        """Whose token this is; None, and not at once, when it is nobody's."""
        caller = self._caller_of(token)
        if caller is None:
            await asyncio.sleep(self._failure_seconds)
        return caller

    def _caller_of(self, token: str) -> Caller | None:
        """Takes the same time whatever is given: each token is compared, by digests of one length."""
        given = _digest(token)
        found = None
        for caller, digest in self._digests.items():
            if hmac.compare_digest(digest, given):
                found = caller
        return found

    def refusal(self, needed: Role | None, caller: Caller | None) -> Refusal | None:
        """Why a request that needs this role is refused; None when it is not. None needed is open to all."""
        if needed is None or (needed is Role.VIEW and not self.has_tokens):
            return None
        if not self.has_tokens:
            return Refusal.FORBIDDEN
        if caller is None:
            return Refusal.UNAUTHENTICATED
        is_enough = needed is Role.VIEW or caller.role is Role.OPERATE
        return None if is_enough else Refusal.FORBIDDEN

    def renew(self) -> None:
        """Look at the tokens' files. A new token counts from now on, and ends the sessions of the old one.

        One that could be guessed, or is another's too, is not taken: the old one stays.
        """
        for caller, token in self._tokens.items():
            if not token.secret.refresh():
                continue
            digest = token.digest()
            others = (one for whose, one in self._digests.items() if whose != caller)
            if len(token.secret.value()) < LEAST_TOKEN_CHARACTERS:
                why = f"it has fewer than {LEAST_TOKEN_CHARACTERS} characters"
                self._telemetry.token_unusable(caller.name, why)
            elif digest in others:
                self._telemetry.token_unusable(caller.name, "another name has the same token")
            elif digest != self._digests[caller]:
                self._digests[caller] = digest
                self.sessions.close_all(caller)
                self._telemetry.secret_renewed(caller.name)


def _digest(token: str) -> bytes:
    return sha256(token.encode("utf-8", "surrogatepass")).digest()
