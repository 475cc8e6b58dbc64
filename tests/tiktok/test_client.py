"""The HTTP edge against an emulated TikTok, and against servers that misbehave."""

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from connector.core.batch import Batch, row_of
from connector.core.checkpoint import Checkpoint
from connector.core.identity import Target
from connector.core.model import Action, Partition
from connector.core.outcome import Delivered, Halted, Outcome, Rejected, Retryable
from connector.sandbox.emulator import (
    DEFAULT_ADVERTISER,
    DEFAULT_TOKEN,
    Emulator,
    Limits,
    default_accounts,
    read_faults,
)
from connector.secret import Secret
from connector.tiktok.client import TikTokClient, TikTokDestination
from tests.tiktok.servers import Server, http, serving

TARGETS = [Target.EMAIL_SHA256, Target.PHONE_SHA256]
AUDIENCE = "7100000000000000001"
EMAIL = "d6117306485ed0e50afab3ac871e98f81699151f30281527d63ff5f233656c69"
PHONE = "9f7ec22d72092cd3c0b58726ed9c2d91b92e51a3f29837508fb2948bb22dd2fd"
TOKEN = "a-token-that-nobody-may-see"
OK = http(200, b'{"code":0,"message":"OK","request_id":"r1","data":{}}')


def batch(action: Action = Action.ADD) -> Batch:
    checkpoint = Checkpoint()
    partition = Partition("members", 0)
    checkpoint.assign([partition])
    span = checkpoint.track(partition, 2, 0.0, -1)
    rows = [
        row_of([bytes.fromhex(EMAIL), None], action, span, 0, 0, b"k1"),
        row_of([None, bytes.fromhex(PHONE)], action, span, 1, 0, b"k2"),
    ]
    return Batch(action, rows, {0: [bytes.fromhex(EMAIL)], 1: [bytes.fromhex(PHONE)]}, "age")


async def sent_to(base_url: str, timeout: float = 5.0, token: str = TOKEN) -> Outcome:
    async with TikTokClient(base_url, timeout) as client:
        destination = TikTokDestination(client, DEFAULT_ADVERTISER, Secret.constant(token), TARGETS)
        return await destination.send(AUDIENCE, batch())


def outcome_at(server: Server, timeout: float = 5.0, token: str = TOKEN) -> Outcome:
    async def run() -> Outcome:
        async with serving(server):
            return await sent_to(server.base_url, timeout, token)

    return asyncio.run(run())


def with_emulator(
    scenario: Callable[[Emulator, TikTokDestination, TikTokClient], Awaitable[None]],
    token: Secret | None = None,
    timeout: float = 5.0,
) -> None:
    async def run() -> None:
        emulator = Emulator(default_accounts(), Limits(qps=0))
        port = await emulator.start()
        try:
            async with TikTokClient(f"http://127.0.0.1:{port}/open_api/v1.3", timeout) as client:
                secret = token or Secret.constant(DEFAULT_TOKEN)
                destination = TikTokDestination(client, DEFAULT_ADVERTISER, secret, TARGETS)
                await scenario(emulator, destination, client)
        finally:
            await emulator.stop()

    asyncio.run(run())


def retryable(outcome: Outcome) -> tuple[str, bool]:
    assert isinstance(outcome, Retryable), outcome
    return outcome.reason, outcome.in_doubt


# Against the emulator


def test_members_come_and_go() -> None:
    async def scenario(emulator: Emulator, destination: TikTokDestination, _: object) -> None:
        assert isinstance(await destination.send(AUDIENCE, batch()), Delivered)
        assert emulator.members(AUDIENCE) == {"EMAIL_SHA256": {EMAIL}, "PHONE_SHA256": {PHONE}}

        assert isinstance(await destination.send(AUDIENCE, batch(Action.DELETE)), Delivered)
        assert emulator.members(AUDIENCE) == {}

    with_emulator(scenario)


