"""TikTok's endpoints as a client sees them, through a real socket."""

import asyncio
import random
import time
from typing import Any

import orjson
import pytest

from connector.sandbox.emulator import Limits
from tests.cpu import like_the_service, slowness
from tests.sandbox.emulator_calls import (
    ADVERTISER,
    FIRST,
    FOREIGN,
    OTHER_ADVERTISER,
    SECOND,
    STRANGER,
    Client,
    emails,
    entry,
    mapping,
    sha,
    two_advertisers,
    with_client,
)

BASE = "/open_api/v1.3"


def test_a_mapping_call_is_applied_and_answered_with_the_envelope() -> None:
    async def scenario(client: Client) -> None:
        seen = await client.map(emails("a", "b"))

        assert seen.status == 200
        assert seen.json == {
            "code": 0,
            "message": "OK",
            "request_id": seen.headers["X-TT-LOGID"],
            "data": {},
        }
        await client.map(emails("a", action="delete"))
        assert client.emulator.members(FIRST) == {"EMAIL_SHA256": {sha("b")}}

    with_client(scenario)


def test_request_ids_are_never_given_twice() -> None:
    async def scenario(client: Client) -> None:
        seen = [await client.get("user/info") for _ in range(3)]

        assert len({one.json["request_id"] for one in seen}) == 3

    with_client(scenario)


@pytest.mark.parametrize(
    ("method", "path", "status", "text"),
    [
        ("POST", f"{BASE}/segment/mapping", 404, "404 page not found"),
        ("GET", f"{BASE}/user/info", 404, "404 page not found"),
        ("GET", f"{BASE}/nothing/here/", 404, "404 page not found"),
        ("GET", "/open_api/v1.2/user/info/", 404, "404 page not found"),
        ("GET", f"{BASE}/segment/mapping/", 405, "405 method not allowed"),
        ("POST", f"{BASE}/user/info/", 405, "405 method not allowed"),
    ],
)
def test_a_wrong_path_or_method_gets_plain_text(
    method: str, path: str, status: int, text: str
) -> None:
    async def scenario(client: Client) -> None:
        seen = await client.call(method, path)

        assert (seen.status, seen.text) == (status, text)
        assert seen.headers["Content-Type"].startswith("text/plain")

    with_client(scenario)


def test_the_token_decides_before_the_shape() -> None:
    async def scenario(client: Client) -> None:
        missing = await client.get("user/info", token=None)
        unknown = await client.map({}, token="unknown")

        assert missing.status == unknown.status == 200
        assert missing.code == 40104
        assert missing.json["message"] == (
            "Access token is null, you should set it in http header with key Access-Token."
        )
        assert unknown.code == 40105
        assert (await client.map({})).code == 40002

    with_client(scenario)


def test_who_may_do_what() -> None:
    own = mapping([entry("a")])
    foreign = mapping([entry("a", FOREIGN)])
    both = [ADVERTISER, OTHER_ADVERTISER]

    async def scenario(client: Client) -> None:
        assert (await client.map(own, token=STRANGER)).code == 40001
        assert (await client.map(mapping([entry("a")], advertisers=["7"]))).code == 40001
        assert (await client.map(foreign)).code == 40001
        assert (await client.map(mapping([entry("a", "71")]))).code == 40007
        assert (await client.map({**foreign, "advertiser_ids": both})).code == 0
        assert (await client.get("user/info", token=STRANGER)).code == 0
        assert client.emulator.members(FOREIGN) == {"EMAIL_SHA256": {sha("a")}}
        assert client.emulator.members(FIRST) == {}

    with_client(scenario, accounts=two_advertisers())


def test_a_message_names_an_audience_only_if_it_looks_like_one() -> None:
    async def scenario(client: Client) -> None:
        plausible = await client.map(mapping([entry("a", "7199")]))
        secret = await client.map(mapping([entry("a", "jane@example.com")]))

        assert plausible.json["message"] == "Audience 7199 does not exist."
        assert secret.json["message"] == "Audience does not exist."

    with_client(scenario)


@pytest.mark.parametrize(
    "body",
    [
        mapping([entry("a")], [{"id": "plain", "audience_ids": [FIRST]}]),
        mapping([entry("a")], [entry("b", "71")]),
        mapping([entry("a", FIRST, FOREIGN)]),
        mapping([entry("a")], advertisers=[ADVERTISER, "1"]),
    ],
)
def test_a_refused_call_changes_nothing(body: dict[str, Any]) -> None:
    async def scenario(client: Client) -> None:
        assert (await client.map(body)).code != 0
        assert client.emulator.members(FIRST) == {}
        assert client.emulator.stats()["rows"]["applied"] == 0

    with_client(scenario, accounts=two_advertisers())


