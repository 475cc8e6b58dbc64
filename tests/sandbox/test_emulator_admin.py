"""The emulator's own endpoints: the JSON that docs/emulator.md promises."""

import ast
import io
import logging
from pathlib import Path
from typing import Any

import pytest

import connector.sandbox.emulator as package
from connector.sandbox.emulator import (
    DEFAULT_TOKEN,
    Accounts,
    Malformed,
    default_accounts,
    parse_accounts,
)
from tests.sandbox.emulator_calls import (
    ADVERTISER,
    FIRST,
    SECOND,
    Client,
    emails,
    entry,
    mapping,
    sha,
    with_client,
)


def test_audiences_with_and_without_members() -> None:
    expected = {
        "advertiser_id": ADVERTISER,
        "audience_id": FIRST,
        "name": "Audience 1",
        "deleted": False,
        "sizes": {"EMAIL_SHA256": 1, "PHONE_SHA256": 2},
        "rows": {"add": 2, "delete": 1},
    }

    async def scenario(client: Client) -> None:
        schema = ["PHONE_SHA256", "EMAIL_SHA256"]
        await client.map(mapping([entry("2"), entry("b")], [entry("1"), entry("a")], schema=schema))
        await client.map(emails("a", action="delete"))

        shown = (await client.admin("GET", "audiences")).json["audiences"]
        assert len(shown) == 20
        assert shown[0] == expected
        shown = (await client.admin("GET", f"audiences?members=1&audience_id={FIRST}")).json
        members = {"EMAIL_SHA256": [sha("b")], "PHONE_SHA256": sorted([sha("1"), sha("2")])}
        assert shown == {"audiences": [{**expected, "members": members}]}
        assert (await client.admin("GET", "audiences?audience_id=1")).status == 404

    with_client(scenario)


def test_stats() -> None:
    async def scenario(client: Client) -> None:
        await client.map(emails("a"))
        await client.map(emails("b", "c", "d"))
        await client.map(emails("b", "c", audience="71"))
        await client.get("user/info", token=None)
        await client.call("GET", "/open_api/v1.3/user/info")

        stats = (await client.admin("GET", "stats")).json
        rate = stats.pop("rate")
        assert stats == {
            "calls": {
                "total": 5,
                "by_endpoint": {
                    "segment/mapping": {"0": 2, "40007": 1},
                    "user/info": {"40104": 1},
                    "wrong path or method": {"http_404": 1},
                },
            },
            "rows": {
                "received": 6,
                "applied": 4,
                "per_call": {"calls": 3, "min": 1, "mean": 2.0, "p50": 2, "p95": 3, "max": 3},
            },
            "duplicates": {"under_way": 0, "calls_with_under_way": 0, "within_call": 0},
            "under_way": 0,
        }
        assert rate["max_calendar_second"] == rate["max_sliding_second"] == 4
        assert client.emulator.stats()["rate"] == rate

    with_client(scenario, clock=lambda: 5.0)


def test_reset_forgets_members_and_statistics_alone() -> None:
    async def scenario(client: Client) -> None:
        await client.map(emails("a"))
        client.fault(code=50000, start_seconds=100)
        assert (await client.admin("POST", "reset")).json == {}
        assert (await client.admin("POST", "reset", {"seed": 3})).status == 200

        assert client.emulator.members(FIRST) == {}
        assert client.emulator.stats()["calls"]["total"] == 0
        assert len((await client.admin("GET", "faults")).json["faults"]) == 1
        assert (await client.map(emails("a"))).code == 0

    with_client(scenario)


def test_accounts_are_added_and_tokens_revoked() -> None:
    declared: dict[str, Any] = {
        "tokens": {"new": ["77"]},
        "audiences": [{"advertiser_id": "77", "audience_id": "771", "name": "N"}],
    }

    async def scenario(client: Client) -> None:
        body = mapping([entry("a", "771")], advertisers=["77"])
        assert (await client.map(body, token="new")).code == 40105
        accounts = (await client.admin("POST", "accounts", declared)).json
        assert accounts["tokens"]["new"] == {"advertisers": ["77"], "revoked": False}
        assert accounts["audiences"][-1] == {**declared["audiences"][0], "deleted": False}
        assert (await client.map(body, token="new")).code == 0

        await client.admin("POST", "tokens", {"token": "new", "action": "revoke"})
        accounts = (await client.admin("GET", "accounts")).json
        assert accounts["tokens"]["new"]["revoked"] is True
        assert (await client.map(body, token="new")).code == 40105

    with_client(scenario)


def test_faults_are_added_listed_and_taken_back() -> None:
    async def scenario(client: Client) -> None:
        await client.admin("POST", "faults", {"code": 40100, "count": 2})
        listed = await client.admin("POST", "faults", [{"delay": 0.5, "endpoint": "user/info"}])
        await client.map(emails("a"))

        assert len(listed.json["faults"]) == 2
        first, second = (await client.admin("GET", "faults")).json["faults"]
        assert (first["id"], first["hits"], first["remaining"]) == (1, 1, 1)
        assert second == {
            "id": 2,
            "endpoint": "user/info",
            "delay": 0.5,
            "hits": 0,
            "remaining": None,
            "in_force": True,
        }
        assert len((await client.admin("DELETE", "faults?id=1")).json["faults"]) == 1
        assert (await client.admin("DELETE", "faults?id=1")).status == 404
        assert (await client.admin("DELETE", "faults")).json == {"faults": []}

    with_client(scenario)


