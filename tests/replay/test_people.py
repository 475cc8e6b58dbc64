"""The rules about people hold for a replay: nobody is added who may not be, also when that comes while it runs."""

import asyncio
import random
from collections.abc import Coroutine
from typing import Any

import pytest

from connector.core.consent import Consent
from connector.core.identity import Target
from connector.core.model import Action, Stage
from connector.replay.summary import Fate
from tests import virtual_time
from tests.fakes.tiktok import OK, TIMED_OUT
from tests.replay.rig import (
    TIMEOUT,
    LateDestination,
    Rig,
    digest,
    event,
    mail_letter,
    payload_letter,
    row_letter,
)

ADD, DELETE = Action.ADD, Action.DELETE
GIVEN = {"advertising": True}


def run(test: Coroutine[Any, Any, None]) -> None:
    virtual_time.run(test)


def actions(rig: Rig) -> list[Action]:
    return [one.action for one in rig.tiktok.calls]


# Letters about rows


def test_an_addition_whose_identifiers_are_suppressed_is_not_sent() -> None:
    async def test() -> None:
        rig = Rig()
        rig.produce(event(1), event(2))
        rig.suppress(1)
        fates = await rig.replay([mail_letter(0, 1), mail_letter(1, 2)])

        assert fates == {Fate.SUPPRESSED: 1, Fate.SENT: 1}
        assert rig.members() == {digest(2)}
        assert not rig.written.written

    run(test())


def test_it_is_sent_without_those_that_are() -> None:
    async def test() -> None:
        rig = Rig()
        rig.produce(event(1, phone=1))
        rig.suppress(1)
        both = {Target.EMAIL_SHA256: digest(1), Target.PHONE_SHA256: digest(1)}
        fates = await rig.replay([row_letter(0, both)])

        assert fates == {Fate.SENT: 1}
        assert (rig.members(), rig.members(slot=1)) == (set(), {digest(1)})

    run(test())


def test_a_deletion_is_sent_as_it_is() -> None:
    async def test() -> None:
        rig = Rig()
        rig.tiktok.members = {"1": {0: {digest(1)}}}
        rig.produce(event(1, DELETE))
        rig.suppress(1)

        assert await rig.replay([mail_letter(0, 1, DELETE)]) == {Fate.SENT: 1}
        assert rig.members() == set()

    run(test())


def test_who_was_released_is_sent() -> None:
    async def test() -> None:
        rig = Rig()
        rig.produce(event(1))
        rig.suppress(1)
        rig.suppress(1, status="released")

        assert await rig.replay([mail_letter(0, 1)]) == {Fate.SENT: 1}

    run(test())


def test_a_profile_that_is_suppressed_by_its_id_is_known_by_the_letters_record() -> None:
    async def test() -> None:
        rig = Rig()
        rig.produce(event(1, profile_id="p-1"), event(2, profile_id="p-2"))
        rig.suppress(profile="p-1")
        fates = await rig.replay([mail_letter(0, 1), mail_letter(1, 2)])

        assert fates == {Fate.SUPERSEDED: 1, Fate.SENT: 1}
        assert rig.members() == {digest(2)}
        assert actions(rig) == [ADD]

    run(test())


def test_so_is_one_whose_record_has_no_consent_by_the_present_rules() -> None:
    async def test() -> None:
        rig = Rig(consent=Consent(["advertising"]))
        rig.produce(event(1), event(2, consent=GIVEN), event(3, DELETE))
        letters = [mail_letter(0, 1), mail_letter(1, 2), mail_letter(2, 3, DELETE)]

        assert await rig.replay(letters) == {Fate.SUPERSEDED: 1, Fate.SENT: 2}
        assert rig.members() == {digest(2)}

    run(test())


def test_a_profile_that_is_suppressed_by_its_id_while_its_row_waits_is_not_added() -> None:
    async def test() -> None:
        rig = Rig(qps=0.1, max_rows=1)
        rig.produce(event(1, profile_id="p-1"), event(2, profile_id="p-2"))
        _, scan = await rig.prepare([mail_letter(0, 1), mail_letter(1, 2)])

        async def suppress() -> None:
            await asyncio.sleep(5.0)
            rig.suppress(profile="p-2")

        await asyncio.gather(rig.send(scan), suppress())

        assert rig.members() == {digest(1)}

    run(test())


# Letters about records


@pytest.mark.parametrize("stage", [Stage.DECODE, Stage.IDENTITY])
def test_a_suppressed_profile_is_deleted_instead(stage: Stage) -> None:
    async def test() -> None:
        rig = Rig()
        rig.tiktok.members = {"1": {0: {digest(1)}}}
        rig.produce(event(1))
        rig.suppress(profile="p")
        reason = "malformed_json" if stage is Stage.DECODE else "no_identities"
        fates = await rig.replay([payload_letter(0, event(1), reason=reason, stage=stage)])

        assert fates == {Fate.SENT: 1}
        assert (rig.members(), actions(rig)) == (set(), [DELETE])

    run(test())


def test_a_record_of_suppressed_identifiers_asks_for_nothing() -> None:
    async def test() -> None:
        rig = Rig()
        rig.produce(event(1))
        rig.suppress(1)

        assert await rig.replay([payload_letter(0, event(1))]) == {Fate.FILTERED: 1}
        assert not rig.tiktok.calls

    run(test())


