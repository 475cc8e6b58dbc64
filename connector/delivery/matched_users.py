"""How many users TikTok matched in each audience, as it last said: asked seldom, with calls that delivery leaves unused.

Owns the numbers, their age, and when they are asked for. Whatever comes of asking, delivery goes on as before: a
failure keeps the last number, and a number that is not renewed is forgotten.
"""

import asyncio
import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import NoReturn, Protocol

from connector.core.outcome import Delivered, Outcome, Retryable
from connector.core.rate_limit import RateLimit
from connector.core.routing import AudienceKey
from connector.delivery.accounts import Account
from connector.telemetry.catalogue import Catalogue
from connector.telemetry.events import AUDIENCES, DeliveryEvents

_FIRST_SECONDS = 60.0
_EVERY_SECONDS = 900.0
_AGAIN_SECONDS = 60.0
"""After a call that TikTok may answer better soon, or none because the account was in trouble."""

_FORGET_SECONDS = 7200.0

_LOOK_SECONDS = 1.0
_MOST_LOOKS = 60
"""In a minute without a moment in which the allowance is unused, delivery needs all of it: then it gives up one call."""

_MOST_WAIT_SECONDS = 5.0
"""TikTok takes no calls for longer: another time."""

_MOST_IDS = 100
"""What one call of custom_audience/get or list takes."""

_MOST_GAUGES = 100
"""So many audiences have gauges of their own, the smallest ones first; the status has all."""

_USABLE = 1000
"""TikTok's help centre: ads are shown to audiences of so many matched users."""

_TOO_FEW = (
    f"TikTok shows ads to no audience of fewer than {_USABLE:,} matched users. It takes hours, up to two days, to match"
    " what was sent, and matches a part of it."
)


class Lookup(Protocol):
    """One account at TikTok, to be asked how many users of these audiences it matched: a call for each method.

    Both tell the outcome, and the numbers of the audiences that the answer tells of. Never raises for what TikTok or
    the network does.
    """

    async def details(self, audience_ids: Sequence[str]) -> tuple[Outcome, Mapping[str, int]]:
        """By the endpoint that refuses all when one is not there."""

    async def listing(self, audience_ids: Sequence[str]) -> tuple[Outcome, Mapping[str, int]]:
        """By the one that may leave out what is not there."""


class MatchedUsers:
    """Asks for ever: `run`. Tells: `of`, `publish`.

    Args:
        lookups: by account.
        audiences: those of the configured routes. What events name is not asked for.
        clock: monotonic seconds.
        chance: a number in 0..1, so that replicas do not ask in step.
    """

    def __init__(
        self,
        lookups: Mapping[Account, Lookup],
        audiences: Iterable[AudienceKey],
        rate: RateLimit,
        telemetry: DeliveryEvents,
        clock: Callable[[], float],
        chance: Callable[[], float],
    ) -> None:
        self._lookups = lookups
        self._audiences = tuple(audiences)
        self._rate = rate
        self._telemetry = telemetry
        self._clock = clock
        self._chance = chance
        self._told: dict[AudienceKey, tuple[int, float]] = {}

    def set_audiences(self, audiences: Iterable[AudienceKey]) -> None:
        """Ask for these from the next round on; of others nothing is told any more."""
        self._audiences = tuple(audiences)
        self._told = {key: self._told[key] for key in self._audiences if key in self._told}

    async def run(self) -> None:
        """Ask shortly after the start, and every quarter of an hour; sooner again where something stood in the way."""
        async with asyncio.TaskGroup() as accounts:
            for account in self._lookups:
                accounts.create_task(self._follow(account))

    def of(self, audience: AudienceKey) -> int | None:
        """How many users TikTok matched; None while that is not known."""
        told = self._told.get(audience)
        if told is None or self._clock() - told[1] > _FORGET_SECONDS:
            return None
        return told[0]

    def publish(self, metrics: Catalogue) -> None:
        """Set the gauges to what is known now."""
        known = ((users, one) for one in self._audiences if (users := self.of(one)) is not None)
        metrics.audience_matched_users.clear()
        for users, audience in heapq.nsmallest(_MOST_GAUGES, known):
            metrics.audience_matched_users.set(users, *audience)

    async def _follow(self, account: Account) -> NoReturn:
        await self._sleep(_FIRST_SECONDS)
        while True:
            is_answered = await self._ask_account(account)
            await self._sleep(_EVERY_SECONDS if is_answered else _AGAIN_SECONDS)

    async def _ask_account(self, account: Account) -> bool:
        """Ask for all of an account's audiences, unless it is in trouble, until TikTok is; whether all were asked for."""
        ids = (one.audience_id for one in self._audiences if one.destination == account.name)
        for some in _chunks(ids):
            if account.trouble or not await self._ask(account, some):
                return False
        return True

    async def _ask(self, account: Account, ids: Sequence[str]) -> bool:
        """Ask for these at once, and in the other way when one of them spoils it; whether to go on."""
        lookup = self._lookups[account]
        ways = (
            (_MOST_LOOKS, lookup.details),
            (0, lookup.listing),
        )  # the second finishes what the first began
        for endpoint, (looks, ask) in zip(AUDIENCES, ways, strict=True):
            if not await self._turn(looks):
                return False
            begun = self._clock()
            outcome, users = await ask(ids)
            now = self._clock()
            self._telemetry.audiences_answered(endpoint, outcome.response.label, now - begun)
            if isinstance(outcome, Delivered):
                self._note(account, {one: users[one] for one in ids if one in users}, now)
                return True
            self._telemetry.matched_users_not_told(account.name, outcome.reason, outcome.response)
            if isinstance(outcome, Retryable):
                return False
        return True

    def _note(self, account: Account, users: Mapping[str, int], now: float) -> None:
        for audience_id, count in users.items():
            self._told[AudienceKey(account.name, audience_id)] = (count, now)

    async def _turn(self, looks: int) -> bool:
        """Take a call of the allowance that is unused at one of so many chance moments, or then any; whether there was one.

        Whoever delivers takes each call as soon as it may: where the allowance is scarce no such moment comes.
        """
        for _ in range(looks):
            now = self._clock()
            if self._rate.is_unused(now):
                await asyncio.sleep(self._rate.reserve(now))
                return True
            await self._sleep(_LOOK_SECONDS)
        if self._rate.delay(self._clock()) > _MOST_WAIT_SECONDS:
            return False
        await asyncio.sleep(self._rate.reserve(self._clock()))
        return True

    async def _sleep(self, seconds: float) -> None:
        """Sleep for about so long."""
        await asyncio.sleep(seconds * (0.9 + 0.2 * self._chance()))


def explanation(users: int | None) -> str | None:
    """What a number of matched users means for whoever waits for the audience; None where nothing need be said."""
    return None if users is None or users >= _USABLE else _TOO_FEW


def _chunks(ids: Iterable[str]) -> Iterator[list[str]]:
    rest = iter(ids)
    while chunk := list(islice(rest, _MOST_IDS)):
        yield chunk