def test_a_probe_asks_who_the_token_is() -> None:
    async def scenario(emulator: Emulator, destination: TikTokDestination, _: object) -> None:
        assert isinstance(await destination.probe(), Delivered)
        assert emulator.stats()["calls"]["by_endpoint"] == {"user/info": {"0": 1}}

    with_emulator(scenario)


def test_a_get_gives_the_data_of_an_accepted_answer_alone() -> None:
    async def scenario(_: Emulator, __: object, client: TikTokClient) -> None:
        query = {"advertiser_id": DEFAULT_ADVERTISER, "page_size": "2"}
        outcome, data = await client.get("dmp/custom_audience/list", DEFAULT_TOKEN, query)
        assert isinstance(outcome, Delivered)
        assert isinstance(data, dict)
        assert len(data["list"]) == 2

        refused, nothing = await client.get("dmp/custom_audience/list", "another", query)
        assert isinstance(refused, Halted)
        assert nothing is None

    with_emulator(scenario)


@pytest.mark.parametrize(
    ("fault", "kind", "reason"),
    [
        ({"code": 40100}, Retryable, "rate_limited"),
        ({"code": 40105}, Halted, "token_refused"),
        ({"code": 40007}, Halted, "audience_missing"),
        ({"code": 40002}, Rejected, "bad_parameters"),
        ({"status": 500}, Retryable, "http_error"),
        ({"status": 404}, Halted, "wrong_path"),
        ({"body": "html"}, Retryable, "not_an_envelope"),
        ({"body": "empty"}, Retryable, "not_an_envelope"),
        ({"body": "not_json"}, Retryable, "not_an_envelope"),
    ],
)
def test_answers_become_outcomes(fault: dict[str, Any], kind: type, reason: str) -> None:
    async def scenario(emulator: Emulator, destination: TikTokDestination, _: object) -> None:
        emulator.add_faults(read_faults({"endpoint": "segment/mapping", **fault}))
        outcome = await destination.send(AUDIENCE, batch())

        assert isinstance(outcome, kind)
        assert not isinstance(outcome, Delivered)
        assert outcome.reason == reason
        # Whoever answered without TikTok's envelope does not know what TikTok did.
        is_unclear = isinstance(outcome, Retryable) and outcome.response.code is None
        assert getattr(outcome, "in_doubt", False) is is_unclear

    with_emulator(scenario)


@pytest.mark.parametrize(
    "fault",
    [
        {"reset": "before"},
        {"reset": "after"},
        {"body": "truncated"},
    ],
)
def test_a_connection_that_broke_leaves_the_call_in_doubt(fault: dict[str, Any]) -> None:
    """Whether TikTok applied it cannot be told from here: the one did, the other did not."""

    async def scenario(emulator: Emulator, destination: TikTokDestination, _: object) -> None:
        emulator.add_faults(read_faults(fault))

        assert retryable(await destination.send(AUDIENCE, batch())) == ("connection", True)

    with_emulator(scenario)


@pytest.mark.parametrize("applied", [True, False])
def test_a_timeout_leaves_the_call_in_doubt(applied: object) -> None:
    async def scenario(emulator: Emulator, destination: TikTokDestination, _: object) -> None:
        emulator.add_faults(read_faults({"timeout": 30, "applied": applied}))

        assert retryable(await destination.send(AUDIENCE, batch())) == ("timeout", True)
        assert bool(emulator.members(AUDIENCE)) is applied

    with_emulator(scenario, timeout=0.2)


def test_an_answer_that_trickles_is_timed_out_as_a_whole() -> None:
    async def scenario(emulator: Emulator, destination: TikTokDestination, _: object) -> None:
        emulator.add_faults(read_faults({"trickle": 5}))

        assert retryable(await destination.send(AUDIENCE, batch())) == ("timeout", True)

    with_emulator(scenario, timeout=0.3)


