"""The door: who makes a request, and whether that one may ask for this.

Owns how a caller is known over HTTP, by a bearer token or by the cookie of a session, and what those are answered
who are refused. What is allowed is connector.admin.access.
"""

from collections.abc import Awaitable, Callable

from aiohttp import web

from connector.admin.access import Access, Caller, Role
from connector.admin.answers import as_json
from connector.admin.origin import PAGE_HEADER, is_ours
from connector.telemetry.access import AccessEvents, Refusal

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
KnowingHandler = Callable[[web.Request, Caller | None], Awaitable[web.StreamResponse]]

CHALLENGE = {"WWW-Authenticate": 'Bearer realm="connector"'}
"""Goes with every 401. Browsers ask nobody for a bearer token."""

_NO_TOKENS = "no token is configured, so nobody may do this: see admin.tokens"
_WORDS = {
    Refusal.UNAUTHENTICATED: "a token is needed, as a header: Authorization: Bearer <token>",
    Refusal.FORBIDDEN: "this needs a token whose role is operate",
    Refusal.CROSS_SITE: "a browser's session may be used by the connector's own page alone",
}


class Guard:
    """Lets requests through to their handlers, or answers them itself: `allow`."""

    def __init__(self, access: Access, telemetry: AccessEvents) -> None:
        self._access = access
        self._telemetry = telemetry

    def allow(
        self, needed: Role | None, handler: KnowingHandler, stranger: Handler | None = None
    ) -> Handler:
        """The handler, for those who have this role; None: for everybody.

        Args:
            stranger: answers those who are not known, in place of a line of JSON.
        """

        async def guarded(request: web.Request) -> web.StreamResponse:
            caller, refusal = await self._judge(request, needed)
            if refusal is None:
                return await handler(request, caller)
            if stranger is not None and refusal is Refusal.UNAUTHENTICATED:
                return await stranger(request)
            self._telemetry.refused(refusal, request.path, caller.name if caller else None)
            return self.refused(refusal)

        return guarded

    def refused(self, refusal: Refusal) -> web.Response:
        """The answer to those who are refused."""
        status = 401 if refusal is Refusal.UNAUTHENTICATED else 403
        is_nobodys = refusal is Refusal.FORBIDDEN and not self._access.has_tokens
        reason = _NO_TOKENS if is_nobodys else _WORDS[refusal]
        response = as_json({"error": refusal.value, "reason": reason}, status)
        if refusal is Refusal.UNAUTHENTICATED:
            response.headers.update(CHALLENGE)
        return response

    async def _judge(
        self, request: web.Request, needed: Role | None
    ) -> tuple[Caller | None, Refusal | None]:
        """Who it is, and why it is refused; whoever it is, where that makes no difference."""
        for_anybody = self._access.refusal(needed, None)
        if for_anybody is not Refusal.UNAUTHENTICATED:
            return None, for_anybody
        if (token := _bearer_token(request)) is not None:
            caller = await self._access.recognise(token)
            return caller, self._access.refusal(needed, caller)
        caller = self._access.sessions.find(request.cookies.get(cookie_name(request), ""))
        if caller is not None and _changes_something(request) and not _is_pages(request):
            return caller, Refusal.CROSS_SITE
        return caller, self._access.refusal(needed, caller)


def cookie_name(request: web.Request) -> str:
    """The cookie that holds the session's id.

    A browser sends a host's cookies to all its ports. So the name holds the port: replicas that are forwarded to
    ports of one machine do not overwrite each other's.
    """
    _, _, port = request.host.rpartition(":")
    return f"connector_session_{port}" if port.isascii() and port.isdigit() else "connector_session"


def _bearer_token(request: web.Request) -> str | None:
    """Other schemes are meant for somebody else: for a proxy before us."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def _changes_something(request: web.Request) -> bool:
    return request.method not in {"GET", "HEAD"}


def _is_pages(request: web.Request) -> bool:
    return PAGE_HEADER in request.headers and is_ours(request.headers)
