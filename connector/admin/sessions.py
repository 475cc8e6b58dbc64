"""Sessions of people in a browser: who signed in with a token, so that the browser need not keep the token.

Owns the ids, their bound and their end. An id is chance and says nothing. Knows no HTTP and no token.
"""

import secrets
from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

Who = TypeVar("Who")

LIFETIME_SECONDS = 8 * 3600.0
"""A working day; then whoever it is signs in again."""

_MOST = 1000


class _Session(NamedTuple, Generic[Who]):
    who: Who
    ends_at: float


class Sessions(Generic[Who]):
    """Sessions in memory: they end with the process.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._by_id: dict[str, _Session[Who]] = {}

    def open(self, who: Who) -> str:
        """Begin a session; returns its id. Over the bound, the oldest one ends."""
        self._forget_ended()
        while len(self._by_id) >= _MOST:
            del self._by_id[next(iter(self._by_id))]
        session_id = secrets.token_urlsafe(32)
        self._by_id[session_id] = _Session(who, self._clock() + LIFETIME_SECONDS)
        return session_id

    def find(self, session_id: str) -> Who | None:
        """Whose session it is; None when there is none, or it has ended."""
        session = self._by_id.get(session_id)
        if session is None or session.ends_at <= self._clock():
            return None
        return session.who

    def close(self, session_id: str) -> None:
        """End a session, if there is one."""
        self._by_id.pop(session_id, None)

    def close_all(self, who: Who) -> None:
        """End all sessions of somebody."""
        self._by_id = {key: one for key, one in self._by_id.items() if one.who != who}

    def _forget_ended(self) -> None:
        now = self._clock()
        self._by_id = {key: one for key, one in self._by_id.items() if one.ends_at > now}
