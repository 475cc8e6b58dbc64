"""Each kind of fault as a client sees it, through a real socket."""

import asyncio
import time
from typing import Any

import aiohttp
import pytest

from connector.sandbox.emulator import DEFAULT_TOKEN
from tests.sandbox.emulator_calls import FIRST, Client, emails, sha, with_client


def applied(client: Client) -> bool:
    return client.emulator.members(FIRST) == {"EMAIL_SHA256": {sha("a")}}


def outcomes(client: Client) -> Any:
    return client.emulator.stats()["calls"]["by_endpoint"]["segment/mapping"]


def test_a_code_is_answered_in_place_of_the_call() -> None:
    async def scenario(client: Client) -> None:
        client.fault(code=50002, message="busy", count=1)
        seen = await client.map(emails("a"))

        assert (seen.status, seen.code, seen.json["message"]) == (200, 50002, "busy")
        assert not applied(client)
        assert (await client.map(emails("a"))).code == 0
        assert outcomes(client) == {"0": 1, "50002": 1}

    with_client(scenario)


def test_a_status_is_answered_without_the_envelope() -> None:
    async def scenario(client: Client) -> None:
        client.fault(status=502, body="bad gateway")
        seen = await client.map(emails("a"))

        assert (seen.status, seen.text) == (502, "bad gateway")
        assert not applied(client)
        assert outcomes(client) == {"http_502": 1}

    with_client(scenario)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_reset_is_a_reset_for_the_client(when: str) -> None:
    async def scenario(client: Client) -> None:
        client.fault(reset=when, count=1)
        with pytest.raises(aiohttp.ClientConnectionError):
            await client.map(emails("a"))

        assert applied(client) is (when == "after")
        assert (await client.map(emails("a"))).code == 0
        assert outcomes(client) == {"0": 1, "reset": 1}

    with_client(scenario)


@pytest.mark.parametrize("is_applied", [False, True])
def test_a_timeout_holds_the_answer(*, is_applied: bool) -> None:
    async def scenario(client: Client) -> None:
        client.fault(timeout=30, applied=is_applied)
        with pytest.raises(TimeoutError):
            await client.map(emails("a"))

        assert applied(client) is is_applied

    with_client(scenario, timeout=0.1)


def test_a_timeout_ends_with_a_gateways_answer() -> None:
    async def scenario(client: Client) -> None:
        client.fault(timeout=0.05)

        assert (await client.map(emails("a"))).status == 504

    with_client(scenario)


def test_a_late_call_is_applied_though_its_caller_has_gone() -> None:
    async def scenario(client: Client) -> None:
        client.fault(timeout=0.15, applied="late")
        with pytest.raises(TimeoutError):
            await client.map(emails("a"))
        assert not applied(client)

        await asyncio.sleep(0.1)
        assert applied(client)

    with_client(scenario, timeout=0.1)


def test_a_client_that_gave_up_may_send_again_without_being_counted() -> None:
    async def scenario(client: Client) -> None:
        client.fault(timeout=30, count=3)
        for _ in range(3):
            with pytest.raises(TimeoutError):
                await client.map(emails("a"))
        assert (await client.map(emails("a"))).code == 0

        assert client.emulator.stats()["duplicates"]["under_way"] == 0

    with_client(scenario, timeout=0.05)


def test_a_delay_is_slow_and_fine() -> None:
    async def scenario(client: Client) -> None:
        client.fault(delay=0.1)
        began = time.monotonic()

        assert (await client.map(emails("a"))).code == 0
        assert time.monotonic() - began >= 0.1
        assert applied(client)

    with_client(scenario)


def test_a_trickle_comes_byte_by_byte() -> None:
    async def scenario(client: Client) -> None:
        client.fault(trickle=0.2)
        began = time.monotonic()

        assert (await client.map(emails("a"))).code == 0
        assert time.monotonic() - began >= 0.2

    with_client(scenario)


