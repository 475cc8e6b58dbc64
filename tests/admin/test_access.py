"""Who may ask for what: every path with every caller, tokens in files that change, and what the log says of it."""

import asyncio
import hmac
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from connector.admin.access import Access, Caller, Role, Token
from connector.admin.origin import PAGE_HEADER
from connector.admin.sessions import Sessions
from connector.secret import Secret
from connector.telemetry.access import AccessEvents
from connector.telemetry.catalogue import Catalogue
from tests import virtual_time
from tests.admin.site import OPERATE, VIEW, Site, bearer, on_a_site, tokens_of_files, two_tokens

OPEN = ("/healthz", "/readyz", "/page.js", "/page.css", "/icon.svg")
WRONG = "a-token-that-nobody-has"

Headers = Mapping[str, str]
CALLERS: dict[str, Headers] = {
    "nobody": {},
    "view": bearer(VIEW),
    "operate": bearer(OPERATE),
    "wrong": bearer(WRONG),
    "empty": {"Authorization": "Bearer"},
    "longer": bearer(OPERATE + "x"),
    "shorter": bearer(OPERATE[:-1]),
    "other scheme": {"Authorization": f"Basic {OPERATE}"},
    "strange": {"Authorization": "Bearer \udcff\udcfe"},
}
KNOWN = ("view", "operate")

SITES = ("open", "with tokens", "protected")


def status_of(method: str, path: str, caller: str, site: str) -> int:
    """The rule, written a second time."""
    if path in OPEN or (path == "/metrics" and site != "protected"):
        return 200
    if method == "POST":
        if site == "open":
            return 403
        return {"view": 403, "operate": 200}.get(caller, 401)
    return 200 if caller in KNOWN or site == "open" else 401


@pytest.mark.parametrize("kind", SITES)
def test_every_path_for_every_caller(kind: str) -> None:
    asked = [("GET", path) for path in (*OPEN, "/metrics", "/status", "/")]
    asked += [("POST", path) for path in ("/pause", "/resume", "/flush")]

    async def scenario(site: Site) -> None:
        for method, path in asked:
            for name, headers in CALLERS.items():
                answer = await site.ask(method, path, headers)
                wanted = status_of(method, path, name, kind)
                assert answer.status == wanted, f"{method} {path} by {name}"

    tokens = {} if kind == "open" else two_tokens()
    on_a_site(scenario, tokens, protect_metrics=kind == "protected")


@pytest.mark.parametrize(
    ("tokens", "caller", "error", "words"),
    [
        ({}, "nobody", "forbidden", "no token is configured"),
        ({}, "operate", "forbidden", "no token is configured"),
        (two_tokens(), "nobody", "unauthenticated", "Authorization: Bearer <token>"),
        (two_tokens(), "wrong", "unauthenticated", "Authorization: Bearer <token>"),
        (two_tokens(), "view", "forbidden", "a token whose role is operate"),
    ],
)
def test_a_refusal_says_why(tokens: dict[str, Token], caller: str, error: str, words: str) -> None:
    async def scenario(site: Site) -> None:
        answer = await site.ask("POST", "/pause", CALLERS[caller])

        assert answer.json["error"] == error
        assert words in answer.json["reason"]
        assert ("WWW-Authenticate" in answer.headers) is (error == "unauthenticated")
        assert site.operations.paused is None
        assert site.refused(error) == 1

    on_a_site(scenario, tokens)


def test_a_token_in_the_address_or_in_a_cookie_is_none() -> None:
    async def scenario(site: Site) -> None:
        port = site.admin.port
        site.cookies = {f"connector_session_{port}": OPERATE, "token": OPERATE}
        assert (await site.get(f"/status?token={OPERATE}")).status == 401
        assert (await site.get(f"/status?access_token={OPERATE}")).status == 401

    on_a_site(scenario, two_tokens())


def test_the_status_tells_what_whoever_asks_may_do() -> None:
    async def scenario(site: Site) -> None:
        seen = (await site.ask("GET", "/status", bearer(VIEW))).json["access"]
        assert seen == {
            "name": "marketing",
            "role": "view",
            "may_operate": False,
            "has_tokens": True,
        }
        seen = (await site.ask("GET", "/status", bearer(OPERATE))).json["access"]
        assert (seen["name"], seen["may_operate"]) == ("on-call", True)

    on_a_site(scenario, two_tokens())

    async def open_to_all(site: Site) -> None:
        seen = (await site.get("/status")).json["access"]
        assert seen == {"name": None, "role": None, "may_operate": False, "has_tokens": False}

    on_a_site(open_to_all)


