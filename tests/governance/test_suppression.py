"""Suppression and erasure with all of the service behind it: what a person refused does not happen at TikTok."""

import asyncio
import json

import pytest

from connector.core.model import Action, Partition
from connector.status import Status
from tests.delivery.rig import run
from tests.fakes.tiktok import NO_AUDIENCE, OK, TIMED_OUT
from tests.governance.rig import (
    AGAIN,
    S0,
    SUPPRESSION,
    Replica,
    bare_entry,
    entry,
)
from tests.test_intake import P0, P1, TOPIC, digest_of, event

ALL = {"1", "2", "3", "100"}


def reasons(replica: Replica) -> list[str]:
    return [json.loads(one.value)["reason"] for one in replica.letters.written]


def blocked(replica: Replica, reason: str = "suppressed") -> float:
    return replica.telemetry.metrics.additions_blocked.values.get((TOPIC, reason), 0)


# --- deletes


def test_an_entry_deletes_from_every_audience_at_once_and_once_more_later() -> None:
    async def test() -> None:
        replica = Replica()
        async with replica.flowing():
            replica.enter(1)
            await replica.until_committed({P0: 1})
            assert replica.is_member(1)

            written = replica.now
            replica.suppress(entry(1))
            await replica.until(lambda: len(replica.deletes(1)) == 4)
            assert replica.now - written < 1.0
            assert {audience for _, audience in replica.deletes(1)} == ALL
            await replica.until(lambda: not replica.is_member(1), 0.1)
            assert not replica.committed.get(S0)

            await replica.until_committed({S0: 1})
            again = replica.deletes(1)[4:]
            assert {audience for _, audience in again} == ALL
            assert all(AGAIN <= at - written < AGAIN + 2.0 for at, _ in again)
        assert not reasons(replica)

    run(test())


def test_deletes_go_before_other_work() -> None:
    async def test() -> None:
        replica = Replica(qps=1.0, linger=0.1)
        async with replica.flowing():
            for number in (1, 2, 3):
                replica.enter(*range(100), segment=f"segment-{number}")
            await replica.until(lambda: len(replica.emea.calls) == 1)
            replica.suppress(entry(1))
            await replica.until(lambda: len(replica.deletes(1)) == 4)
            kinds = [call.action for call in replica.emea.calls]
            assert kinds.index(Action.DELETE) <= 2
            assert kinds[kinds.index(Action.DELETE) :][:2] == [Action.DELETE] * 2

    run(test())


def test_deletes_go_on_while_the_intake_is_paused() -> None:
    async def test() -> None:
        replica = Replica(most=5)
        replica.emea.answer = lambda audience, batch: (
            NO_AUDIENCE if audience == "1" and batch.action is Action.ADD else OK
        )
        async with replica.flowing():
            replica.enter(*range(20))
            await replica.until(lambda: replica.pauses.is_full)
            assert P0 in replica.source.paused
            assert S0 not in replica.source.paused

            replica.suppress(entry(100))
            await replica.until(lambda: len(replica.deletes(100)) >= 3, 5.0)

    run(test())


def test_too_many_deletes_pause_the_suppression_topic_alone() -> None:
    async def test() -> None:
        replica = Replica(poll_records=300, most=100_000)
        async with replica.flowing():
            replica.suppress(*(entry(user) for user in range(600)))
            await replica.until(lambda: S0 in replica.source.paused)
            assert P0 not in replica.source.paused
            await replica.until_committed({S0: 600})
            assert all(len(replica.deletes(user)) >= 8 for user in (0, 299, 599))

    run(test())


def test_a_restart_sends_nothing_again() -> None:
    async def test() -> None:
        first = Replica()
        async with first.flowing():
            first.suppress(entry(1), entry(2))
            await first.until_committed({S0: 2})
        second = Replica(first)
        async with second.flowing():
            second.enter(3)
            await second.until_committed({P0: 1})
        assert second.is_member(3)
        assert not second.deletes(1)

    run(test())


def test_the_next_owner_begins_anew_with_what_was_not_finished() -> None:
    async def test() -> None:
        first = Replica()
        async with first.flowing():
            first.suppress(entry(1))
            await first.until(lambda: len(first.deletes(1)) == 4)
        second = Replica(first)
        async with second.flowing():
            await second.until_committed({S0: 1})
        assert len(second.deletes(1)) == 8
        assert len(first.erasure) == 1

    run(test())


def test_a_rebalance_forgets_the_deletes_of_partitions_that_are_lost() -> None:
    async def test() -> None:
        replica = Replica()
        async with replica.flowing():
            replica.suppress(entry(1))
            await replica.until(lambda: len(replica.deletes(1)) == 4)
            await replica.source.rebalance({P0, P1})
            await asyncio.sleep(2 * AGAIN)
            assert len(replica.deletes(1)) == 4
            assert len(replica.erasure) == 0
            await replica.source.rebalance({P0, P1, S0})
            await replica.until_committed({S0: 1})
            assert len(replica.deletes(1)) == 12

    run(test())


