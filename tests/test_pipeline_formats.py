"""What records of the vendors' formats become: audiences that events name, other names, repeats, envelopes."""

import asyncio
import json
import time
from collections.abc import Mapping
from typing import Any

import pytest

from connector.core.routing import FROM_EVENT, AudienceKey, Route
from connector.formats import adobe_xdm, mparticle, segment
from connector.history import History
from connector.operations import Operations
from connector.snapshot import Snapshot
from connector.status import Status
from tests.admin.parts import StandInConfiguration
from tests.delivery.rig import run
from tests.test_intake import P0, P1, TOPIC, Flow

T0, T1, T2 = (f"2026-11-20T12:00:0{second}Z" for second in range(3))
ACCEPTED, FILTERED, INVALID = "accepted", "filtered", "invalid"
STRUCTURED = (("content-type", b"application/cloudevents+json"),)

NAMED = Route("vip", AudienceKey("emea", FROM_EVENT))
ALSO_NAMED = Route("gold", AudienceKey("emea", FROM_EVENT))
FIXED = Route("segment-1", AudienceKey("emea", "1"))


def track(
    user: int, audience: str | None = "55", *, key: str = "vip", account: str | None = None
) -> bytes:
    personas: dict[str, Any] = {"computation_key": key, "external_audience_id": audience}
    if account is not None:
        personas["audience_settings"] = {"advertiserId": account}
    traits = {"email": f"user{user}@example.com"}
    context = {"personas": personas, "traits": traits}
    return json.dumps({"type": "track", "properties": {key: True}, "context": context}).encode()


def export(
    memberships: Mapping[str, tuple[str, str | None]], user: int = 1, email: str | None = None
) -> bytes:
    """Adobe's message about a profile, from segment to status and time."""
    some = {
        name: {"status": status} | ({"lastQualificationTime": at} if at else {})
        for name, (status, at) in memberships.items()
    }
    address = email or f"user{user}@example.com"
    identity_map = {"ecid": [{"id": f"{user}"}], "Email": [{"id": address}]}
    return json.dumps({"segmentMembership": {"ups": some}, "identityMap": identity_map}).encode()


def in_envelope(value: bytes, time: str) -> bytes:
    return b'{"specversion": "1.0", "time": "%b", "data": %b}' % (time.encode(), value)


def flow_of(shape: Any, *routes: Route) -> Flow:
    return Flow(shape=shape, routes=routes, linger=0.1)


def records(flow: Flow, outcome: str) -> float:
    return flow.telemetry.metrics.records.values.get((TOPIC, outcome), 0)


def reasons(flow: Flow) -> list[str]:
    return [json.loads(one.value)["reason"] for one in flow.letters.written]


def members_of(flow: Flow, audience: str) -> int:
    return len(flow.emea.members.get(audience, {}).get(0, ()))


def lanes(flow: Flow) -> set[tuple[str, str]]:
    """What the status shows: segment and audience of each lane."""
    clock = asyncio.get_running_loop().time
    status = Status(flow, [TOPIC], flow.source, 20.0, clock, time.time)
    history = History(flow.telemetry.metrics, list, clock)
    operations = Operations(flow.pauses, flow.dispatcher, clock)
    configuration = StandInConfiguration(clock)
    snapshot = Snapshot(
        status, flow, flow.source, history, operations, configuration, clock, time.time
    )
    return {(one["segment"], one["audience"]) for one in snapshot.take()["lanes"]}


# --- the audience that an event names


def test_an_audience_that_an_event_names_is_opened_at_once_and_shown() -> None:
    async def test() -> None:
        flow = flow_of(segment.FORMAT, NAMED, FIXED)
        assert ("vip", "55") not in lanes(flow)
        async with flow.flowing():
            flow.kafka.push(P0, [track(1), track(2, "56"), track(3), track(4, key="segment-1")])
            await flow.until_committed({P0: 4})
        assert [members_of(flow, one) for one in ("55", "56", "1")] == [2, 1, 1]
        assert {("vip", "55"), ("vip", "56"), ("segment-1", "1")} <= lanes(flow)
        assert flow.letters.written == []

    run(test())


@pytest.mark.parametrize("audience", [None, "", "vip", "-1", "9" * 40])
def test_an_event_that_names_no_audience_is_set_aside(audience: str | None) -> None:
    async def test() -> None:
        flow = flow_of(segment.FORMAT, NAMED)
        async with flow.flowing():
            flow.kafka.push(P0, [track(1, audience), track(2)])
            await flow.until_committed({P0: 2})
        assert reasons(flow) == ["no_audience"]
        assert json.loads(flow.letters.written[0].value)["stage"] == "decode"
        assert members_of(flow, "55") == 1

    run(test())