def test_a_body_of_five_megabytes_is_read_and_one_of_eleven_is_not() -> None:
    async def scenario(client: Client) -> None:
        path = f"{BASE}/segment/mapping/"
        five = await client.call("POST", path, body=b" " * 5_000_000)
        eleven = await client.call("POST", path, body=b" " * 11_000_000)

        assert five.code == 40002
        assert eleven.status == 413

    with_client(scenario)


def test_the_rate_limit_is_over_all_endpoints_and_says_so_in_the_body() -> None:
    now = 100.0

    async def scenario(client: Client) -> None:
        nonlocal now
        assert (await client.get("user/info")).code == 0
        assert (await client.map(emails("a"))).code == 0
        refused = await client.map(emails("b"))
        assert (refused.status, refused.code) == (200, 40100)
        assert "requests from App" in refused.json["message"]
        now = 101.0
        assert (await client.map(emails("b"))).code == 0
        assert client.emulator.stats()["rate"] == {
            "max_calendar_second": 3,
            "max_sliding_second": 3,
            "per_second": [
                {"second": 100, "calls": 3, "refused": 1},
                {"second": 101, "calls": 1, "refused": 0},
            ],
        }

    with_client(scenario, limits=Limits(qps=2), clock=lambda: now)


def test_an_advertiser_too_frequent_is_40133() -> None:
    async def scenario(client: Client) -> None:
        codes = [(await client.map(emails("a"))).code for _ in range(2)]

        assert codes == [0, 40133]

    with_client(scenario, limits=Limits(qps=0, advertiser_qps=1), clock=lambda: 5.0)


def test_audiences_are_listed_by_page() -> None:
    async def scenario(client: Client) -> None:
        first = await client.get("dmp/custom_audience/list", advertiser_id=ADVERTISER)
        last = await client.get(
            "dmp/custom_audience/list", advertiser_id=ADVERTISER, page="3", page_size="8"
        )
        chosen = await client.get(
            "dmp/custom_audience/list",
            advertiser_id=ADVERTISER,
            custom_audience_ids=f'["{SECOND}", "71"]',
        )

        assert [item["audience_id"] for item in first.json["data"]["list"]][:2] == [FIRST, SECOND]
        assert first.json["data"]["page_info"] == {
            "page": 1,
            "page_size": 10,
            "total_number": 20,
            "total_page": 2,
        }
        assert len(last.json["data"]["list"]) == 4
        assert last.json["data"]["page_info"]["total_page"] == 3
        assert [item["audience_id"] for item in chosen.json["data"]["list"]] == [SECOND]

    with_client(scenario)


def test_an_audience_shows_how_many_it_covers() -> None:
    async def scenario(client: Client) -> None:
        await client.map(emails("a", "b"))
        seen = await client.get(
            "dmp/custom_audience/get", advertiser_id=ADVERTISER, custom_audience_ids=f'["{FIRST}"]'
        )

        (found,) = seen.json["data"]["list"]
        assert found["audience_details"]["audience_id"] == FIRST
        assert found["audience_details"]["cover_num"] == 2
        assert found["audience_details"]["is_valid"] is True
        assert found["audience_history"][0]["editor"] == "open_api"

    with_client(scenario)


@pytest.mark.parametrize(
    ("endpoint", "query", "code"),
    [
        ("list", {}, 40002),
        ("list", {"advertiser_id": "1"}, 40001),
        ("list", {"advertiser_id": ADVERTISER, "page": "0"}, 40002),
        ("list", {"advertiser_id": ADVERTISER, "page": "x"}, 40002),
        ("list", {"advertiser_id": ADVERTISER, "page_size": "101"}, 40002),
        ("list", {"advertiser_id": ADVERTISER, "custom_audience_ids": "[]"}, 40002),
        ("get", {"advertiser_id": ADVERTISER}, 40002),
        ("get", {"advertiser_id": ADVERTISER, "custom_audience_ids": FIRST}, 40002),
        ("get", {"advertiser_id": ADVERTISER, "custom_audience_ids": f"[{FIRST}]"}, 40002),
        (
            "get",
            {
                "advertiser_id": ADVERTISER,
                "custom_audience_ids": orjson.dumps(["1"] * 101).decode(),
            },
            40002,
        ),
        ("get", {"advertiser_id": ADVERTISER, "custom_audience_ids": '["71"]'}, 40007),
        ("get", {"advertiser_id": ADVERTISER, "custom_audience_ids": f'["{FOREIGN}"]'}, 40001),
        ("get", {"custom_audience_ids": f'["{FIRST}"]'}, 40002),
    ],
)
def test_reading_is_as_strict(endpoint: str, query: dict[str, str], code: int) -> None:
    async def scenario(client: Client) -> None:
        seen = await client.get(f"dmp/custom_audience/{endpoint}", **query)

        assert (seen.status, seen.code) == (200, code)

    with_client(scenario, accounts=two_advertisers())