@pytest.mark.parametrize(
    ("path", "body", "error"),
    [
        ("faults", [{"code": 1}, {}], "faults[1]: needs exactly one of"),
        ("tokens", {"token": "x", "action": "burn"}, "token.action: "),
        ("audiences", {"action": "delete"}, "audience: Object missing required field"),
        ("accounts", {"tokens": {"t": "7"}}, "accounts.tokens[...]: Expected `array`, got `str`"),
        ("refuse", {"seconds": 0}, "refuse.seconds: "),
        ("limits", {"qps": -1}, "limits.qps: Expected `int` >= 0"),
        ("limits", [1], "limits: Expected `object`"),
        ("reset", {"sead": 1}, "reset: Object contains unknown field `sead`"),
    ],
)
def test_what_cannot_be_used_is_a_400_that_says_where(path: str, body: Any, error: str) -> None:
    async def scenario(client: Client) -> None:
        seen = await client.admin("POST", path, body)

        assert seen.status == 400
        assert error in seen.json["error"]

    with_client(scenario)


def test_other_answers_of_the_own_endpoints() -> None:
    async def scenario(client: Client) -> None:
        unknown = {"token": "x", "action": "revoke"}
        assert (await client.admin("POST", "tokens", unknown)).status == 404
        nowhere = {"audience_id": "x", "action": "delete"}
        assert (await client.admin("POST", "audiences", nowhere)).status == 404
        assert (await client.admin("DELETE", "faults?id=x")).status == 400
        assert (await client.call("POST", "/_emulator/faults", body=b"{")).status == 400
        assert (await client.admin("GET", "limits")).json["qps"] == 0
        changed = (await client.admin("POST", "limits", {"qpm": 5})).json
        assert (changed["qps"], changed["qpm"]) == (0, 5)
        deleted = {"audience_id": SECOND, "action": "delete"}
        assert (await client.admin("POST", "audiences", deleted)).json["audiences"][0]["deleted"]

    with_client(scenario)


def test_no_digest_and_no_token_is_logged() -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logger = logging.getLogger()
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)

    async def scenario(client: Client) -> None:
        await client.map(emails("a"))
        await client.map(emails("a"), token="secret-token")
        await client.admin("POST", "faults", {"poison": [sha("a")]})
        await client.admin("POST", "tokens", {"token": DEFAULT_TOKEN, "action": "revoke"})
        await client.admin("GET", f"audiences?members=1&audience_id={FIRST}")

    try:
        with_client(scenario)
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)

    logged = stream.getvalue()
    assert "segment/mapping answered 0" in logged
    assert "faults added: poison" in logged
    assert not [word for word in (sha("a"), "secret-token", DEFAULT_TOKEN) if word in logged]


def test_the_default_accounts_are_as_documented() -> None:
    accounts = default_accounts()

    assert accounts.tokens == {"emulator-access-token": ["7000000000000000001"]}
    assert [audience.audience_id for audience in accounts.audiences] == [
        str(7100000000000000000 + number) for number in range(1, 21)
    ]


def test_an_accounts_file_is_read_or_explained() -> None:
    assert parse_accounts(b'{"tokens": {"t": ["7"]}}') == Accounts({"t": ["7"]}, [])
    with pytest.raises(Malformed, match=r"accounts.audiences\[0\]: Object missing required field"):
        parse_accounts(b'{"audiences": [{"advertiser_id": "7"}]}')


def test_the_emulator_imports_nothing_of_the_software_it_tests() -> None:
    """Else the two could agree on a mistake."""
    sources = list(Path(package.__file__).parent.glob("*.py"))
    imported = {
        name
        for source in sources
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8")))
        for name in (
            [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else []
        )
    }

    assert sources
    own = {name for name in imported if name.startswith("connector")}
    assert all(name.startswith("connector.sandbox.emulator") for name in own)


def test_watched_identifiers_are_noted_each_time_with_whether_it_was_answered() -> None:
    async def scenario(client: Client) -> None:
        await client.map(emails("before"))
        assert (await client.admin("POST", "watch", {"type": "EMAIL_SHA256"})).json["applied"] == {}
        await client.admin("POST", "faults", {"body": "empty", "count": 1})
        await client.admin("POST", "faults", {"status": 500, "count": 1})
        for _ in range(3):
            await client.map(emails("a"))
        await client.map(emails("a", "b", action="delete"))

        shown = (await client.admin("GET", "watch")).json
        assert shown["type"] == "EMAIL_SHA256"
        answered = {
            one: [each["answered"] for each in found] for one, found in shown["applied"].items()
        }
        assert answered == {sha("a"): [False, True, True], sha("b"): [True]}
        assert (await client.admin("POST", "watch", {"type": "E-MAIL"})).status == 400
        assert (await client.admin("POST", "watch", {"type": None})).json["type"] is None
        await client.map(emails("a"))
        assert (await client.admin("GET", "watch")).json["applied"] == {}

    with_client(scenario)
