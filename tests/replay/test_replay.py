"""A replay never overwrites newer truth: what was changed since is dropped, or sent again behind our own call."""

import asyncio
import random
from collections import Counter
from collections.abc import Coroutine
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.core.batch import Batch
from connector.core.identity import Target
from connector.core.model import Action, Partition, Stage
from connector.core.outcome import Outcome
from connector.core.routing import AudienceKey
from connector.errors import KafkaUnavailable
from connector.replay.feed import Rules
from connector.replay.letters import Letter
from connector.replay.summary import Fate
from tests import virtual_time
from tests.fakes.tiktok import BAD_ROW, BAD_TOKEN, OK, TIMED_OUT
from tests.replay.rig import (
    GOLD,
    TIMEOUT,
    TOPIC,
    LateDestination,
    Rig,
    digest,
    event,
    mail_letter,
    payload_letter,
    row_letter,
    values,
)

ADD, DELETE = Action.ADD, Action.DELETE


def run(test: Coroutine[Any, Any, None]) -> None:
    virtual_time.run(test)


def test_a_delivery_letter_is_sent() -> None:
    async def test() -> None:
        rig = Rig()
        offset = rig.produce(event(1))
        fates = await rig.replay([mail_letter(offset, 1)])

        assert fates == {Fate.SENT: 1}
        assert rig.members() == {digest(1)}
        assert not rig.written.written

    run(test())


def test_decode_and_identity_letters_are_read_again() -> None:
    async def test() -> None:
        rig = Rig()
        rig.produce(b"broken", event(2))
        fates = await rig.replay(
            [
                payload_letter(0, event(1)),
                payload_letter(1, event(2), reason="no_identities", stage=Stage.IDENTITY),
            ]
        )

        assert fates == {Fate.SENT: 2}
        assert rig.members() == {digest(1), digest(2)}

    run(test())


def test_what_fails_again_is_written_again_with_one_more_attempt() -> None:
    async def test() -> None:
        rig = Rig()
        rig.produce(b"broken", event(), event(3))
        rig.tiktok.answer = lambda _, __: BAD_ROW
        fates = await rig.replay(
            [
                payload_letter(0, b"broken", attempts=3),
                payload_letter(1, event()),
                mail_letter(2, 3, attempts=4),
            ]
        )
        found = {one["source"]["offset"]: one for one in values(rig.written.written)}

        assert fates == {Fate.FAILED_AGAIN: 3}
        assert {offset: one["attempts"] for offset, one in found.items()} == {0: 4, 1: 2, 2: 5}
        assert [found[n]["stage"] for n in range(3)] == ["decode", "identity", "delivery"]
        assert {one.key for one in rig.written.written} == {b"key"}
        assert "payload" in found[0]

    run(test())


def test_what_asks_for_nothing_is_counted() -> None:
    async def test() -> None:
        rig = Rig()
        rig.produce(*[b"x"] * 10)
        nobody = AudienceKey("emea", "9")
        fates = await rig.replay(
            [
                mail_letter(0, 1, audience=nobody),
                row_letter(1, {Target.AAID_MD5: b"a" * 16}),
                row_letter(2, {Target.PHONE_SHA256: digest(1)}, audience=AudienceKey("emea", "2")),
                payload_letter(3, event(1, segment="nobody-asked")),
                payload_letter(4, None, reason="unreadable_record"),
                mail_letter(5, 1, partition=Partition("another", 0)),
                payload_letter(6, b"x" * 800_000),
            ]
        )

        assert fates == {
            Fate.NO_ROUTE: 3,
            Fate.FILTERED: 1,
            Fate.NO_PAYLOAD: 2,
            Fate.TOPIC_NOT_CONFIGURED: 1,
        }
        assert not rig.tiktok.calls
        assert not rig.written.written

    run(test())


def test_what_was_changed_since_is_dropped() -> None:
    async def test() -> None:
        rig = Rig()
        rig.produce(
            event(1), event(2, phone=2), event(3), event(1, DELETE), event(2), event(9), None, b"x"
        )
        letters = [
            mail_letter(0, 1),
            row_letter(1, {Target.EMAIL_SHA256: digest(2), Target.PHONE_SHA256: digest(2)}),
            mail_letter(2, 3),
        ]
        fates = await rig.replay(letters)

        assert fates == {Fate.SUPERSEDED: 1, Fate.SENT: 2}
        assert rig.members() == {digest(3)}
        assert rig.members(slot=1) == {digest(2)}

    run(test())


