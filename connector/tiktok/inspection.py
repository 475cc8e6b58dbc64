"""Looks at an account at TikTok by reading calls alone: the token, its permission, the audiences.

For `connector check`, and for the service where it tells how many users were matched. Owns which calls are made and how their answers are read. Says what was seen as outcomes and numbers; the words for
people are the command's.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, NamedTuple

import orjson

from connector.core.outcome import NO_ANSWER, Delivered, Halted, Outcome, Response, Retryable, Scope
from connector.core.rate_limit import RateLimit
from connector.secret import Secret
from connector.tiktok.client import TikTokClient
from connector.tiktok.protocol import AUDIENCE_GET, AUDIENCE_LIST, USER_INFO

_MOST_IDS = 100
"""What one call of custom_audience/get or list takes."""

_TRIES = 3
_RATE_PAUSE_SECONDS = 1.0
"""TikTok's advice when there were too many calls in a second: go on in the next one."""

_POINTLESS = NO_ANSWER | {"token_refused", "token_malformed", "wrong_path"}
"""After these the next call can only end the same way."""

_MISSING = Halted("audience_missing", Response("other"), Scope.AUDIENCE)


class Audience(NamedTuple):
    """An audience that is there. What TikTok did not tell is None."""

    name: str | None
    is_valid: bool | None
    matched_users: int | None


@dataclass(slots=True)
class Account:
    """What was seen of one account.

    Attributes:
        token: what /user/info/ answered.
        listing: what /dmp/custom_audience/list/ answered, which takes the scope Audience Management and a right
            to the advertiser; None when the token's answer made it pointless.
        audiences: by id, each audience or why there is none to see; empty when the listing was refused.
    """

    token: Outcome
    listing: Outcome | None = None
    audiences: dict[str, Audience | Outcome] = field(default_factory=dict)


class Inspector:
    """Asks TikTok, one call after the other for each account, all spaced by one rate limit: `inspect`.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, client: TikTokClient, rate: RateLimit, clock: Callable[[], float]) -> None:
        self._client = client
        self._rate = rate
        self._clock = clock

    async def inspect(self, advertiser_id: str, token: str, audience_ids: Sequence[str]) -> Account:
        """Look at an account and at these of its audiences. Never raises for what TikTok or the network does."""
        outcome, _ = await self._ask(USER_INFO, token, {})
        account = Account(outcome)
        if not isinstance(outcome, Delivered) and outcome.reason in _POINTLESS:
            return account
        query = {"advertiser_id": advertiser_id, "page_size": "1"}
        account.listing, _ = await self._ask(AUDIENCE_LIST, token, query)
        if isinstance(account.listing, Delivered):
            for ids in _chunks(dict.fromkeys(audience_ids)):
                account.audiences |= await self._look_up(advertiser_id, token, ids)
        return account

    async def _look_up(
        self, advertiser_id: str, token: str, ids: Sequence[str]
    ) -> dict[str, Audience | Outcome]:
        """All of these at once; when one of them spoils the answer, find out which."""
        seen = await self._get(advertiser_id, token, ids)
        refusal = seen[ids[0]]
        if len(ids) == 1 or isinstance(refusal, Audience | Delivered | Retryable):
            return seen
        query = {**_query(advertiser_id, ids), "page_size": str(_MOST_IDS)}
        _, data = await self._ask(AUDIENCE_LIST, token, query)
        listed = _audiences_in(data)
        found: dict[str, Audience | Outcome] = {one: listed[one] for one in ids if one in listed}
        for one in ids:
            if one not in found:
                found |= await self._get(advertiser_id, token, [one])
        return found

    async def _get(
        self, advertiser_id: str, token: str, ids: Sequence[str]
    ) -> dict[str, Audience | Outcome]:
        query = {**_query(advertiser_id, ids), "history_size": "1"}
        outcome, data = await self._ask(AUDIENCE_GET, token, query)
        if not isinstance(outcome, Delivered):
            return dict.fromkeys(ids, outcome)
        there = _audiences_in(data)
        return {one: there.get(one, _MISSING) for one in ids}

    async def _ask(
        self, endpoint: str, token: str, query: Mapping[str, str]
    ) -> tuple[Outcome, object]:
        """One call in its turn; when the app or the advertiser makes too many at present, a few."""
        for _ in range(_TRIES - 1):
            await self._turn()
            outcome, data = await self._client.get(endpoint, token, query)
            if not (isinstance(outcome, Retryable) and outcome.reason.endswith("rate_limited")):
                return outcome, data
            await asyncio.sleep(_RATE_PAUSE_SECONDS)
        await self._turn()
        return await self._client.get(endpoint, token, query)

    async def _turn(self) -> None:
        while True:
            delay = self._rate.delay(self._clock())
            if delay <= 0.0:
                self._rate.take(self._clock())
                return
            await asyncio.sleep(delay)


class AudienceLookup:
    """Asks how many users TikTok matched in audiences of one account. Each method is one call; the pace is its caller's.

    Tells the outcome, and the number by audience: of those that the answer tells of. Never raises for what TikTok or
    the network does.
    """

    def __init__(self, client: TikTokClient, advertiser_id: str, token: Secret) -> None:
        self._client = client
        self._advertiser_id = advertiser_id
        self._token = token

    async def details(self, audience_ids: Sequence[str]) -> tuple[Outcome, Mapping[str, int]]:
        """Ask /dmp/custom_audience/get/."""
        return await self._ask(AUDIENCE_GET, audience_ids, {"history_size": "1"})

    async def listing(self, audience_ids: Sequence[str]) -> tuple[Outcome, Mapping[str, int]]:
        """Ask /dmp/custom_audience/list/, which tells of those that are there when one is not."""
        return await self._ask(AUDIENCE_LIST, audience_ids, {"page_size": str(_MOST_IDS)})

    async def _ask(
        self, endpoint: str, audience_ids: Sequence[str], more: Mapping[str, str]
    ) -> tuple[Outcome, Mapping[str, int]]:
        query = {**_query(self._advertiser_id, audience_ids), **more}
        outcome, data = await self._client.get(endpoint, self._token.value(), query)
        users = {name: one.matched_users for name, one in _audiences_in(data).items()}
        return outcome, {name: count for name, count in users.items() if count is not None}


def _chunks(ids: Mapping[str, Any]) -> Iterator[list[str]]:
    rest = iter(ids)
    while chunk := list(islice(rest, _MOST_IDS)):
        yield chunk


def _query(advertiser_id: str, ids: Sequence[str]) -> dict[str, str]:
    return {"advertiser_id": advertiser_id, "custom_audience_ids": orjson.dumps(ids).decode()}


def _audiences_in(data: object) -> dict[str, Audience]:
    """The audiences of an answer of get or list, by id. Tolerates any shape: what it cannot read is not there.

    An entry of get holds `audience_details`: an object by most sources, a list by TikTok's own OpenAPI file.
    """
    entries = data.get("list") if isinstance(data, dict) else None
    audiences: dict[str, Audience] = {}
    for entry in entries if isinstance(entries, list) else ():
        details = entry.get("audience_details", entry) if isinstance(entry, dict) else None
        for one in details if isinstance(details, list) else [details]:
            if isinstance(one, dict) and isinstance(one.get("audience_id"), str | int):
                audiences[str(one["audience_id"])] = _audience(one)
    return audiences


def _audience(details: Mapping[str, Any]) -> Audience:
    name, is_valid, users = (details.get(key) for key in ("name", "is_valid", "cover_num"))
    return Audience(
        name if isinstance(name, str) else None,
        is_valid if isinstance(is_valid, bool) else None,
        users if type(users) is int else None,
    )