def test_an_audience_that_another_segment_feeds_is_a_conflict_whoever_was_first() -> None:
    async def test() -> None:
        flow = flow_of(segment.FORMAT, NAMED, ALSO_NAMED, FIXED)
        async with flow.flowing():
            flow.kafka.push(P0, [track(1), track(2, key="gold"), track(3, "1"), track(4)])
            await flow.until_committed({P0: 4})
        assert reasons(flow) == ["audience_conflict"] * 2
        assert (members_of(flow, "55"), members_of(flow, "1")) == (2, 0)

    run(test())


def test_an_event_of_another_account_is_filtered() -> None:
    async def test() -> None:
        flow = flow_of(segment.FORMAT, NAMED)
        async with flow.flowing():
            flow.kafka.push(P0, [track(1, account="8"), track(2, account="7")])
            await flow.until_committed({P0: 2})
        assert (records(flow, FILTERED), records(flow, ACCEPTED)) == (1, 1)
        assert flow.letters.written == []
        assert members_of(flow, "55") == 1

    run(test())


def test_more_audiences_than_the_bound_are_set_aside_and_known_ones_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def test() -> None:
        flow = flow_of(segment.FORMAT, NAMED)
        monkeypatch.setattr(
            "connector.delivery.backlog._MOST_AUDIENCES", len(list(flow.backlog)) + 2
        )
        async with flow.flowing():
            flow.kafka.push(P0, [track(n, str(55 + n)) for n in range(4)])
            flow.kafka.push(P0, [track(9, "55")])
            await flow.until_committed({P0: 5})
        assert reasons(flow) == ["too_many_audiences"] * 2
        assert [members_of(flow, str(55 + n)) for n in range(4)] == [2, 1, 0, 0]

    run(test())


# --- other names


def test_a_route_may_call_an_audience_by_its_name_and_another_by_its_number() -> None:
    async def test() -> None:
        by_number = Route("456", AudienceKey("emea", "1"))
        by_name = Route("vip", AudienceKey("emea", "2"))
        flow = flow_of(mparticle.FORMAT, by_number, by_name)
        profiles = [
            {
                "user_identities": [{"type": "email", "value": f"user{number}@example.com"}],
                "audiences": [{"audience_id": number, "audience_name": name, "action": "add"}],
            }
            for number, name in ((456, "vip"), (456, "renamed"), (457, "vip"), (458, "458"))
        ]
        kind = "audience_membership_change_request"
        async with flow.flowing():
            request = {"type": kind, "user_profiles": profiles}
            flow.kafka.push(P0, [json.dumps(request).encode()])
            await flow.until_committed({P0: 1})
        # Two profiles go by one address here: of 456 there is one.
        assert (members_of(flow, "1"), members_of(flow, "2")) == (1, 2)
        assert flow.ended("delivered") + flow.ended("superseded") == 4

    run(test())


# --- repeats


class Adobe(Flow):
    """Adobe's exports, with segments that feed the audiences 1 and 2."""

    def __init__(self) -> None:
        routes = [Route(name, AudienceKey("emea", str(n))) for n, name in ((1, "one"), (2, "two"))]
        super().__init__(shape=adobe_xdm.FORMAT, routes=routes, linger=0.1)

    def outcomes(self) -> tuple[float, float]:
        """How many records were accepted, and how many filtered."""
        return records(self, ACCEPTED), records(self, FILTERED)


ENTERED = {"one": ("realized", T1)}


def test_a_membership_that_repeats_is_handled_once() -> None:
    async def test() -> None:
        flow = Adobe()
        both = ENTERED | {"two": ("realized", T2)}
        async with flow.flowing():
            flow.kafka.push(P0, [export(ENTERED), export(ENTERED), export(both), export(both)])
            await flow.until_committed({P0: 4})
        assert flow.outcomes() == (2, 2)
        assert flow.ended("delivered") == 2

    run(test())


def test_what_is_older_than_what_was_handled_is_left_out() -> None:
    async def test() -> None:
        flow = Adobe()
        async with flow.flowing():
            flow.kafka.push(P0, [export({"one": ("exited", T2)}), export(ENTERED)])
            await flow.until_committed({P0: 2})
        assert flow.outcomes() == (1, 1)
        assert flow.sent() == 0

    run(test())


@pytest.mark.parametrize(
    ("later", "members"),
    [
        (export({"one": ("exited", T1)}), 0),
        (export(ENTERED, email="new@example.com"), 2),
        (export({"one": ("realized", T2)}), 1),
        (export(ENTERED, user=2), 2),
    ],
    ids=["an exit at the same second", "other identities", "a later time", "another profile"],
)
def test_anything_new_is_handled(later: bytes, members: int) -> None:
    async def test() -> None:
        flow = Adobe()
        async with flow.flowing():
            flow.kafka.push(P0, [export(ENTERED), later])
            await flow.until_committed({P0: 2})
        assert flow.outcomes() == (2, 0)
        assert flow.sent() == members

    run(test())