def test_a_change_for_another_audience_or_partition_is_no_newer_one() -> None:
    async def test() -> None:
        rig = Rig()
        rig.produce(event(1), event(1, DELETE, segment="mail"))
        rig.produce(event(1, DELETE), event(1, DELETE), partition=Partition(TOPIC, 1))

        assert await rig.replay([mail_letter(0, 1)]) == {Fate.SENT: 1}

    run(test())


def test_offsets_of_different_partitions_are_not_compared() -> None:
    async def test() -> None:
        rig = Rig()
        other = Partition(TOPIC, 1)
        rig.produce(event(1))
        rig.produce(event(2), event(1, DELETE), partition=other)
        fates = await rig.replay([mail_letter(0, 1), mail_letter(0, 2, partition=other)])

        assert fates == {Fate.SENT: 2}

    run(test())


def test_between_letters_the_newer_one_wins() -> None:
    async def test() -> None:
        rig = Rig()
        rig.produce(event(1), event(1, DELETE), event(1), event(2))
        letters = [
            mail_letter(2, 1),
            mail_letter(1, 1, DELETE),
            mail_letter(0, 1),
            mail_letter(3, 2),
        ]
        fates = await rig.replay(letters)

        assert fates == {Fate.SENT: 2, Fate.SUPERSEDED: 2}
        assert rig.members() == {digest(1), digest(2)}
        assert {one.action for one in rig.tiktok.calls} == {ADD}

    run(test())


def test_an_omitted_payload_is_taken_from_the_source() -> None:
    async def test() -> None:
        rig = Rig()
        large = event(1)[:-1] + b', "padding": "' + b"x" * 800_000 + b'"}'
        superseded = event(2)[:-1] + b', "padding": "' + b"x" * 800_000 + b'"}'
        rig.produce(event(7), large, superseded, event(2, DELETE))
        letters = [
            payload_letter(1, large),
            payload_letter(2, superseded),
            mail_letter(3, 2, DELETE),
        ]
        fates = await rig.replay(letters)

        assert fates == {Fate.SENT: 2, Fate.SUPERSEDED: 1}
        assert rig.members() == {digest(1)}

    run(test())


@pytest.mark.parametrize("with_past", [False, True])
def test_what_retention_took_is_left_out_unless_asked_for(*, with_past: bool) -> None:
    async def test() -> None:
        rig = Rig()
        rig.produce(*[event(8)] * 5, event(2, DELETE))
        letters = [
            mail_letter(0, 1),  # past retention
            mail_letter(1, 2),  # past retention, and changed since
            mail_letter(5, 3),  # still there
            mail_letter(90, 4),  # past the end: the topic was made anew
            mail_letter(91, 8, DELETE),  # so all that it holds is newer
            payload_letter(92, b"x" * 800_000),
            mail_letter(0, 5, partition=Partition(TOPIC, 7)),  # of a partition that is no more
        ]
        fates = await rig.replay(letters, Rules(with_past), firsts=3)

        if with_past:
            assert fates == {Fate.SENT: 4, Fate.SUPERSEDED: 2, Fate.NO_PAYLOAD: 1}
            assert rig.members() == {digest(n) for n in (1, 3, 4, 5)}
        else:
            assert fates == {Fate.SENT: 1, Fate.PAST_RETENTION: 6}
            assert rig.members() == {digest(3)}

    run(test())


def test_a_dry_run_writes_nothing_and_sends_nothing() -> None:
    async def test() -> None:
        rig = Rig()
        rig.produce(event(1), b"broken", event(2), event(2, DELETE))
        letters = [mail_letter(0, 1), payload_letter(1, b"broken"), mail_letter(2, 2)]
        feed, _ = await rig.prepare(letters, Rules(writes=False))

        assert Counter(feed.fates()) == {Fate.LEFT: 1, Fate.FAILED_AGAIN: 1, Fate.SUPERSEDED: 1}
        assert not len(rig.dead_letters)
        assert not rig.tiktok.calls

    run(test())


def test_a_newer_change_that_comes_before_the_call_is_seen_before_the_call() -> None:
    async def test() -> None:
        rig = Rig()
        offset = rig.produce(event(1))
        feed, scan = await rig.prepare([mail_letter(offset, 1)])
        rig.produce(event(1, DELETE))
        await rig.send(scan)

        assert feed.fates() == [Fate.SUPERSEDED]
        assert not rig.tiktok.calls

    run(test())