# Operations


def test_operations_are_done_told_of_and_logged(capfd: pytest.CaptureFixture[str]) -> None:
    async def scenario(site: Site) -> None:
        async def post(path: str) -> object:
            return (await site.ask("POST", path, bearer(OPERATE))).json

        assert await post("/pause") == {"operation": "pause", "outcome": "done"}
        assert await post("/pause") == {"operation": "pause", "outcome": "unchanged"}
        assert site.parts.pauses.by_operator
        intake = (await site.ask("GET", "/status", bearer(VIEW))).json["intake"]
        assert (intake["paused"], intake["reasons"]) == (True, ["operator"])
        assert (intake["by"], intake["since"]) == ("on-call", "2025-10-09T08:53:20Z")
        assert (await site.metrics())["intake_paused"]["operator",] == 1.0

        assert await post("/resume") == {"operation": "resume", "outcome": "done"}
        assert await post("/resume") == {"operation": "resume", "outcome": "unchanged"}
        assert not site.parts.pauses.by_operator
        assert (await site.metrics())["intake_paused"]["operator",] == 0.0

        assert await post("/flush") == {"operation": "flush", "outcome": "done"}
        assert site.parts.dispatcher.flushes == 1

    on_a_site(scenario, two_tokens())
    lines = [line for line in capfd.readouterr().out.splitlines() if "operation" in line]

    assert len(lines) == 5
    assert all("on-call" in line for line in lines)
    assert [word for line in lines for word in ("pause", "resume", "flush") if word in line] == [
        *("pause", "pause", "resume", "resume", "flush")
    ]
    assert OPERATE not in "".join(lines)


def test_refused_ones_are_logged_by_name(capfd: pytest.CaptureFixture[str]) -> None:
    async def scenario(site: Site) -> None:
        for _ in range(20):
            await site.ask("POST", "/pause", bearer(VIEW))
            await site.ask("POST", "/flush", bearer(WRONG))
        assert (site.refused("forbidden"), site.refused("unauthenticated")) == (20, 20)

    on_a_site(scenario, two_tokens())
    said = capfd.readouterr().out

    assert said.count("request refused") == 40, "how many are written is the log's to say"
    assert said.count("marketing") == 20
    assert WRONG not in said
    assert VIEW not in said


# Comparing


class Comparisons(list[tuple[bytes, bytes]]):
    """What was compared, in place of the constant-time comparison."""

    def __call__(self, one: bytes, other: bytes) -> bool:
        self.append((one, other))
        return one == other


def an_access(*values: str, failure_seconds: float = 0.0) -> Access:
    tokens = [
        Token(Caller(f"n{index}", Role.VIEW), Secret.constant(value))
        for index, value in enumerate(values)
    ]
    events = AccessEvents(Catalogue(), lambda: 0.0, lambda: 0.0)
    return Access(tokens, Sessions(lambda: 0.0), events, failure_seconds)


@pytest.mark.parametrize("given", ["first-token-of-three", "third-token-of-three", "", "x" * 99])
def test_each_token_is_compared_in_constant_time_whichever_fits(
    given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = Comparisons()
    monkeypatch.setattr(hmac, "compare_digest", seen)
    access = an_access("first-token-of-three", "second-token-of-three", "third-token-of-three")
    asyncio.run(access.recognise(given))

    assert len(seen) == 3
    assert {len(one) for pair in seen for one in pair} == {32}


def test_a_wrong_token_waits_for_its_answer_and_a_right_one_does_not() -> None:
    async def test() -> None:
        now = asyncio.get_running_loop().time
        access = an_access("a-token-of-somebody", failure_seconds=0.5)
        began = now()
        assert await access.recognise("a-token-of-somebody") is not None
        assert now() == began
        assert await access.recognise("a-token-of-nobody") is None
        assert now() == began + 0.5

    virtual_time.run(test())


def test_nothing_shows_a_token() -> None:
    (token, _) = two_tokens().values()
    assert VIEW not in f"{token} {token!r} {vars(an_access(VIEW))}"


# Tokens that change


def test_a_new_token_in_the_file_counts_at_once_and_the_old_one_no_more(tmp_path: Path) -> None:
    async def scenario(site: Site) -> None:
        (tmp_path / "on-call").write_text("a-newer-token-for-it\n")
        assert (await site.ask("GET", "/status", bearer(OPERATE))).status == 200
        site.access.renew()
        assert (await site.ask("GET", "/status", bearer(OPERATE))).status == 401
        assert (await site.ask("POST", "/pause", bearer("a-newer-token-for-it"))).status == 200
        assert (await site.ask("GET", "/status", bearer(VIEW))).status == 200

    on_a_site(scenario, tokens_of_files(tmp_path))


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (lambda path: path.write_text("short"), "fewer than 16 characters"),
        (lambda path: path.write_text(VIEW), "another name has the same token"),
        (lambda path: path.write_text(""), ""),
        (lambda path: path.unlink(), ""),
    ],
    ids=["short", "of another", "empty", "away"],
)
def test_a_token_that_cannot_be_taken_leaves_the_old_one(
    tmp_path: Path, bad: Callable[[Path], object], why: str, capfd: pytest.CaptureFixture[str]
) -> None:
    async def scenario(site: Site) -> None:
        bad(tmp_path / "on-call")
        for _ in range(3):
            site.access.renew()
        assert (await site.ask("POST", "/flush", bearer(OPERATE))).status == 200
        assert (await site.ask("POST", "/flush", bearer("short"))).status == 401

    on_a_site(scenario, tokens_of_files(tmp_path))
    said = capfd.readouterr().out

    assert said.count("not taken") == (1 if why else 0)
    assert why in said
    assert VIEW not in said


