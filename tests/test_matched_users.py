"""How many users were matched: asked seldom, in its turn, and never at delivery's cost. On virtual time."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise

import pytest

from connector.core.outcome import Delivered, Outcome
from connector.core.routing import AudienceKey
from connector.core.turns import NOTHING
from connector.delivery.matched_users import Lookup, MatchedUsers, explanation
from connector.sandbox.emulator import (
    DEFAULT_ADVERTISER,
    DEFAULT_TOKEN,
    Emulator,
    Limits,
    default_accounts,
)
from connector.secret import Secret
from connector.telemetry.events import AUDIENCES
from connector.tiktok.client import TikTokClient
from connector.tiktok.inspection import AudienceLookup
from tests.delivery.rig import Rig
from tests.fakes.tiktok import DENIED, NO_AUDIENCE, OK, RATE_LIMITED, SERVER_ERROR
from tests.virtual_time import run

QUARTER = 900.0
GET, LIST = AUDIENCES
EMEA = [AudienceKey("emea", str(number)) for number in range(1, 4)]
APAC = [AudienceKey("apac", "100")]


@dataclass
class FakeLookup:
    """Audiences with their numbers; one that it does not have spoils the details of all.

    Attributes:
        failing: what every call ends with, if anything.
        asked: when, how and for what it was asked.
    """

    users: dict[str, int] = field(default_factory=dict)
    failing: Outcome | None = None
    asked: list[tuple[float, str, list[str]]] = field(default_factory=list)

    async def details(self, audience_ids: Sequence[str]) -> tuple[Outcome, Mapping[str, int]]:
        missing = not set(audience_ids) <= self.users.keys()
        return await self._answer(GET, audience_ids, NO_AUDIENCE if missing else OK)

    async def listing(self, audience_ids: Sequence[str]) -> tuple[Outcome, Mapping[str, int]]:
        return await self._answer(LIST, audience_ids, OK)

    async def _answer(
        self, endpoint: str, audience_ids: Sequence[str], outcome: Outcome
    ) -> tuple[Outcome, Mapping[str, int]]:
        self.asked.append((asyncio.get_running_loop().time(), endpoint, [*audience_ids]))
        await asyncio.sleep(0.05)
        outcome = self.failing or outcome
        return outcome, self.users if isinstance(outcome, Delivered) else {}

    def ways(self) -> list[str]:
        return [endpoint for _, endpoint, _ in self.asked]


class Asking(Rig):
    """Delivery, and beside it the task that asks."""

    def __init__(
        self,
        audiences: Iterable[AudienceKey] = (*EMEA, *APAC),
        qps: float = 10.0,
        chance: Callable[[], float] = lambda: 0.5,
    ) -> None:
        super().__init__(qps=qps, linger=0.0)
        self.at_emea = FakeLookup({one.audience_id: 1000 for one in EMEA})
        self.at_apac = FakeLookup({"100": 70})
        lookups = {self.accounts["emea"]: self.at_emea, self.accounts["apac"]: self.at_apac}
        clock = asyncio.get_running_loop().time
        self.matched_users = MatchedUsers(
            lookups, audiences, self.rate, self.telemetry, clock, chance
        )

    @asynccontextmanager
    async def asking(self) -> AsyncIterator[None]:
        async with self.running():
            task = asyncio.create_task(self.matched_users.run())
            try:
                yield
                assert not task.done()
            finally:
                task.cancel()

    def gauges(self) -> dict[tuple[str, ...], float]:
        self.matched_users.publish(self.telemetry.metrics)
        return self.telemetry.metrics.audience_matched_users.values


def test_each_account_is_asked_once_after_a_minute_and_every_quarter_of_an_hour() -> None:
    async def test() -> None:
        rig = Asking()
        async with rig.asking():
            await asyncio.sleep(QUARTER * 3)
        for lookup, ids in ((rig.at_emea, ["1", "2", "3"]), (rig.at_apac, ["100"])):
            assert [(way, asked) for _, way, asked in lookup.asked] == [(GET, ids)] * 3
            times = [at - rig.start for at, _, _ in lookup.asked]
            assert times[0] == pytest.approx(60, abs=3)
            assert [after - before for before, after in pairwise(times)] == [
                pytest.approx(QUARTER, abs=3)
            ] * 2
        assert rig.matched_users.of(EMEA[1]) == 1000
        assert rig.gauges() == {**dict.fromkeys(EMEA, 1000), APAC[0]: 70}

    run(test())


def test_nothing_is_known_before_it_was_asked() -> None:
    async def test() -> None:
        rig = Asking()
        async with rig.asking():
            await asyncio.sleep(30)
        assert rig.matched_users.of(EMEA[0]) is None
        assert rig.gauges() == {}

    run(test())


def test_replicas_do_not_ask_in_step() -> None:
    async def first_asked(chance: float) -> float:
        rig = Asking(chance=lambda: chance)
        async with rig.asking():
            await asyncio.sleep(90)
        return rig.at_emea.asked[0][0] - rig.start

    times = [run(first_asked(chance)) for chance in (0.0, 0.5, 1.0)]
    assert times[0] + 4 < times[1] < times[2] - 4


def test_so_many_audiences_are_asked_for_at_once_as_tiktok_allows() -> None:
    async def test() -> None:
        keys = [AudienceKey("emea", str(number)) for number in range(250)]
        rig = Asking(keys)
        rig.at_emea.users = {key.audience_id: 5 for key in keys}
        async with rig.asking():
            await asyncio.sleep(120)
        assert [len(ids) for _, _, ids in rig.at_emea.asked] == [100, 100, 50]
        assert all(rig.matched_users.of(key) == 5 for key in keys)
        assert rig.at_apac.asked == []

    run(test())


def test_an_audience_that_is_not_there_does_not_hide_the_others() -> None:
    async def test() -> None:
        rig = Asking()
        del rig.at_emea.users["2"]
        async with rig.asking():
            await asyncio.sleep(120)
        assert rig.at_emea.ways() == [GET, LIST]
        assert [rig.matched_users.of(key) for key in EMEA] == [1000, None, 1000]

    run(test())


def test_what_the_answer_tells_of_others_is_not_taken() -> None:
    async def test() -> None:
        rig = Asking(EMEA[:1])
        async with rig.asking():
            await asyncio.sleep(120)
        assert rig.gauges() == {EMEA[0]: 1000}

    run(test())


@pytest.mark.parametrize("failing", [SERVER_ERROR, RATE_LIMITED, DENIED, NO_AUDIENCE])
def test_a_failure_keeps_the_last_number_for_two_hours(failing: Outcome) -> None:
    async def test() -> None:
        rig = Asking()
        async with rig.asking():
            await asyncio.sleep(120)
            rig.at_emea.failing = failing
            await asyncio.sleep(QUARTER * 7)
            assert rig.matched_users.of(EMEA[0]) == 1000
            await asyncio.sleep(QUARTER)
            assert rig.matched_users.of(EMEA[0]) is None
            assert rig.gauges() == {APAC[0]: 70}
            rig.at_emea.failing = None
            await asyncio.sleep(QUARTER)
            assert rig.matched_users.of(EMEA[0]) == 1000
        assert rig.rate.rate == rig.rate.share  # whatever was answered, the pace of delivery stays

    run(test())


@pytest.mark.parametrize("failing", [DENIED, NO_AUDIENCE])
def test_after_a_refusal_it_is_asked_in_both_ways_each_quarter_of_an_hour(failing: Outcome) -> None:
    async def test() -> None:
        rig = Asking()
        rig.at_emea.failing = failing
        async with rig.asking():
            await asyncio.sleep(120 + QUARTER * 7)
        assert rig.at_emea.ways() == [GET, LIST] * 8

    run(test())


@pytest.mark.parametrize("failing", [SERVER_ERROR, RATE_LIMITED])
def test_after_a_failure_it_is_asked_again_each_minute_until_it_tells(failing: Outcome) -> None:
    async def test() -> None:
        rig = Asking()
        rig.at_emea.failing = failing
        async with rig.asking():
            await asyncio.sleep(210)
            assert rig.at_emea.ways() == [GET] * 3
            rig.at_emea.failing = None
            await asyncio.sleep(60)
            assert rig.matched_users.of(EMEA[0]) == 1000
            await asyncio.sleep(600)
        assert rig.at_emea.ways() == [GET] * 4
        assert rig.at_apac.ways() == [GET]  # the other account has answered

    run(test())


def test_an_account_is_asked_a_minute_after_it_was_seen_in_trouble() -> None:
    async def test() -> None:
        rig = Asking()
        async with rig.asking():
            await asyncio.sleep(30)
            rig.accounts["emea"].unreachable = "timeout"
            await asyncio.sleep(60)
            assert rig.at_emea.asked == []
            rig.accounts["emea"].unreachable = None
            await asyncio.sleep(40)
        assert rig.at_emea.ways() == [GET]

    run(test())


def test_an_account_in_trouble_is_not_asked() -> None:
    async def test() -> None:
        rig = Asking()
        async with rig.asking():
            await asyncio.sleep(30)
            rig.emea.token = DENIED
            rig.accounts["emea"].gate.halt("token_refused", 0.0, 0.0)
            await asyncio.sleep(90)
        assert rig.at_emea.asked == []
        assert rig.matched_users.of(APAC[0]) == 70

    run(test())


def test_calls_are_counted_beside_those_of_delivery() -> None:
    async def test() -> None:
        rig = Asking()
        del rig.at_emea.users["2"]
        async with rig.asking():
            await asyncio.sleep(120)
        metrics = rig.telemetry.metrics
        assert metrics.api_requests.values[GET, "40007"] == 1
        assert metrics.api_requests.values[GET, "0"] == 1
        assert metrics.api_requests.values[LIST, "0"] == 1
        assert metrics.api_request_duration_seconds.count(GET) == 2

    run(test())


# --- in its turn


def test_its_calls_and_those_of_delivery_share_one_allowance() -> None:
    async def test() -> None:
        rig = Asking(qps=2.0)
        async with rig.asking():
            while rig.now < 3 * QUARTER:
                rig.put(1, [b"%032.3f" % rig.now])
                await asyncio.sleep(0.8)  # some of the allowance is left
        lookups = [*rig.at_emea.asked, *rig.at_apac.asked]
        assert len(lookups) == 6
        times = sorted([*(call.at for call in rig.emea.calls), *(at for at, _, _ in lookups)])
        assert min(after - before for before, after in pairwise(times)) >= 1.04 / 2.0 - 0.006

    run(test())


def test_while_delivery_needs_all_of_the_allowance_one_call_in_a_quarter_of_an_hour_is_taken() -> (
    None
):
    async def delivered(audiences: list[AudienceKey]) -> tuple[Asking, list[float]]:
        rig = Asking(audiences, qps=2.0)
        async with rig.asking():
            while rig.now < 3 * QUARTER:
                for number in (1, 2, 3):
                    rig.put(number, [b"%032.3f" % rig.now])
                await asyncio.sleep(0.5)
        lookups = [at for at, _, _ in (*rig.at_emea.asked, *rig.at_apac.asked)]
        return rig, lookups

    busy, lookups = run(delivered([*EMEA, *APAC]))
    alone, _ = run(delivered([]))
    assert len(lookups) == 6
    assert 0 <= len(alone.emea.calls) - len(busy.emea.calls) <= len(lookups)
    assert busy.matched_users.of(EMEA[0]) == 1000
    times = sorted([*(call.at for call in busy.emea.calls), *lookups])
    assert min(after - before for before, after in pairwise(times)) >= 1.04 / 2.0 - 0.006


def test_the_second_way_of_asking_does_not_wait_for_a_call_to_spare() -> None:
    async def test() -> None:
        rig = Asking(EMEA, qps=2.0)
        del rig.at_emea.users["2"]
        async with rig.asking():
            while rig.now < 150:
                for number in (1, 2, 3):
                    rig.put(number, [b"%032.3f" % rig.now])
                await asyncio.sleep(0.5)
        (first, _, _), (second, _, _) = rig.at_emea.asked
        assert rig.at_emea.ways() == [GET, LIST]
        assert second - first < 2.0

    run(test())


def test_without_a_share_of_the_allowance_nothing_is_asked() -> None:
    async def test() -> None:
        rig = Asking()
        rig.rate.set_part(NOTHING, 0.0)
        async with rig.asking():
            await asyncio.sleep(3 * QUARTER)
        assert rig.at_emea.asked == []

    run(test())


# --- what is told of it


def test_the_smallest_audiences_have_gauges() -> None:
    async def test() -> None:
        keys = [AudienceKey("emea", str(number)) for number in range(500)]
        rig = Asking(keys)
        rig.at_emea.users = {key.audience_id: 10_000 - int(key.audience_id) for key in keys}
        async with rig.asking():
            await asyncio.sleep(120)
            assert rig.gauges().keys() == {*keys[400:]}
            rig.at_emea.users["0"] = 3
            await asyncio.sleep(QUARTER)
            assert rig.gauges().keys() == {*keys[401:], keys[0]}

    run(test())


def test_other_routes_are_asked_for_from_the_next_round_on() -> None:
    async def test() -> None:
        rig = Asking(EMEA[:2])
        async with rig.asking():
            await asyncio.sleep(120)
            rig.matched_users.set_audiences(EMEA[1:])
            assert rig.gauges().keys() == {EMEA[1]}
            assert rig.matched_users.of(EMEA[0]) is None
            await asyncio.sleep(QUARTER)
            assert rig.gauges().keys() == {*EMEA[1:]}
        assert [asked for _, _, asked in rig.at_emea.asked] == [["1", "2"], ["2", "3"]]

    run(test())


def test_a_small_number_is_explained() -> None:
    for users in (0, 999):
        assert "fewer than 1,000" in (explanation(users) or "")
    assert explanation(1000) is None
    assert explanation(None) is None


# --- at TikTok: the emulator, and the fake that stands for it above


def with_lookups(scenario: Callable[[Lookup, str, str], object]) -> None:
    """Both in turn, with an audience that is there with three users, and one that is not."""

    async def test() -> None:
        emulator = Emulator(default_accounts(), Limits(qps=0))
        port = await emulator.start()
        there, missing = "7100000000000000001", "7199999999999999999"
        try:
            async with TikTokClient(f"http://127.0.0.1:{port}/open_api/v1.3", 5.0) as client:
                await client.post("segment/mapping", DEFAULT_TOKEN, _three_members(there))
                token = Secret.constant(DEFAULT_TOKEN)
                real = AudienceLookup(client, DEFAULT_ADVERTISER, token)
                for lookup in (real, FakeLookup({there: 3})):
                    await scenario(lookup, there, missing)  # type: ignore[misc]
        finally:
            await emulator.stop()

    asyncio.run(test())


def _three_members(audience_id: str) -> bytes:
    rows = ",".join(
        f'[{{"id":"{number:064x}","audience_ids":["{audience_id}"]}}]' for number in (1, 2, 3)
    )
    return (
        f'{{"advertiser_ids":["{DEFAULT_ADVERTISER}"],"action":"add","id_schema":["EMAIL_SHA256"],'
        f'"batch_data":[{rows}]}}'
    ).encode()


def test_both_ways_tell_the_number() -> None:
    async def scenario(lookup: Lookup, there: str, _: str) -> None:
        for ask in (lookup.details, lookup.listing):
            outcome, users = await ask([there])
            assert isinstance(outcome, Delivered)
            assert users[there] == 3

    with_lookups(scenario)


def test_details_refuse_what_is_not_there_and_the_listing_leaves_it_out() -> None:
    async def scenario(lookup: Lookup, there: str, missing: str) -> None:
        outcome, users = await lookup.details([missing, there])
        assert outcome.response.label == "40007"
        assert users == {}
        outcome, users = await lookup.listing([missing, there])
        assert isinstance(outcome, Delivered)
        assert (users[there], missing in users) == (3, False)

    with_lookups(scenario)


def test_a_refused_token_is_an_outcome() -> None:
    async def test() -> None:
        emulator = Emulator(default_accounts(), Limits(qps=0))
        port = await emulator.start()
        try:
            async with TikTokClient(f"http://127.0.0.1:{port}/open_api/v1.3", 5.0) as client:
                token = Secret.constant("another")
                outcome, users = await AudienceLookup(client, DEFAULT_ADVERTISER, token).details(
                    ["7100000000000000001"]
                )
        finally:
            await emulator.stop()
        assert outcome.response.label == "40105"
        assert users == {}

    asyncio.run(test())