def test_a_newer_change_that_our_call_may_have_overwritten_is_sent_again() -> None:
    async def test() -> None:
        rig = Rig()
        rig.tiktok.seconds = 5.0
        offset = rig.produce(event(1, phone=1))
        both = {Target.EMAIL_SHA256: digest(1), Target.PHONE_SHA256: digest(1)}
        feed, scan = await rig.prepare([row_letter(offset, both)])

        async def service() -> None:
            await asyncio.sleep(3.0)
            rig.produce(
                event(1, DELETE)
            )  # while our call is under way: it lands after the service's
            assert rig.tiktok.calls

        await asyncio.gather(rig.send(scan), service())

        assert feed.fates() == [Fate.SENT]
        assert scan.repeated == 1
        assert [one.action for one in rig.tiktok.calls] == [ADD, DELETE]
        assert rig.tiktok.calls[1].rows == [[digest(1), None]]
        assert rig.members() == set()
        assert rig.members(slot=1) == {digest(1)}

    run(test())


def test_each_call_follows_a_look_of_its_own() -> None:
    async def test() -> None:
        rig = Rig(qps=0.1, max_rows=1)
        rig.produce(event(1), event(2))
        feed, scan = await rig.prepare([mail_letter(0, 1), mail_letter(1, 2)])

        async def service() -> None:
            await asyncio.sleep(9.9)  # the second call starts 10.4 seconds after the first
            assert len(rig.tiktok.calls) == 1
            rig.produce(event(2, DELETE))

        await asyncio.gather(rig.send(scan), service())

        assert Counter(feed.fates()) == {Fate.SENT: 1, Fate.SUPERSEDED: 1}
        assert len(rig.tiktok.calls) == 1

    run(test())


def test_a_newer_change_between_the_cut_and_the_call_is_sent_again() -> None:
    async def test() -> None:
        rig = Rig()
        offset = rig.produce(event(1))
        _, scan = await rig.prepare([mail_letter(offset, 1)])
        lane = rig.backlog[GOLD].lane
        assert lane.cut(rig.clocks.now()) is not None
        rig.produce(event(1, DELETE))
        await scan.look()

        assert scan.repeated == 1
        assert len(lane) == 1

    run(test())


def test_a_newer_change_after_a_call_in_doubt_is_sent_again() -> None:
    async def test() -> None:
        destination = LateDestination(late_seconds=10.0)
        answers: list[Outcome] = [OK, TIMED_OUT]
        destination.answer = lambda _, __: answers.pop() if answers else OK
        rig = Rig(destination=destination)
        offset = rig.produce(event(1))
        _, scan = await rig.prepare([mail_letter(offset, 1)])

        async def service() -> None:
            while len(destination.calls) < 2:  # noqa: ASYNC110  time is virtual
                await asyncio.sleep(0.1)
            await asyncio.sleep(1.0)
            rig.produce(event(1, DELETE))
            destination.members["1"][0].discard(digest(1))

        await asyncio.gather(rig.send(scan), service())

        assert scan.repeated == 1
        assert rig.members() == set()

    run(test())


def test_the_end_is_not_before_a_look_that_began_after_the_last_call() -> None:
    async def test() -> None:
        rig = Rig()
        offset = rig.produce(event(1))
        _, scan = await rig.prepare([mail_letter(offset, 1)])
        looks: list[int] = []

        def answer(_: str, __: Batch) -> Outcome:
            if not looks:
                rig.produce(
                    event(1, DELETE)
                )  # as soon as the call has begun, after the look for it
            looks.append(rig.log.looks)
            return OK

        rig.tiktok.answer = answer
        await rig.send(scan)

        assert rig.log.looks > looks[-1]
        assert rig.members() == set()

    run(test())


def test_what_is_halted_is_left_after_a_while() -> None:
    async def test() -> None:
        rig = Rig()
        offset = rig.produce(event(1))
        rig.tiktok.answer = lambda _, __: BAD_TOKEN
        rig.tiktok.token = BAD_TOKEN
        feed, scan = await rig.prepare([mail_letter(offset, 1)])

        assert await rig.send(scan, stuck_seconds=60.0)
        assert feed.fates() == [Fate.LEFT]
        assert not rig.written.written

    run(test())


def test_a_stop_lets_calls_end_and_leaves_the_rest() -> None:
    async def test() -> None:
        rig = Rig(max_rows=1)
        rig.tiktok.seconds = 3.0
        rig.produce(*[event(number) for number in range(50)])
        feed, scan = await rig.prepare([mail_letter(number, number) for number in range(50)])

        async def stop() -> None:
            while not rig.tiktok.calls:  # noqa: ASYNC110  time is virtual
                await asyncio.sleep(0.1)
            rig.stop.set()
            rig.produce(event(0, DELETE))  # what the call may overwrite is mended all the same

        begun = rig.clocks.now()
        await asyncio.gather(rig.send(scan), stop())
        fates = Counter(feed.fates())

        assert 1 <= fates[Fate.SENT] <= 2
        assert fates[Fate.SENT] + fates[Fate.LEFT] == 50
        assert digest(0) not in rig.members()
        assert rig.clocks.now() - begun < TIMEOUT + 10

    run(test())


