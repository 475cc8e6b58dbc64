"""Signing in and out, for people in a browser: a token is given once, and a session's cookie kept in its place.

Owns the form and the cookie. The token stands in no address, and nothing of a browser's storage holds it.
"""

from aiohttp import web

from connector.admin.access import Access
from connector.admin.files import Files
from connector.admin.guard import CHALLENGE, Guard, cookie_name
from connector.admin.origin import is_ours
from connector.admin.sessions import LIFETIME_SECONDS
from connector.telemetry.access import AccessEvents, Refusal

_FORM = "application/x-www-form-urlencoded"
_PLACE = "<!-- message -->"
_UNKNOWN = '<p class="message" role="alert">This token is not known here.</p>'


class SignIn:
    """The form, `form`, and what becomes of it: `enter`, `leave`."""

    def __init__(
        self,
        access: Access,
        guard: Guard,
        files: Files,
        telemetry: AccessEvents,
    ) -> None:
        self._access = access
        self._guard = guard
        self._files = files
        self._telemetry = telemetry

    async def form(self, _: web.Request) -> web.Response:
        """The form, for those who are not known."""
        return self._form("")

    async def enter(self, request: web.Request) -> web.Response:
        """Take the token of the form: the page and a cookie, or the form again."""
        if not self._access.has_tokens:
            return self._refuse(request, Refusal.FORBIDDEN)
        if not is_ours(request.headers):
            return self._refuse(request, Refusal.CROSS_SITE)
        caller = await self._access.recognise(await _token_of(request))
        if caller is None:
            self._telemetry.refused(Refusal.UNAUTHENTICATED, request.path, None)
            return self._form(_UNKNOWN)
        self._telemetry.signed_in(caller.name)
        response = _to_page()
        response.set_cookie(
            cookie_name(request),
            self._access.sessions.open(caller),
            max_age=int(LIFETIME_SECONDS),
            path="/",
            httponly=True,
            samesite="Strict",
            secure=_is_over_tls(request),
        )
        return response

    async def leave(self, request: web.Request) -> web.Response:
        """End the session of the cookie, if there is one."""
        if not is_ours(request.headers):
            return self._refuse(request, Refusal.CROSS_SITE)
        session_id = request.cookies.get(cookie_name(request), "")
        if (caller := self._access.sessions.find(session_id)) is not None:
            self._access.sessions.close(session_id)
            self._telemetry.signed_out(caller.name)
        response = _to_page()
        response.del_cookie(cookie_name(request), path="/")
        return response

    def _form(self, message: str) -> web.Response:
        text = self._files.text("sign-in.html").replace(_PLACE, message)
        return web.Response(text=text, status=401, content_type="text/html", headers=CHALLENGE)

    def _refuse(self, request: web.Request, refusal: Refusal) -> web.Response:
        self._telemetry.refused(refusal, request.path, None)
        return self._guard.refused(refusal)


async def _token_of(request: web.Request) -> str:
    if request.content_type != _FORM:
        return ""
    token = (await request.post()).get("token", "")
    return token.strip() if isinstance(token, str) else ""


def _is_over_tls(request: web.Request) -> bool:
    """By this process, or by what stands before it. To lie about it makes the cookie stricter, and nothing else."""
    return request.secure or request.headers.get("X-Forwarded-Proto") == "https"


def _to_page() -> web.Response:
    return web.Response(status=303, headers={"Location": "/"})