def test_a_new_token_is_used_from_the_moment_it_is_noticed(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("an-old-token\n")

    async def scenario(_: Emulator, destination: TikTokDestination, __: object) -> None:
        assert not destination.renewed()
        assert isinstance(await destination.probe(), Halted)
        file.write_text(f"{DEFAULT_TOKEN}\n")
        assert isinstance(await destination.probe(), Halted)

        assert destination.renewed()
        assert not destination.renewed()
        assert isinstance(await destination.probe(), Delivered)
        assert isinstance(await destination.send(AUDIENCE, batch()), Delivered)

    with_emulator(scenario, Secret.from_file(file))


# Against servers that misbehave


def test_the_call_as_it_stands_on_the_wire() -> None:
    server = Server(OK)

    assert isinstance(outcome_at(server), Delivered)
    (request,) = server.requests
    assert request.line == "POST /open_api/v1.3/segment/mapping/ HTTP/1.1"
    assert request.headers["Access-Token"] == TOKEN
    assert request.headers["Content-Type"] == "application/json"
    assert not {"Cookie", "Authorization"} & request.headers.keys()
    assert orjson.loads(request.body) == {
        "advertiser_ids": [DEFAULT_ADVERTISER],
        "action": "add",
        "id_schema": ["EMAIL_SHA256", "PHONE_SHA256"],
        "batch_data": [
            [{"id": EMAIL, "audience_ids": [AUDIENCE]}, {}],
            [{}, {"id": PHONE, "audience_ids": [AUDIENCE]}],
        ],
    }


def test_a_body_of_megabytes_is_sent_whole_and_without_a_warning() -> None:
    server = Server(OK)
    body = b'{"pad":"%b"}' % (b"0" * 3_000_000)

    async def run() -> Outcome:
        async with serving(server), TikTokClient(server.base_url, 5.0) as client:
            return await client.post("segment/mapping", TOKEN, body)

    assert isinstance(asyncio.run(run()), Delivered)
    assert server.requests[0].body == body
    assert server.requests[0].headers["Content-Type"] == "application/json"


def test_a_query_as_it_stands_on_the_wire() -> None:
    server = Server(OK)

    async def run() -> None:
        async with serving(server), TikTokClient(server.base_url + "/", 5.0) as client:
            await client.get("user/info", TOKEN, {"ids": '["1","2"]'})

    asyncio.run(run())
    (request,) = server.requests
    assert request.line.startswith("GET /open_api/v1.3/user/info/?ids=")
    assert request.headers["Access-Token"] == TOKEN
    assert request.body == b""


@pytest.mark.parametrize(
    ("answer", "kind", "reason"),
    [
        (http(500, b"oops"), Retryable, "http_error"),
        (http(503, b'{"code":0}'), Retryable, "http_error"),
        (http(429, b"slow down"), Retryable, "not_an_envelope"),
        (http(404, b"404 page not found"), Halted, "wrong_path"),
        (http(405, b"405 method not allowed"), Rejected, "http_error"),
        (http(200, b"<html>", kind="text/html"), Retryable, "not_an_envelope"),
        (http(200, b"[]"), Retryable, "not_an_envelope"),
        (http(200, b'{"code":"0"}'), Retryable, "not_an_envelope"),
        (http(200, b"\xff\xfe\x00"), Retryable, "not_an_envelope"),
        (http(200, b""), Retryable, "not_an_envelope"),
    ],
)
def test_an_answer_that_is_not_tiktoks(answer: bytes, kind: type, reason: str) -> None:
    outcome = outcome_at(Server(answer))

    assert isinstance(outcome, kind)
    assert not isinstance(outcome, Delivered)
    assert outcome.reason == reason


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    """It would take the token, and people's digests, to where the answer says."""
    elsewhere = Server(OK)

    async def run() -> Outcome:
        async with serving(elsewhere):
            location = f"Location: {elsewhere.base_url}/segment/mapping/"
            async with serving(Server(http(status, b"", location))) as server:
                return await sent_to(server.base_url)

    assert retryable(asyncio.run(run()))[0] == "not_an_envelope"
    assert elsewhere.requests == []


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope",
        b"SSH-2.0-OpenSSH_9.2\r\n",
    ],
)
@pytest.mark.parametrize("end", ["closed", "reset"])
def test_half_an_answer_leaves_the_call_in_doubt(answer: bytes, end: str) -> None:
    server = Server(answer, is_reset=end == "reset")

    assert retryable(outcome_at(server)) == ("connection", True)