def test_without_the_source_nothing_is_sent() -> None:
    async def test() -> None:
        rig = Rig()
        offset = rig.produce(event(1))
        _, scan = await rig.prepare([mail_letter(offset, 1)])

        async def gone() -> Any:
            raise KafkaUnavailable("the broker is away")

        rig.log.read = lambda: _failing(gone)  # type: ignore[method-assign]
        with pytest.raises(KafkaUnavailable, match="the broker is away"):
            await rig.send(scan)
        assert not rig.tiktok.calls

    run(test())


async def _failing(gone: Any) -> Any:
    await gone()
    yield  # pragma: no cover  it makes this a generator


CHANGE = st.tuples(st.integers(0, 3), st.integers(0, 3), st.sampled_from([ADD, DELETE]))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(CHANGE, st.booleans()), max_size=25))
def test_the_end_is_that_of_the_whole_history(history: list[tuple[Any, bool]]) -> None:
    """Whatever part of a history was set aside: after the replay it is as if nothing had been."""

    async def test() -> None:
        rig = Rig()
        truth: dict[int, set[bytes]] = {0: set(), 1: set()}
        letters: list[Letter] = []
        for (email, phone, action), is_letter in history:
            offset = rig.produce(event(email, action, phone=phone))
            row = {Target.EMAIL_SHA256: digest(email), Target.PHONE_SHA256: digest(phone)}
            _apply(truth, email, phone, action)
            if is_letter:
                letters.append(row_letter(offset, row, action))
            else:
                _apply(rig.tiktok.members.setdefault("1", {}), email, phone, action)
        fates = await rig.replay(letters)

        assert sum(fates.values()) == len(letters)
        assert set(fates) <= {Fate.SENT, Fate.SUPERSEDED}
        assert {slot: rig.members(slot=slot) for slot in (0, 1)} == truth

    run(test())


def _apply(members: dict[int, set[bytes]], email: int, phone: int, action: Action) -> None:
    for slot, number in ((0, email), (1, phone)):
        held = members.setdefault(slot, set())
        held.add(digest(number)) if action is ADD else held.discard(digest(number))


@pytest.mark.parametrize("seed", range(40))
def test_the_last_change_wins_whatever_comes_between(seed: int) -> None:
    """The service writes while we do; our calls land late, or nobody knows when: the newest change stands."""

    async def test() -> None:
        chance = random.Random(seed)
        destination = LateDestination(
            seconds=chance.choice([0.05, 2.0, 6.0]), late_seconds=chance.choice([0.0, 8.0, 14.0])
        )
        failing = chance.choice([0.0, 0.3])
        destination.answer = lambda _, __: TIMED_OUT if chance.random() < failing else OK
        rig = Rig(
            qps=chance.choice([1.0, 10.0]),
            max_rows=chance.choice([1, 2, 1000]),
            destination=destination,
        )
        truth: dict[int, Action] = {}
        letters = []
        for _ in range(chance.randint(1, 12)):
            number, action = chance.randrange(4), chance.choice([ADD, DELETE])
            offset = rig.produce(event(number, action))
            truth[number] = action
            letters.append(mail_letter(offset, number, action))
        _, scan = await rig.prepare(letters)
        service = asyncio.create_task(_service(rig, truth, chance))
        await rig.send(scan)
        await service

        assert rig.members() == {digest(one) for one, action in truth.items() if action is ADD}

    run(test())


async def _service(rig: Rig, truth: dict[int, Action], chance: random.Random) -> None:
    """New changes, each applied by the service a while after it was written, in order."""
    most_lag = chance.choice([0.0, 0.5, 4.0])
    for _ in range(chance.randint(0, 30)):
        await asyncio.sleep(chance.random() * chance.choice([0.1, 2.0, 5.0]))
        number, action = chance.randrange(4), chance.choice([ADD, DELETE])
        rig.produce(event(number, action))
        truth[number] = action
        await asyncio.sleep(chance.random() * most_lag)
        held = rig.tiktok.members.setdefault("1", {}).setdefault(0, set())
        held.add(digest(number)) if action is ADD else held.discard(digest(number))