def test_a_truncated_body_breaks_off() -> None:
    async def scenario(client: Client) -> None:
        client.fault(body="truncated", count=1)
        with pytest.raises(aiohttp.ClientPayloadError):
            await client.map(emails("a"))

        assert applied(client)
        assert (await client.map(emails("a"))).code == 0

    with_client(scenario)


@pytest.mark.parametrize(
    ("body", "content_type", "start"),
    [
        ("html", "text/html", "<html>"),
        ("empty", "application/json", ""),
        ("not_json", "application/json", "{code:"),
    ],
)
def test_a_wrong_body_comes_after_applying(body: str, content_type: str, start: str) -> None:
    async def scenario(client: Client) -> None:
        client.fault(body=body)
        seen = await client.map(emails("a"))

        assert seen.status == 200
        assert seen.headers["Content-Type"].startswith(content_type)
        assert seen.text.startswith(start)
        assert bool(seen.text) is bool(start)
        assert applied(client)
        assert outcomes(client) == {f"body_{body}": 1}

    with_client(scenario)


def test_partial_is_20001_after_applying_and_never_hides_a_refusal() -> None:
    async def scenario(client: Client) -> None:
        client.fault(partial=True)

        assert (await client.map(emails("a"))).code == 20001
        assert applied(client)
        assert (await client.map({})).code == 40002

    with_client(scenario)


def test_poison_refuses_the_calls_that_hold_it_without_saying_where() -> None:
    async def scenario(client: Client) -> None:
        client.fault(poison=[sha("bad")])
        refused = await client.map(emails("a", "bad"))

        assert refused.code == 40002
        assert "[" not in refused.json["message"]
        assert client.emulator.members(FIRST) == {}
        assert (await client.map(emails("a"))).code == 0
        assert applied(client)

    with_client(scenario)


def test_a_token_is_revoked_in_mid_stream_until_it_is_restored() -> None:
    async def scenario(client: Client) -> None:
        client.fault(revoke_token=DEFAULT_TOKEN)
        assert [(await client.map(emails("a"))).code for _ in range(2)] == [40105, 40105]

        await client.admin("POST", "tokens", {"token": DEFAULT_TOKEN, "action": "restore"})
        assert (await client.map(emails("a"))).code == 0

    with_client(scenario)


def test_an_audience_is_deleted_in_mid_stream_until_it_is_restored() -> None:
    async def scenario(client: Client) -> None:
        await client.map(emails("a"))
        client.fault(delete_audience=FIRST)
        assert (await client.map(emails("b"))).code == 40007

        restore = {"audience_id": FIRST, "action": "restore"}
        await client.admin("POST", "audiences", restore)
        assert applied(client)
        await client.admin("POST", "audiences", {**restore, "members": "empty"})
        assert client.emulator.members(FIRST) == {}

    with_client(scenario)


def test_a_struck_call_is_counted_once_and_40100_comes_first() -> None:
    async def scenario(client: Client) -> None:
        await client.admin("POST", "limits", {"qps": 1})
        client.fault(status=500)
        assert (await client.map(emails("a"))).status == 500
        assert (await client.map(emails("a"))).code == 40100

    with_client(scenario, clock=lambda: 5.0)


def test_refused_connections_come_back_on_the_same_port() -> None:
    async def scenario(client: Client) -> None:
        assert (await client.map(emails("a"))).code == 0
        seen = await client.admin("POST", "refuse", {"seconds": 0.2})
        assert seen.json == {"refusing_seconds": 0.2}

        with pytest.raises(aiohttp.ClientConnectorError):
            await client.map(emails("b"))
        await asyncio.sleep(0.3)
        assert (await client.map(emails("b"))).code == 0

    with_client(scenario)


def test_stopping_while_refusing_and_holding_is_quick() -> None:
    async def scenario(client: Client) -> None:
        client.fault(timeout=30)
        held = asyncio.create_task(client.map(emails("a")))
        await asyncio.sleep(0.05)
        await client.emulator.refuse(30)
        with pytest.raises(aiohttp.ClientConnectionError):
            await held

        began = time.monotonic()
        await client.emulator.stop()
        assert time.monotonic() - began < 1

    with_client(scenario)