async def _audience(client: Client, **body: str) -> Any:
    seen = await client.call(
        "POST", f"{BASE}/segment/audience/", json={"advertiser_id": ADVERTISER, **body}
    )
    return seen.json


def test_creating_twice_makes_two_and_a_long_name_is_cut() -> None:
    async def scenario(client: Client) -> None:
        first = await _audience(client, action="create", custom_audience_name="n" * 71)
        second = await _audience(client, custom_audience_name="n" * 70)
        assert first["code"] == second["code"] == 0
        one, two = first["data"]["audience_id"], second["data"]["audience_id"]
        assert one != two
        assert (await client.map(emails("a", audience=one))).code == 0

        shown = (await client.admin("GET", "audiences")).json["audiences"]
        names = {item["audience_id"]: item["name"] for item in shown}
        assert names[one] == "n" * 67 + "..."
        assert names[two] == "n" * 70

        gone = await _audience(client, action="delete", delete_audience_id=one)
        assert gone["code"] == 0
        assert (await client.map(emails("a", audience=one))).code == 40007
        again = await _audience(client, action="delete", delete_audience_id=one)
        assert again["code"] == 40007

    with_client(scenario)


def test_an_advertiser_has_at_most_400_audiences() -> None:
    async def scenario(client: Client) -> None:
        codes = [(await _audience(client, custom_audience_name="n"))["code"] for _ in range(381)]

        assert codes == [0] * 380 + [40002]

    with_client(scenario)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"custom_audience_name": ""},
        {"action": "create"},
        {"action": "delete"},
        {"action": "rename", "custom_audience_name": "n"},
    ],
)
def test_a_malformed_audience_call_is_40002(body: dict[str, str]) -> None:
    async def scenario(client: Client) -> None:
        assert (await _audience(client, **body))["code"] == 40002

    with_client(scenario)


def test_the_audience_ends_as_one_set_after_random_calls() -> None:
    chance = random.Random(7)
    expected: set[str] = set()

    async def scenario(client: Client) -> None:
        for _ in range(60):
            names = [str(chance.randrange(40)) for _ in range(8)]
            action = chance.choice(["add", "delete"])
            (expected.update if action == "add" else expected.difference_update)(map(sha, names))
            assert (await client.map(emails(*names, action=action))).code == 0
        assert client.emulator.members(FIRST)["EMAIL_SHA256"] == expected

    with_client(scenario)


def test_overlapping_calls_are_counted_and_sequential_ones_are_not() -> None:
    async def scenario(client: Client) -> None:
        await client.map(emails("a", "a"))
        await client.map(emails("a"))
        assert client.emulator.stats()["duplicates"] == {
            "under_way": 0,
            "calls_with_under_way": 0,
            "within_call": 1,
        }
        client.fault(delay=0.05)
        await asyncio.gather(client.map(emails("a", "b")), client.map(emails("b", "a", "c")))
        assert client.emulator.stats()["duplicates"] == {
            "under_way": 2,
            "calls_with_under_way": 1,
            "within_call": 1,
        }

    with_client(scenario)


def test_a_hundred_large_calls_a_second_are_served() -> None:
    schema = ["EMAIL_SHA256", "PHONE_SHA256", "IDFA_SHA256"]
    rows = [[entry(f"{row}-{kind}") for kind in schema] for row in range(1000)]
    body = orjson.dumps(mapping(*rows, schema=schema))

    async def scenario(client: Client) -> None:
        path = f"{BASE}/segment/mapping/"
        # Else what other tests keep would be looked through in the middle of a call.
        with like_the_service():
            before = slowness()
            began = time.process_time()
            for _ in range(30):
                assert (await client.call("POST", path, body=body)).code == 0

            took = (time.process_time() - began) / min(before, slowness())
            assert took / 30 < 0.01  # the client's work included

    with_client(scenario)