def test_what_was_handled_is_of_one_partition_and_forgotten_on_a_rebalance() -> None:
    async def test() -> None:
        flow = Adobe()
        async with flow.flowing():
            flow.kafka.push(P0, [export(ENTERED)])
            flow.kafka.push(P1, [export(ENTERED)])
            await flow.until_committed({P0: 1, P1: 1})
            assert flow.outcomes() == (2, 0)
            await flow.source.rebalance([P0, P1])
            flow.kafka.push(P0, [export(ENTERED), export(ENTERED)])
            await flow.until_committed({P0: 3})
        assert flow.outcomes() == (3, 1)

    run(test())


def test_a_message_is_read_again_after_its_changes_were_handed_over() -> None:
    async def test() -> None:
        flow = Adobe()
        flow.emea.seconds = 100.0
        async with flow.flowing():
            flow.kafka.push(P0, [export(ENTERED)])
            await flow.until(lambda: flow.dispatcher.calls == 1)
            await flow.source.rebalance([P0])
            flow.emea.seconds = 0.05
            await flow.until_committed({P0: 1})
        assert flow.outcomes() == (2, 0)
        assert flow.sent() == 1

    run(test())


def test_a_repeated_membership_without_a_route_is_not_remembered() -> None:
    async def test() -> None:
        flow = Adobe()
        async with flow.flowing():
            flow.kafka.push(P0, [export({"of nobody": ("realized", T1)}), export(ENTERED)])
            await flow.until_committed({P0: 2})
        assert flow.outcomes() == (1, 1)

    run(test())


# --- envelopes


def test_an_envelope_around_a_tombstone_is_filtered() -> None:
    async def test() -> None:
        flow = Adobe()
        async with flow.flowing():
            flow.kafka.push(P0, [None], headers=(("ce_specversion", b"1.0"), ("ce_id", b"1")))
            flow.kafka.push(P0, [None], headers=STRUCTURED)
            await flow.until_committed({P0: 2})
        assert flow.outcomes() == (0, 2)
        assert flow.letters.written == []

    run(test())


def test_the_envelopes_time_is_the_memberships_where_that_has_none() -> None:
    async def test() -> None:
        flow = Adobe()
        entry, exit_ = export({"one": ("realized", None)}), export({"one": ("exited", None)})

        def binary(time: str) -> tuple[tuple[str, bytes], ...]:
            return ("ce_id", b"1"), ("ce_time", time.encode())

        async with flow.flowing():
            flow.kafka.push(P0, [entry], headers=binary(T1))
            flow.kafka.push(P0, [exit_], headers=binary(T0))
            flow.kafka.push(
                P0, [in_envelope(exit_, T0), in_envelope(entry, T1)], headers=STRUCTURED
            )
            await flow.until_committed({P0: 4})
            assert flow.outcomes() == (1, 3)
            assert flow.sent() == 1
            flow.kafka.push(P0, [in_envelope(exit_, T2)], headers=STRUCTURED)
            await flow.until_committed({P0: 5})
        assert flow.outcomes() == (2, 3)
        assert flow.sent() == 0

    run(test())


def test_the_memberships_own_time_goes_before_the_envelopes() -> None:
    async def test() -> None:
        flow = Adobe()
        older = export({"one": ("exited", T0)})
        async with flow.flowing():
            flow.kafka.push(P0, [in_envelope(export(ENTERED), T0)], headers=STRUCTURED)
            flow.kafka.push(P0, [in_envelope(older, T2)], headers=STRUCTURED)
            await flow.until_committed({P0: 2})
        assert flow.outcomes() == (1, 1)

    run(test())


def test_a_broken_envelope_is_set_aside_with_the_header_that_explains_its_payload() -> None:
    async def test() -> None:
        flow = Adobe()
        async with flow.flowing():
            flow.kafka.push(P0, [b'{"specversion": "1.0"}'], headers=STRUCTURED)
            await flow.until_committed({P0: 1})
        assert reasons(flow) == ["missing_field"]
        assert dict(flow.letters.written[0].headers)["content-type"] == STRUCTURED[0][1]

    run(test())


def test_a_record_that_is_set_aside_changes_no_other_audience_first() -> None:
    """Its segment leads to an audience of the configuration, too: the letter stands for both."""

    async def test() -> None:
        fixed = Route(NAMED.segment, AudienceKey("emea", "1"))
        flow = flow_of(segment.FORMAT, fixed, NAMED)
        async with flow.flowing():
            flow.kafka.push(P0, [track(1, None), track(2)])
            await flow.until_committed({P0: 2})
        assert reasons(flow) == ["no_audience"]
        assert (members_of(flow, "1"), members_of(flow, "55")) == (1, 1)

    run(test())
