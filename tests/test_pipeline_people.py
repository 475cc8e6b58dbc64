"""What the rules about people make of records: who did not consent, and who is suppressed, is never added."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.core.consent import Consent
from connector.core.model import Action
from connector.core.permission import NO_CONSENT, SUPPRESSED, Permission
from connector.core.routing import AudienceKey, Route
from connector.core.suppression import Status, SuppressionEntry, SuppressionList
from connector.formats import adobe_xdm, mparticle, native
from connector.formats.membership import Format
from connector.formats.paths import with_consent
from tests.delivery.rig import run
from tests.formats import test_adobe_xdm, test_mparticle
from tests.formats.consenting import GIVEN, NOT_GIVEN, PURPOSES, SAMPLES, Sample, told
from tests.formats.strategies import trees
from tests.test_intake import P0, TOPIC, Flow
from tests.test_pipeline_formats import ACCEPTED, FILTERED, members_of, reasons, records

CONSENT = Consent(PURPOSES)
WITHDRAWN = {**GIVEN, "sharing": False}

each = pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES)


def flow_of(shape: Format, segment: str, permission: Permission | None) -> Flow:
    route = Route(segment, AudienceKey("emea", "1"))
    return Flow(shape=shape, routes=[route], linger=0.1, permission=permission)


def consenting(sample: Sample) -> Flow:
    return flow_of(sample.shape, sample.segment, Permission(CONSENT, None))


def blocked(flow: Flow, reason: str = NO_CONSENT) -> float:
    return flow.telemetry.metrics.additions_blocked.values.get((TOPIC, reason), 0)


async def members_after(flow: Flow, *values: bytes, headers: Any = ()) -> int:
    """How many are in the audience when these records were handled."""
    flow.kafka.push(P0, values, headers=headers)
    await flow.until_committed({P0: len(flow.kafka.logs[P0])})
    return members_of(flow, "1")


# Consent


@each
def test_the_audience_follows_the_consent(sample: Sample) -> None:
    async def test() -> None:
        flow = consenting(sample)
        async with flow.flowing():
            for consent, expected in ((GIVEN, 1), (WITHDRAWN, 0), (GIVEN, 1), (..., 0), (GIVEN, 1)):
                value = sample.value(consent)
                assert await members_after(flow, value, headers=sample.headers) == expected
        assert blocked(flow) == 2
        assert records(flow, ACCEPTED) == 5
        assert flow.letters.written == []

    run(test())


@each
def test_whoever_was_never_asked_is_removed_and_never_added(sample: Sample) -> None:
    async def test() -> None:
        flow = consenting(sample)
        async with flow.flowing():
            for consent in NOT_GIVEN:
                value = sample.value(consent)
                assert await members_after(flow, value, headers=sample.headers) == 0
        assert {one.action for one in flow.emea.calls} == {Action.DELETE}
        repeats = len(NOT_GIVEN) - 1 if sample.shape.repeats else 0  # all say the same: to exit
        assert blocked(flow) == len(NOT_GIVEN) - repeats
        assert (records(flow, ACCEPTED), records(flow, FILTERED)) == (
            len(NOT_GIVEN) - repeats,
            repeats,
        )

    run(test())


@settings(deadline=None, max_examples=50)
@given(consents=st.lists(trees | st.sampled_from([GIVEN, WITHDRAWN]), min_size=1, max_size=8))
@each
def test_no_record_adds_anybody_whose_consent_is_not_exactly_given(
    sample: Sample, consents: list[Any]
) -> None:
    async def test() -> None:
        flow = consenting(sample)
        async with flow.flowing():
            values = [sample.value(one) for one in consents]
            members = await members_after(flow, *values, headers=sample.headers)
        assert members == CONSENT.is_given(consents[-1])
        if not any(map(CONSENT.is_given, consents)):
            assert Action.ADD not in {one.action for one in flow.emea.calls}

    run(test())


def test_an_exit_passes_whatever_it_says_of_consent() -> None:
    async def test() -> None:
        flow = consenting(SAMPLES["native"])
        entry, exit_ = event(1, consent=GIVEN), event(1, "exited")
        async with flow.flowing():
            assert await members_after(flow, entry) == 1
            assert await members_after(flow, exit_) == 0
        assert blocked(flow) == 0

    run(test())


def test_of_the_profiles_of_a_message_each_is_judged_by_itself() -> None:
    async def test() -> None:
        shape = with_consent(mparticle.FORMAT, "consent_state")
        flow = flow_of(shape, "456", Permission(CONSENT, None))
        profiles = [
            told(
                test_mparticle.PROFILE,
                mpid=str(user),
                user_identities=[{"type": "email", "value": f"user{user}@example.com"}],
                consent_state=consent,
            )
            for user, consent in enumerate((GIVEN, ..., WITHDRAWN, GIVEN))
        ]
        value = json.dumps(test_mparticle.request(user_profiles=profiles)).encode()
        async with flow.flowing():
            assert await members_after(flow, value) == 2
        assert blocked(flow) == 2

    run(test())


def test_who_has_no_usable_identity_is_set_aside_all_the_same() -> None:
    async def test() -> None:
        flow = consenting(SAMPLES["native"])
        async with flow.flowing():
            await members_after(flow, event(1, identities={"email": "?"}), event(2, identities={}))
        assert reasons(flow) == ["no_usable_identity", "no_identities"]
        assert blocked(flow) == 0

    run(test())


def test_what_no_route_is_for_is_not_blocked() -> None:
    async def test() -> None:
        flow = consenting(SAMPLES["native"])
        async with flow.flowing():
            await members_after(flow, event(1, segment="of nobody"))
        assert (blocked(flow), records(flow, FILTERED)) == (0, 1)

    run(test())


def test_an_addition_to_several_audiences_is_blocked_once() -> None:
    async def test() -> None:
        routes = [Route("high-value", AudienceKey("emea", str(n))) for n in (1, 2)]
        permission = Permission(CONSENT, None)
        flow = Flow(
            shape=native.WITH_CONSENT, routes=routes, linger=0.1, permission=permission
        )  # fmt: skip
        async with flow.flowing():
            await members_after(flow, event(1))
        assert (blocked(flow), flow.ended("delivered")) == (1, 2)

    run(test())


# Suppression


def event(
    user: int | str,
    status: str = "entered",
    *,
    email: int | None = None,
    phone: str | None = None,
    **changes: Any,
) -> bytes:
    address = f"user{user if email is None else email}@example.com"
    tree = {
        "profile_id": f"p-{user}",
        "segment": "high-value",
        "status": status,
        "identities": {"email": address} | ({} if phone is None else {"phone": phone}),
    } | changes
    return json.dumps(tree).encode()


class Suppressing(Flow):
    """Native events, and a list that changes as a test says."""

    def __init__(self, shape: Format = native.FORMAT, segment: str = "high-value") -> None:
        self.list = SuppressionList(b"salt")
        permission = Permission(None, self.list)
        route = Route(segment, AudienceKey("emea", "1"))
        super().__init__(shape=shape, routes=[route], linger=0.1, permission=permission)

    def suppress(
        self, user: int | str, *emails: int, status: Status = Status.SUPPRESSED, profile: str = ""
    ) -> None:
        identities = {"email": [f"user{one}@example.com" for one in emails]}
        entry = SuppressionEntry(profile or f"p-{user}", status, identities)
        self.list.apply(entry, self.identities.rows(identities) if emails else [])


@pytest.mark.parametrize("status", [Status.SUPPRESSED, Status.ERASED])
def test_a_suppressed_profile_is_removed_under_every_identifier_that_it_names(
    status: Status,
) -> None:
    async def test() -> None:
        flow = Suppressing()
        async with flow.flowing():
            assert await members_after(flow, event(1), event(2)) == 2
            flow.suppress(1, status=status)
            assert await members_after(flow, event(1), event(2)) == 1
            assert await members_after(flow, event(1, email=7)) == 1
        assert blocked(flow, SUPPRESSED) == 2
        assert blocked(flow) == 0

    run(test())


def test_a_suppressed_identifier_is_added_for_nobody() -> None:
    async def test() -> None:
        flow = Suppressing()
        flow.suppress("of another", 1)
        async with flow.flowing():
            assert await members_after(flow, event(1), event(2, email=1), event(3)) == 1
        assert (records(flow, ACCEPTED), records(flow, FILTERED)) == (1, 2)
        assert blocked(flow, SUPPRESSED) == 2
        assert {one.action for one in flow.emea.calls} == {Action.ADD}

    run(test())


def test_the_other_identifiers_of_the_row_are_added() -> None:
    async def test() -> None:
        flow = Suppressing()
        flow.suppress("of another", 1)
        async with flow.flowing():
            assert await members_after(flow, event(1, phone="+12133734253")) == 0
        assert len(flow.emea.members["1"][1]) == 1
        assert (records(flow, ACCEPTED), blocked(flow, SUPPRESSED)) == (1, 1)

    run(test())


def test_exits_pass_with_all_that_they_name() -> None:
    async def test() -> None:
        flow = Suppressing()
        async with flow.flowing():
            assert await members_after(flow, event(1), event(2)) == 2
            flow.suppress(1)
            flow.suppress("of another", 2)
            assert await members_after(flow, event(1, "exited"), event(2, "exited")) == 0
        assert blocked(flow, SUPPRESSED) == 0

    run(test())


def test_who_was_released_is_added_with_the_next_event() -> None:
    async def test() -> None:
        flow = Suppressing()
        flow.suppress(1, 1)
        async with flow.flowing():
            assert await members_after(flow, event(1)) == 0
            flow.suppress(1, status=Status.RELEASED)
            assert await members_after(flow, event(1)) == 1

    run(test())


def test_a_membership_of_one_message_loses_nothing_by_another() -> None:
    """The rows of a profile are made once for all its memberships: what is added loses them, what exits does not."""

    async def test() -> None:
        routes = [
            Route(name, AudienceKey("emea", one)) for name, one in (("in", "1"), ("out", "2"))
        ]
        suppressed = SuppressionList(b"salt")
        permission = Permission(None, suppressed)
        flow = Flow(shape=adobe_xdm.FORMAT, routes=routes, linger=0.1, permission=permission)
        identities = {"email": "jane@example.com"}
        entry = SuppressionEntry("of another", Status.SUPPRESSED, identities)
        suppressed.apply(entry, flow.identities.rows(identities))
        some = {"in": {"status": "realized"}, "out": {"status": "exited"}}
        tree = {
            "segmentMembership": {"ups": some},
            "identityMap": {"Email": [{"id": "jane@example.com"}]},
        }
        async with flow.flowing():
            await members_after(flow, json.dumps(tree).encode())
        assert [(one.audience_id, one.action) for one in flow.emea.calls] == [("2", Action.DELETE)]

    run(test())


def test_what_is_pending_knows_whose_it_is_where_people_may_be_suppressed() -> None:
    async def test() -> None:
        for flow, profile in ((Suppressing(), "p-1"), (consenting(SAMPLES["native"]), None)):
            taken: list[str | None] = []
            accept = flow.backlog.accept

            def note(audience: Any, row: Any, accept: Any = accept, taken: Any = taken) -> None:
                taken.append(row.profile)
                accept(audience, row)

            flow.backlog.accept = note  # type: ignore[method-assign]
            async with flow.flowing():
                await members_after(flow, event(1))
            assert taken == [profile]

    run(test())


# Both, and repeats


def test_a_message_that_repeats_is_news_when_the_rules_make_another_thing_of_it() -> None:
    async def test() -> None:
        flow = Suppressing(adobe_xdm.FORMAT, test_adobe_xdm.CHURNED)
        value = json.dumps(test_adobe_xdm.MESSAGE).encode()
        async with flow.flowing():
            assert await members_after(flow, value, value) == 1
            flow.suppress("", profile=test_adobe_xdm.ECID)
            assert await members_after(flow, value, value) == 0
            flow.suppress("", profile=test_adobe_xdm.ECID, status=Status.RELEASED)
            assert await members_after(flow, value, value) == 1
        assert (records(flow, ACCEPTED), records(flow, FILTERED)) == (3, 3)
        assert blocked(flow, SUPPRESSED) == 1

    run(test())


def test_what_was_forgotten_is_news() -> None:
    """A release makes an addition possible that was handled before, and deleted since."""

    async def test() -> None:
        flow = Suppressing(adobe_xdm.FORMAT, test_adobe_xdm.CHURNED)
        value = json.dumps(test_adobe_xdm.MESSAGE).encode()
        async with flow.flowing():
            assert await members_after(flow, value) == 1
            flow.emea.members["1"][0].clear()
            assert await members_after(flow, value) == 0
            flow.pipeline.forget_repeats()
            assert await members_after(flow, value) == 1

    run(test())


def test_without_consent_a_suppressed_person_is_blocked_once() -> None:
    async def test() -> None:
        suppressed = SuppressionList(b"salt")
        suppressed.apply(SuppressionEntry("p-1", Status.SUPPRESSED, {}), [])
        flow = flow_of(native.WITH_CONSENT, "high-value", Permission(CONSENT, suppressed))
        async with flow.flowing():
            await members_after(flow, event(1), event(1, consent=GIVEN))
        assert (blocked(flow), blocked(flow, SUPPRESSED)) == (1, 1)

    run(test())


@settings(deadline=None, max_examples=60)
@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["entered", "entered", "exited", "suppress", "release"]),
            st.integers(0, 2),
            st.integers(0, 3),
        ),
        max_size=14,
    )
)
def test_nobody_is_added_who_is_on_the_list_at_that_moment(steps: list[Any]) -> None:
    async def test() -> None:
        flow = Suppressing()
        listed: dict[int, int] = {}
        members: set[int] = set()
        async with flow.flowing():
            for what, user, email in steps:
                if what == "suppress":
                    listed[user] = email
                    flow.suppress(user, email)
                elif what == "release":
                    listed.pop(user, None)
                    flow.suppress(user, status=Status.RELEASED)
                elif what == "exited" or user in listed:
                    members.discard(email)
                    await members_after(flow, event(user, what, email=email))
                else:
                    members |= {email} - set(listed.values())
                    await members_after(flow, event(user, what, email=email))
        assert members_of(flow, "1") == len(members)

    run(test())