def test_an_audience_that_is_halted_gets_its_deletes_when_it_is_mended() -> None:
    async def test() -> None:
        replica = Replica(sets_aside=True, most_blocked=2)
        replica.emea.answer = lambda audience, _: NO_AUDIENCE if audience == "1" else OK
        async with replica.flowing():
            replica.suppress(*(entry(user) for user in range(10)))
            await asyncio.sleep(100.0)
            assert replica.people_now()["pending_erasures"] == 10
            assert replica.people_now()["oldest_pending"] == "1970-01-01T00:00:01Z"
            assert not replica.letters.written
            replica.emea.answer = lambda _, __: OK
            await replica.until_committed({S0: 10})
            assert replica.people_now()["oldest_pending"] is None
            assert {audience for _, audience in replica.deletes(9)} == ALL

    run(test())


# --- additions


@pytest.mark.parametrize("status", ["suppressed", "erased"])
def test_a_suppressed_profile_is_not_added_and_not_left_where_it_is(status: str) -> None:
    async def test() -> None:
        replica = Replica()
        replica.kafka.push(P1, [event(1, "segment-2")])
        async with replica.flowing():
            await replica.until_committed({P1: 1})
            replica.suppress(bare_entry(1, status))
            await replica.until(lambda: len(replica.suppressed) == 1)
            replica.enter(1, segment="segment-1")
            replica.enter(1, segment="segment-2")
            await replica.until_committed({P0: 2, S0: 1})
            assert not replica.is_member(1)
            assert not replica.is_member(1, 2)
            assert blocked(replica) == 2
            snapshot = replica.people_now()
            assert snapshot[status] == snapshot["without_identities"] == 1
            assert not replica.deletes(1)[2:]

    run(test())


def test_an_identifier_is_suppressed_whoever_has_it() -> None:
    async def test() -> None:
        replica = Replica()
        replica.suppress(entry(7, email="user1@example.com"))
        async with replica.flowing():
            replica.enter(1, 2)
            await replica.until_committed({P0: 2})
            assert not replica.is_member(1)
            assert replica.is_member(2)
            assert replica.telemetry.metrics.records.values[TOPIC, "filtered"] == 1

    run(test())


def test_what_was_accepted_before_is_not_sent_any_more() -> None:
    async def test() -> None:
        replica = Replica()
        replica.emea.answer = lambda _, __: NO_AUDIENCE
        async with replica.flowing():
            replica.enter(1, 2, 3)
            await replica.until(lambda: replica.audience(1).is_halted)
            await replica.source.rebalance({P0, P1})  # another replica owns the suppression topic
            await replica.until(
                lambda: replica.audience(1).is_halted and replica.backlog.pending == 3
            )
            replica.suppress(entry(1), bare_entry(2))
            await replica.until(lambda: len(replica.suppressed) == 2)
            replica.emea.answer = lambda _, __: OK
            await replica.until_committed({P0: 3})
            assert replica.members(1) == {digest_of(3)}
            assert blocked(replica) == 2

    run(test())


def test_a_call_that_was_under_way_elsewhere_is_followed_by_deletes() -> None:
    """The owner's first delete overtakes the other replica's addition."""

    async def test() -> None:
        owner, other = Replica(), None
        other = Replica(owner)
        async with owner.flowing(), other.flowing():
            await owner.source.rebalance({P0, S0})
            await other.source.rebalance({P1})
            other.emea.seconds = 10.0
            other.enter(1, partition=1)
            await other.until(lambda: len(other.emea.calls) == 1)
            owner.suppress(entry(1))
            await owner.until(lambda: len(owner.deletes(1)) == 4)
            await other.until(lambda: other.is_member(1))
            added = other.now
            await other.until(lambda: not other.is_member(1))
            assert other.now - added < 11.0
            assert {audience for _, audience in other.deletes(1)} == {"1"}
            await owner.until_committed({S0: 1})
            assert {audience for _, audience in owner.deletes(1)[4:]} == ALL
        assert not owner.is_member(1)

    run(test())


def test_the_second_delete_covers_a_replica_that_was_killed_with_an_addition_under_way() -> None:
    async def test() -> None:
        owner, other = Replica(), None
        other = Replica(owner)
        async with owner.flowing():
            async with other.flowing():
                await owner.source.rebalance({P0, S0})
                await other.source.rebalance({P1})
                other.emea.answer = lambda _, __: TIMED_OUT
                other.enter(1, partition=1)
                await other.until(lambda: len(other.emea.calls) == 1)
                owner.suppress(entry(1))
            await owner.until(lambda: len(owner.deletes(1)) == 4)
            owner.emea.members["1"] = {0: {digest_of(1)}}  # TikTok applies it now
            await owner.until_committed({S0: 1})
        assert not owner.is_member(1)

    run(test())


