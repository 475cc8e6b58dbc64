"""Looking at an account: which calls are made, and how answers of any shape are read."""

import asyncio
from collections.abc import Mapping
from typing import Any

import orjson
import pytest

from connector.core.outcome import Delivered, Halted, Outcome, Rejected, Retryable
from connector.core.rate_limit import RateLimit
from connector.tiktok import protocol
from connector.tiktok.client import TikTokClient
from connector.tiktok.inspection import Account, Audience, Inspector

ADVERTISER = "7000000000000000001"
FIRST, SECOND = "7100000000000000001", "7100000000000000002"


class ScriptedClient(TikTokClient):
    """Answers get with what is prepared for the endpoint, in turn; the last goes on for ever."""

    def __init__(self, **answers: list[dict[str, Any]]) -> None:
        super().__init__("http://127.0.0.1:1", 1.0)
        self.asked: list[tuple[str, dict[str, str]]] = []
        self._answers = answers

    async def get(
        self, endpoint: str, token: str, params: Mapping[str, str] | None = None
    ) -> tuple[Outcome, object]:
        self.asked.append((endpoint, dict(params or {})))
        answers = self._answers.get(endpoint.rpartition("/")[2], [{"code": 0}])
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        outcome = protocol.classify(200, orjson.dumps(answer))
        return outcome, answer.get("data") if isinstance(outcome, Delivered) else None


def inspected(client: TikTokClient, *audience_ids: str) -> Account:
    async def run() -> Account:
        inspector = Inspector(client, RateLimit(1e6), asyncio.get_running_loop().time)
        return await inspector.inspect(ADVERTISER, "a-token", audience_ids)

    return asyncio.run(run())


def answered(*entries: Any) -> list[dict[str, Any]]:
    return [{"code": 0, "data": {"list": list(entries)}}]


DETAILS = {"audience_id": FIRST, "name": "Gold", "is_valid": True, "cover_num": 1234}


@pytest.mark.parametrize(
    "entry",
    [
        {"audience_details": DETAILS, "audience_history": []},
        {"audience_details": [DETAILS]},
        DETAILS,
        {"audience_details": {**DETAILS, "audience_id": int(FIRST)}},
    ],
)
def test_details_are_read_as_an_object_or_a_list(entry: object) -> None:
    account = inspected(ScriptedClient(get=answered(entry)), FIRST)

    assert account.audiences == {FIRST: Audience("Gold", is_valid=True, matched_users=1234)}


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        {},
        {"list": None},
        {"list": {}},
        {"list": [None, 7, [], {"audience_details": None}, {"audience_details": [None, 7]}]},
        {"list": [{"audience_details": {"audience_id": None}}]},
        {"list": [{"audience_details": {"audience_id": SECOND}}]},
    ],
)
def test_an_audience_that_the_answer_leaves_out_is_missing(data: object) -> None:
    account = inspected(ScriptedClient(get=[{"code": 0, "data": data}]), FIRST)

    outcome = account.audiences[FIRST]
    assert isinstance(outcome, Halted)
    assert outcome.reason == "audience_missing"


def test_fields_of_a_wrong_type_are_not_told() -> None:
    entry = {"audience_id": FIRST, "name": 7, "is_valid": "yes", "cover_num": "many"}
    account = inspected(ScriptedClient(get=answered(entry)), FIRST)

    assert account.audiences == {FIRST: Audience(None, None, None)}


def test_ids_that_the_list_does_not_know_are_asked_for_singly() -> None:
    refused = {"code": 40007}
    client = ScriptedClient(
        get=[refused, *answered({**DETAILS, "audience_id": SECOND})],
        list=[{"code": 0}, *answered(DETAILS)],
    )
    account = inspected(client, FIRST, SECOND)

    assert all(isinstance(one, Audience) for one in account.audiences.values())
    gets = [query["custom_audience_ids"] for path, query in client.asked if path.endswith("get")]
    assert gets == [f'["{FIRST}","{SECOND}"]', f'["{SECOND}"]']


def test_a_list_that_fails_too_leaves_asking_singly() -> None:
    client = ScriptedClient(
        get=[{"code": 40002}, *answered(DETAILS), {"code": 40007}],
        list=[{"code": 0}, {"code": 50000}],
    )
    account = inspected(client, FIRST, SECOND)

    assert isinstance(account.audiences[FIRST], Audience)
    assert isinstance(account.audiences[SECOND], Halted)


def test_trouble_of_tiktoks_is_not_taken_for_a_missing_audience() -> None:
    client = ScriptedClient(get=[{"code": 50000}])
    account = inspected(client, FIRST, SECOND)

    assert all(isinstance(one, Retryable) for one in account.audiences.values())
    assert len([path for path, _ in client.asked if path.endswith("get")]) == 1


def test_an_audience_is_asked_for_once_however_many_segments_feed_it() -> None:
    client = ScriptedClient(get=answered(DETAILS))
    inspected(client, FIRST, FIRST)

    assert client.asked[-1][1]["custom_audience_ids"] == f'["{FIRST}"]'


def test_without_audiences_no_details_are_asked_for() -> None:
    client = ScriptedClient()
    account = inspected(client)

    assert account.audiences == {}
    assert [path for path, _ in client.asked] == ["user/info", "dmp/custom_audience/list"]


@pytest.mark.parametrize(
    ("code", "kind", "goes_on"),
    [
        (40105, Halted, False),
        (40001, Halted, True),
        (40002, Rejected, True),
        (50000, Retryable, True),
    ],
)
def test_a_refused_token_ends_it_and_other_trouble_does_not(
    code: int, kind: type, goes_on: object
) -> None:
    client = ScriptedClient(info=[{"code": code}])
    account = inspected(client, FIRST)

    assert isinstance(account.token, kind)
    assert (account.listing is not None) is goes_on
