"""Asking TikTok whether a destination's calls are accepted: at start, while it is in trouble, and when its secret changes.

Owns the probing tasks. What a probe finds is applied by connector.delivery.settlement.
"""

import asyncio
from collections.abc import Callable

from connector.core.rate_limit import RateLimit
from connector.delivery.accounts import Account
from connector.delivery.dispatcher import Dispatcher
from connector.delivery.settlement import Settlement
from connector.telemetry.events import DeliveryEvents

_LOOK_SECONDS = 2.0
"""How often a secret file is looked at, and how soon trouble is noticed."""


class Probes:
    """One endless task per account: `watch`."""

    def __init__(
        self,
        settlement: Settlement,
        dispatcher: Dispatcher,
        rate: RateLimit,
        telemetry: DeliveryEvents,
        clock: Callable[[], float],
    ) -> None:
        self._settlement = settlement
        self._dispatcher = dispatcher
        self._rate = rate
        self._telemetry = telemetry
        self._clock = clock

    async def watch(self, account: Account) -> None:
        """Probe at start; then whenever the account is in trouble, with backoff, and at once on a new secret."""
        await self._probe(account)
        while True:
            await asyncio.sleep(self._until_next(account))
            if account.destination.renewed():
                self._telemetry.secret_renewed(account.name)
                for audience in account.audiences:
                    audience.gate.allow()
                await self._probe(account)
            elif account.trouble and account.probe.opens_at <= self._clock():
                await self._probe(account)

    def _until_next(self, account: Account) -> float:
        if account.trouble:
            return min(_LOOK_SECONDS, max(0.05, account.probe.opens_at - self._clock()))
        return _LOOK_SECONDS

    async def _probe(self, account: Account) -> None:
        await self._turn()
        started = self._clock()
        outcome = await account.destination.probe()
        self._telemetry.probe_answered(outcome.response.label, self._clock() - started)
        self._settlement.settle_probe(account, outcome)
        self._dispatcher.touch(account.audiences)

    async def _turn(self) -> None:
        """Wait for the allowance. Without a share of it, as a replica without partitions, go: probes are rare."""
        while self._rate.share > 0.0:
            delay = self._rate.delay(self._clock())
            if delay <= 0.0:
                self._rate.take(self._clock())
                return
            await asyncio.sleep(min(delay, _LOOK_SECONDS))
