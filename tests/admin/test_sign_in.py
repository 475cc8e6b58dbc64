"""Signing in and out, as a browser does it: the form, the cookie, and how long it is good for."""

from http.cookies import SimpleCookie
from typing import Any

import pytest

from connector.admin.sessions import LIFETIME_SECONDS, Sessions
from tests.admin.parts import Clock
from tests.admin.site import OPERATE, VIEW, Site, on_a_site, two_tokens


def test_a_stranger_sees_the_form_and_nothing_else() -> None:
    async def scenario(site: Site) -> None:
        answer = await site.get("/")

        assert (answer.status, answer.kind) == (401, "text/html")
        assert 'action="/sign-in"' in answer.text
        assert 'role="alert"' not in answer.text
        assert "members" not in answer.text
        assert "page.js" not in answer.text
        assert site.refused("unauthenticated") == 0  # it is an invitation

    on_a_site(scenario, two_tokens())


def test_a_token_is_given_once_and_a_session_kept_in_its_place() -> None:
    async def scenario(site: Site) -> None:
        answer = await site.sign_in(f" {VIEW}\n")
        assert (answer.status, answer.headers["Location"]) == (303, "/")
        (cookie,) = SimpleCookie(answer.headers["Set-Cookie"]).values()

        assert cookie.key == f"connector_session_{site.admin.port}"
        assert len(cookie.value) >= 43  # 256 bits
        assert VIEW not in answer.headers["Set-Cookie"]
        assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Strict", "/")
        assert cookie["max-age"] == "28800"
        assert not cookie["secure"]
        assert "page.js" in (await site.get("/")).text

    on_a_site(scenario, two_tokens())


def test_behind_tls_the_cookie_is_for_tls_alone() -> None:
    async def scenario(site: Site) -> None:
        answer = await site.sign_in(VIEW, **{"Origin": site.root, "X-Forwarded-Proto": "https"})
        (cookie,) = SimpleCookie(answer.headers["Set-Cookie"]).values()
        assert cookie["secure"] is True

    on_a_site(scenario, two_tokens())


def test_each_session_has_an_id_of_its_own() -> None:
    async def scenario(site: Site) -> None:
        ids = set()
        for _ in range(5):
            await site.sign_in(VIEW)
            ids |= set(site.cookies.values())
        assert len(ids) == 5

    on_a_site(scenario, two_tokens())


@pytest.mark.parametrize(
    "data",
    [
        {"token": "a-token-that-nobody-has"},
        {"token": ""},
        {},
        {"other": VIEW},
        b"\xff\xfe%zz&&==",
        None,
    ],
)
def test_a_wrong_token_brings_the_form_again(data: Any) -> None:
    async def scenario(site: Site) -> None:
        answer = await site.ask("POST", "/sign-in", {"Origin": site.root}, data)

        assert (answer.status, answer.kind) == (401, "text/html")
        assert 'role="alert">This token is not known here.' in answer.text
        assert "nobody-has" not in answer.text
        assert "Set-Cookie" not in answer.headers
        assert site.refused("unauthenticated") == 1

    on_a_site(scenario, two_tokens())


def test_a_body_that_is_no_form_is_not_read() -> None:
    async def scenario(site: Site) -> None:
        headers = {"Origin": site.root, "Content-Type": "application/json"}
        answer = await site.ask("POST", "/sign-in", headers, f'{{"token": "{VIEW}"}}')
        assert answer.status == 401

        headers["Content-Type"] = "application/x-www-form-urlencoded"
        answer = await site.ask("POST", "/sign-in", headers, "token=" + "x" * 100_000)
        assert answer.status == 413

    on_a_site(scenario, two_tokens())