@pytest.mark.parametrize(
    ("consent", "action"), [({"consent": GIVEN}, ADD), ({"consent": {}}, DELETE), ({}, DELETE)]
)
def test_consent_is_judged_as_it_is_by_the_service(consent: Any, action: Action) -> None:
    async def test() -> None:
        rig = Rig(consent=Consent(["advertising"]))
        value = event(1, **consent)
        rig.produce(value)

        assert await rig.replay([payload_letter(0, value)]) == {Fate.SENT: 1}
        assert actions(rig) == [action]

    run(test())


def test_a_consent_that_was_withdrawn_since_drops_the_older_addition() -> None:
    async def test() -> None:
        rig = Rig(consent=Consent(["advertising"]))
        rig.produce(event(1), event(1))  # the newer one says nothing of consent: an exit
        fates = await rig.replay([payload_letter(0, event(1, consent=GIVEN))])

        assert fates == {Fate.SUPERSEDED: 1}
        assert not rig.tiktok.calls

    run(test())


# While it runs


def test_who_is_suppressed_while_a_letter_waits_is_not_added() -> None:
    async def test() -> None:
        rig = Rig(qps=0.1, max_rows=1)
        rig.produce(event(1), event(2))
        feed, scan = await rig.prepare([mail_letter(0, 1), mail_letter(1, 2)])

        async def suppress() -> None:
            await asyncio.sleep(5.0)  # the second call starts 10.4 seconds after the first
            assert len(rig.tiktok.calls) == 1
            rig.suppress(2)

        await asyncio.gather(rig.send(scan), suppress())

        assert sorted(feed.fates()) == [Fate.SENT, Fate.SUPERSEDED]
        assert rig.members() == {digest(1)}
        assert not any(digest(2) in row for one in rig.tiktok.calls for row in one.rows)

    run(test())


def test_a_profile_that_is_suppressed_by_its_id_while_its_record_waits_is_not_added() -> None:
    async def test() -> None:
        rig = Rig(qps=0.1, max_rows=1)
        rig.produce(b"broken", b"broken")
        values = [event(1, profile_id="p-1"), event(2, profile_id="p-2")]
        letters = [payload_letter(offset, value) for offset, value in enumerate(values)]
        _, scan = await rig.prepare(letters)

        async def suppress() -> None:
            await asyncio.sleep(5.0)
            rig.suppress(profile="p-2")

        await asyncio.gather(rig.send(scan), suppress())

        assert rig.members() == {digest(1)}
        assert len(rig.tiktok.calls) == 1

    run(test())


def test_who_is_suppressed_while_a_call_adds_them_is_deleted_after_it() -> None:
    async def test() -> None:
        rig = Rig()
        rig.tiktok.seconds = 5.0
        rig.produce(event(1), event(2))
        _, scan = await rig.prepare([mail_letter(0, 1), mail_letter(1, 2)])

        async def suppress() -> None:
            await asyncio.sleep(3.0)
            assert actions(rig) == [ADD]
            rig.suppress(1)

        await asyncio.gather(rig.send(scan), suppress())

        assert actions(rig) == [ADD, DELETE]
        assert rig.members() == {digest(2)}

    run(test())


def test_nothing_is_sent_while_nobody_knows_who_is_suppressed() -> None:
    async def test() -> None:
        rig = Rig()
        rig.produce(event(1))
        _, scan = await rig.prepare([mail_letter(0, 1)])
        rig.follower.is_silent = True
        await asyncio.sleep(10.0)
        sending = asyncio.create_task(rig.send(scan))
        await asyncio.sleep(30.0)
        assert not rig.tiktok.calls

        rig.suppress(1)
        rig.follower.is_silent = False
        await sending
        assert not rig.tiktok.calls

    run(test())


@pytest.mark.parametrize("seed", range(30))
def test_nobody_stays_who_was_suppressed_whatever_becomes_of_calls(seed: int) -> None:
    async def test() -> None:
        chance = random.Random(seed)
        failing = chance.choice([0.0, 0.4])
        destination = LateDestination(
            seconds=chance.choice([0.05, 2.0, 6.0]), late_seconds=chance.choice([0.0, 8.0, 14.0])
        )
        destination.answer = lambda _, __: TIMED_OUT if chance.random() < failing else OK
        rig = Rig(
            qps=chance.choice([0.5, 10.0]),
            max_rows=chance.choice([1, 1000]),
            destination=destination,
        )
        rig.tiktok.members = {"1": {0: set()}}
        count = chance.randint(1, 8)
        rig.produce(*map(event, range(count)))
        _, scan = await rig.prepare([mail_letter(number, number) for number in range(count)])
        listed: set[int] = set()

        async def suppress() -> None:
            for number in chance.sample(range(count), chance.randint(0, count)):
                await asyncio.sleep(chance.random() * chance.choice([0.1, 2.0, 10.0]))
                rig.suppress(number, profile=f"p-{number}")
                listed.add(number)
                loop = asyncio.get_running_loop()
                for seconds in (0.1, TIMEOUT + 5.0):  # the service deletes twice
                    loop.call_later(seconds, rig.members().discard, digest(number))

        suppressing = asyncio.create_task(suppress())
        await rig.send(scan)
        await suppressing
        await asyncio.sleep(2 * TIMEOUT)

        assert not rig.members() & {digest(number) for number in listed}
        assert rig.members() >= {digest(one) for one in range(count) if one not in listed}

    run(test())