def test_a_new_token_ends_the_sessions_of_the_old_one_and_of_nobody_else(tmp_path: Path) -> None:
    async def scenario(site: Site) -> None:
        browsers = []
        for token in (OPERATE, OPERATE, VIEW):
            site.cookies = {}
            await site.sign_in(token)
            browsers.append(site.cookies)
        (tmp_path / "on-call").write_text("a-newer-token-for-it")
        site.access.renew()
        seen = []
        for site.cookies in browsers:
            seen.append((await site.get("/status")).status)
        assert seen == [401, 401, 200]

    on_a_site(scenario, tokens_of_files(tmp_path))


# Sessions over HTTP


def test_a_session_has_the_role_of_its_token() -> None:
    async def scenario(site: Site) -> None:
        page = {PAGE_HEADER: "1", "Origin": site.root}
        for token, status in ((VIEW, 403), (OPERATE, 200)):
            site.cookies = {}
            assert (await site.sign_in(token)).status == 303
            assert (await site.get("/status")).status == 200
            assert (await site.get("/")).status == 200
            assert (await site.ask("POST", "/pause", page)).status == status

    on_a_site(scenario, two_tokens())


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({PAGE_HEADER: "1", "Sec-Fetch-Site": "same-origin"}, 200),
        ({PAGE_HEADER: "1", "Sec-Fetch-Site": "same-origin", "Origin": "{root}"}, 200),
        ({PAGE_HEADER: "1", "Origin": "{root}"}, 200),
        ({PAGE_HEADER: "1"}, 403),
        ({"Origin": "{root}"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 403),
        ({}, 403),
        ({PAGE_HEADER: "1", "Origin": "http://elsewhere.example"}, 403),
        ({PAGE_HEADER: "1", "Origin": "null"}, 403),
        ({PAGE_HEADER: "1", "Sec-Fetch-Site": "cross-site", "Origin": "{root}"}, 403),
        ({PAGE_HEADER: "1", "Sec-Fetch-Site": "same-site", "Origin": "{root}"}, 403),
        ({PAGE_HEADER: "1", "Sec-Fetch-Site": "none", "Origin": "{root}"}, 403),
        # A bearer token is never sent by a browser of its own accord.
        ({"Origin": "http://elsewhere.example", **bearer(OPERATE)}, 200),
    ],
)
def test_what_another_site_causes_with_a_persons_cookie_is_refused(
    headers: Headers, status: int
) -> None:
    async def scenario(site: Site) -> None:
        await site.sign_in(OPERATE)
        filled = {name: value.format(root=site.root) for name, value in headers.items()}
        for path in ("/pause", "/resume", "/flush"):
            assert (await site.ask("POST", path, filled)).status == status
        assert site.refused("cross_site") == (3 if status == 403 else 0)
        assert site.parts.dispatcher.flushes == (1 if status == 200 else 0)

    on_a_site(scenario, two_tokens())


def test_to_view_needs_no_more_than_the_cookie() -> None:
    async def scenario(site: Site) -> None:
        await site.sign_in(VIEW)
        assert (await site.get("/status", Origin="http://elsewhere.example")).status == 200
        answer = await site.get("/status")
        assert "Access-Control-Allow-Origin" not in answer.headers

    on_a_site(scenario, two_tokens())