@pytest.mark.parametrize(
    "headers",
    [
        {"Accept": "*/*"},  # neither of the two that browsers send
        {"Origin": "http://elsewhere.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
def test_another_site_signs_nobody_in_or_out(headers: dict[str, str]) -> None:
    async def scenario(site: Site) -> None:
        assert (await site.sign_in(VIEW, **headers)).status == 403
        assert site.cookies == {}
        await site.sign_in(VIEW)
        answer = await site.ask("POST", "/sign-out", headers)
        assert (answer.status, answer.json["error"]) == (403, "cross_site")
        assert (await site.get("/status")).status == 200
        assert site.refused("cross_site") == 2

    on_a_site(scenario, two_tokens())


def test_without_tokens_there_is_nothing_to_sign_in_to() -> None:
    async def scenario(site: Site) -> None:
        answer = await site.sign_in(VIEW)
        assert (answer.status, answer.json["error"]) == (403, "forbidden")
        assert "page.js" in (await site.get("/")).text

    on_a_site(scenario)


def test_signing_out_ends_the_session_wherever_its_cookie_is() -> None:
    async def scenario(site: Site) -> None:
        await site.sign_in(OPERATE)
        kept = dict(site.cookies)
        answer = await site.ask("POST", "/sign-out", {"Origin": site.root})
        (cookie,) = SimpleCookie(answer.headers["Set-Cookie"]).values()

        assert (answer.status, answer.headers["Location"]) == (303, "/")
        assert (cookie.key, cookie.value, cookie["max-age"]) == (*kept, "", "0")
        site.cookies = kept
        assert (await site.get("/status")).status == 401
        assert (await site.ask("POST", "/sign-out", {"Origin": site.root})).status == 303

    on_a_site(scenario, two_tokens())


def test_a_session_ends_after_a_working_day() -> None:
    async def scenario(site: Site) -> None:
        await site.sign_in(VIEW)
        site.clock.now += LIFETIME_SECONDS - 1
        assert (await site.get("/status")).status == 200
        site.clock.now += 1  # using it made it no longer
        assert (await site.get("/status")).status == 401
        assert (await site.get("/")).status == 401

    on_a_site(scenario, two_tokens())


@pytest.mark.parametrize("value", ["", "x", "a" * 5000, "é", '"quoted"'])
def test_a_cookie_of_no_session_is_none(value: str) -> None:
    async def scenario(site: Site) -> None:
        site.cookies = {f"connector_session_{site.admin.port}": value}
        assert (await site.get("/status")).status == 401

    on_a_site(scenario, two_tokens())


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("connector.example:8080", "connector_session_8080"),
        ("connector.example", "connector_session"),
        ("[::1]:9", "connector_session_9"),
        ("[::1]", "connector_session"),
        ("x:²", "connector_session"),
    ],
)
def test_the_cookies_name_holds_the_port_that_was_asked(host: str, name: str) -> None:
    async def scenario(site: Site) -> None:
        headers = {"Host": host, "Sec-Fetch-Site": "same-origin"}
        answer = await site.sign_in(VIEW, **headers)
        assert list(site.cookies) == [name]
        assert answer.status == 303
        assert (await site.get("/status", **headers)).status == 200

    on_a_site(scenario, two_tokens())


# Sessions by themselves


def test_there_are_only_so_many_sessions() -> None:
    clock = Clock()
    sessions: Sessions[str] = Sessions(clock)
    ids = []
    for number in range(1100):
        clock.now += 1
        ids.append(sessions.open(f"n{number}"))

    assert sum(sessions.find(one) is not None for one in ids) == 1000
    assert sessions.find(ids[99]) is None
    assert sessions.find(ids[100]) == "n100"
    assert sessions.find(ids[-1]) == "n1099"


def test_sessions_that_have_ended_make_room_before_others_do() -> None:
    clock = Clock()
    sessions: Sessions[str] = Sessions(clock)
    for _ in range(999):
        sessions.open("early")
    clock.now += LIFETIME_SECONDS - 10
    late = sessions.open("late")
    clock.now += 20
    for _ in range(999):
        sessions.open("later")

    assert sessions.find(late) == "late"