def test_no_call_starts_while_the_list_may_be_out_of_date() -> None:
    async def test() -> None:
        replica = Replica()
        async with replica.flowing():
            replica.feed.is_silent = True
            await asyncio.sleep(5.0)
            replica.suppress(entry(1))
            replica.enter(1)
            await asyncio.sleep(30.0)
            assert not replica.emea.calls
            replica.feed.is_silent = False
            await replica.until_committed({P0: 1, S0: 1})
            assert not any(call.action is Action.ADD for call in replica.emea.calls)

    run(test())


# --- release


def test_a_release_takes_back_what_was_not_sent_and_lets_additions_through() -> None:
    async def test() -> None:
        replica = Replica()
        replica.apac.answer = lambda _, __: NO_AUDIENCE
        async with replica.flowing():
            replica.suppress(entry(1))
            await replica.until(lambda: len(replica.deletes(1)) >= 4)
            replica.suppress(entry(1, "released"))
            await replica.until(lambda: len(replica.suppressed) == 0)
            await asyncio.sleep(1.0)  # a call that tries the halted audience ends
            before = len(replica.deletes(1))
            replica.enter(1)
            replica.apac.answer = lambda _, __: OK
            await replica.until_committed({P0: 1, S0: 2})
            await asyncio.sleep(2 * AGAIN)
            assert replica.is_member(1)
            assert len(replica.deletes(1)) == before

    run(test())


def test_an_entry_that_was_released_while_it_waited_for_a_restart_deletes_nothing() -> None:
    async def test() -> None:
        first = Replica()
        async with first.flowing():
            first.suppress(entry(1))
            await first.until(lambda: len(first.deletes(1)) == 4)
        first.suppress(*(entry(user) for user in range(10, 600)), entry(1, "released"))
        second = Replica(first, poll_records=100, most=100_000)
        async with second.flowing():
            await second.until_committed({S0: 592})
        assert not second.deletes(1)
        assert len(second.deletes(10)) == 8

    run(test())


def test_a_tombstone_does_not_release() -> None:
    async def test() -> None:
        replica = Replica()
        async with replica.flowing():
            replica.suppress(entry(1), None)
            await replica.until_committed({S0: 2})
            replica.enter(1)
            await replica.until_committed({P0: 1})
            assert not replica.is_member(1)

    run(test())


# --- bad entries, and what is said


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"{", "malformed_json"),
        (b"", "malformed_json"),
        (b"[]", "not_an_object"),
        (b'{"profile_id": "p"}', "missing_field"),
        (b'{"profile_id": 5, "status": "erased"}', "wrong_type"),
        (b'{"profile_id": "p", "status": "gone"}', "unknown_status"),
        (b'{"profile_id": "p", "status": "erased", "identities": []}', "wrong_type"),
        (entry(1, email="no address"), "no_usable_identity"),
    ],
)
def test_a_bad_entry_is_set_aside_and_stops_nothing(value: bytes, reason: str) -> None:
    async def test() -> None:
        replica = Replica()
        async with replica.flowing():
            replica.suppress(value, entry(2))
            await replica.until_committed({S0: 2})
        assert reasons(replica) == [reason]
        assert replica.deletes(2)
        assert replica.telemetry.metrics.records.values[SUPPRESSION, "invalid"] == 1

    run(test())


def test_an_entry_with_an_unusable_identity_blocks_its_profile_all_the_same() -> None:
    async def test() -> None:
        replica = Replica()
        replica.suppress(entry(1, email="no address"))
        async with replica.flowing():
            replica.enter(1)
            await replica.until_committed({P0: 1, S0: 1})
        assert not replica.is_member(1)

    run(test())


def test_it_is_not_ready_before_the_topic_was_read() -> None:
    async def test() -> None:
        replica = Replica()
        status = Status(replica, [TOPIC], replica.source, 20.0, lambda: replica.now, lambda: 0.0)
        status.state = "running"
        assert "suppression" in status.not_ready()[0]
        async with replica.flowing():
            await replica.until(lambda: not status.not_ready())
            replica.suppress(entry(1))
            await replica.until(lambda: len(replica.erasure) == len(replica.suppressed) == 1)
            status.publish(replica.telemetry.metrics)
            metrics = replica.telemetry.metrics
            assert metrics.suppression_loaded.values[()] == 1
            assert metrics.suppression_entries.values[("suppressed",)] == 1
            assert metrics.erasure_oldest_pending_timestamp_seconds.values[()] == 1.0
            assert replica.people_now()["pending_erasures"] == 1
            await replica.until_committed({S0: 1})
            status.publish(metrics)
            assert not metrics.erasure_oldest_pending_timestamp_seconds.values

    run(test())


def test_unreadable_entries_become_letters() -> None:
    from tests.fakes.kafka import Hole  # noqa: PLC0415

    async def test() -> None:
        replica = Replica()
        async with replica.flowing():
            replica.kafka.push(Partition(SUPPRESSION, 0), [Hole.UNREADABLE, entry(1)])
            await replica.until_committed({S0: 2})
        assert reasons(replica) == ["unreadable_record"]
        assert replica.deletes(1)

    run(test())