def test_a_connection_reset_before_the_request_was_read_is_in_doubt() -> None:
    server = Server(b"", is_reset=True, reads=False)

    assert retryable(outcome_at(server)) == ("connection", True)


def test_a_server_that_falls_silent_is_given_up_in_time() -> None:
    assert retryable(outcome_at(Server(None), timeout=0.2)) == ("timeout", True)


def test_nobody_listens_so_nothing_was_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    outcome = asyncio.run(sent_to(f"http://127.0.0.1:{port}/open_api/v1.3"))
    assert retryable(outcome) == ("connection", False)


def test_a_name_that_leads_nowhere_so_nothing_was_sent() -> None:
    outcome = asyncio.run(sent_to("http://nowhere.invalid/open_api/v1.3"))

    assert retryable(outcome) == ("connection", False)


def test_tls_that_cannot_be_agreed_so_nothing_was_sent() -> None:
    async def run() -> Outcome:
        async with serving(Server(OK, reads=False)) as server:
            return await sent_to(server.base_url.replace("http:", "https:"))

    assert retryable(asyncio.run(run())) == ("connection", False)


@pytest.mark.parametrize("token", ["tökén", "a\ttab", "令牌", "a\u00a0b"])
def test_a_token_that_no_header_takes_is_not_sent(token: str) -> None:
    server = Server(OK)

    async def run() -> Outcome:
        async with serving(server), TikTokClient(server.base_url, 5.0) as client:
            destination = TikTokDestination(client, DEFAULT_ADVERTISER, Secret(token), TARGETS)
            probed = await destination.probe()
            assert probed == await destination.send(AUDIENCE, batch())
            return probed

    outcome = asyncio.run(run())
    assert isinstance(outcome, Halted)
    assert outcome.reason == "token_malformed"
    assert server.requests == []


def test_cookies_are_not_kept() -> None:
    server = Server(http(200, b'{"code":0}', "Set-Cookie: account=emea; Path=/"))

    async def run() -> None:
        async with serving(server), TikTokClient(server.base_url, 5.0) as client:
            await client.get("user/info", TOKEN)
            await client.get("user/info", TOKEN)

    asyncio.run(run())
    assert len(server.requests) == 2
    assert "Cookie" not in server.requests[1].headers


def test_a_call_that_is_cancelled_ends_at_once_and_the_client_goes_on() -> None:
    async def scenario(emulator: Emulator, destination: TikTokDestination, _: object) -> None:
        emulator.add_faults(read_faults({"timeout": 30, "count": 1}))
        call = asyncio.create_task(destination.send(AUDIENCE, batch()))
        await asyncio.sleep(0.1)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

        assert isinstance(await destination.send(AUDIENCE, batch()), Delivered)

    with_emulator(scenario)


def test_a_client_outside_its_context_is_a_mistake_of_ours() -> None:
    client = TikTokClient("http://127.0.0.1:1", 1.0)

    with pytest.raises(RuntimeError, match="outside its context"):
        asyncio.run(client.get("user/info", TOKEN))


@pytest.mark.parametrize(
    "server",
    [
        Server(OK),
        Server(http(400, b"bad")),
        Server(http(200, b"<html>")),
        Server(b"HTTP/1.1 nonsense\r\n\r\n"),
        Server(b"", is_reset=True),
        Server(None),
    ],
    ids=["accepted", "refused", "html", "nonsense", "reset", "silent"],
)
def test_no_log_line_and_no_outcome_holds_the_token_or_an_identifier(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    outcome = outcome_at(server, timeout=0.3)

    said = repr(outcome) + caplog.text
    as_bytes = [str(bytes.fromhex(one))[2:-1] for one in (EMAIL, PHONE)]
    for secret in (TOKEN, EMAIL, PHONE, *as_bytes):
        assert secret not in said
