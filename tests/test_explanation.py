"""What an explanation says of a record is what the pipeline makes of it, and it holds no value of it."""

import dataclasses
import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.core.batch import Row
from connector.core.checkpoint import Checkpoint
from connector.core.consent import Consent
from connector.core.identity import IdentityMap, IdentityMapping, Target
from connector.core.model import Action, Chunk, Letter, Partition, Stage
from connector.core.permission import Permission
from connector.core.recency import Recency
from connector.core.room import Limits
from connector.core.routing import FROM_EVENT, AudienceKey, Route, RoutingTable
from connector.core.suppression import Status, SuppressionEntry, SuppressionList
from connector.delivery.accounts import Account, Audience
from connector.delivery.backlog import Backlog
from connector.delivery.dead_letters import DeadLetterQueue
from connector.errors import InvalidRecord
from connector.explanation import UNREADABLE, Explainer, Explanation, Member, Ruling
from connector.formats import (
    adobe_xdm,
    custom,
    debezium,
    mparticle,
    native,
    rudderstack,
    segment,
)
from connector.formats.membership import Format
from connector.pipeline import Pipeline
from connector.record_letters import RecordLetters
from connector.replay.letters import REASONS
from connector.replay.reading import Reading
from connector.sandbox.generator import Traffic, generate
from connector.telemetry.catalogue import Catalogue
from connector.telemetry.events import DeliveryEvents, IntakeEvents
from tests.delivery.rig import RecordingLetters
from tests.fakes.kafka import FakeRecord
from tests.fakes.tiktok import FakeDestination
from tests.formats import (
    test_adobe_xdm,
    test_cloudevents,
    test_custom,
    test_debezium,
    test_mparticle,
    test_native,
    test_rudderstack,
    test_segment,
)
from tests.formats.consenting import GIVEN, NOT_GIVEN, PURPOSES
from tests.formats.consenting import SAMPLES as CONSENTING
from tests.formats.consenting import Sample as ConsentSample
from tests.formats.mutations import MARKER, broken
from tests.formats.strategies import few, many

EMAIL, PHONE, IDFA = Target.EMAIL_SHA256, Target.PHONE_SHA256, Target.IDFA_SHA256
MAPPINGS = (
    IdentityMapping("email", EMAIL),
    IdentityMapping("phone", PHONE, default_region="US"),
    IdentityMapping("idfa", IDFA),
)
ADVERTISERS = {"emea": "7000000000000000001", "apac": "123"}
ROUTES = (
    Route("high-value", AudienceKey("emea", "71")),
    Route("high-value", AudienceKey("emea", "72"), (True, False, False)),
    Route("vip", AudienceKey("emea", "73")),
    Route("named", AudienceKey("emea", "76")),
    Route("named", AudienceKey("apac", FROM_EVENT)),
    Route("churned", AudienceKey("emea", "77")),
    Route(test_adobe_xdm.VIP, AudienceKey("emea", "74")),
    Route(test_adobe_xdm.CHURNED, AudienceKey("emea", "75"), (False, True, False)),
    Route(test_rudderstack.AUDIENCE, AudienceKey("emea", FROM_EVENT)),
)
EXPLAINER = Explainer(MAPPINGS, RoutingTable(ROUTES, ADVERTISERS))
PARTITION = Partition("members", 0)

Headers = Sequence[tuple[str, bytes]]


def named(**personas: Any) -> dict[str, Any]:
    """An event of Segment that names its audience, for a route that leaves it to the event."""
    personas = test_segment.PERSONAS | {"computation_key": "named"} | personas
    context = test_segment.TRACK["context"] | {"personas": personas}
    return test_segment.TRACK | {"context": context, "properties": {"named": True}}


class Sample(NamedTuple):
    """A format, and the published examples of its records."""

    shape: Format
    trees: tuple[Any, ...]
    headers: Headers = ()


WHOLE = test_native.event(
    identities={"email": "jane@example.com", "phone": ["+12133734253"], "idfa": test_segment.IDFA}
)
SAMPLES = {
    "native": Sample(native.FORMAT, (WHOLE,)),
    "segment": Sample(
        segment.FORMAT,
        (test_segment.TRACK, test_segment.IDENTIFY, test_segment.MINIMAL, test_segment.ROW),
    ),
    "segment, named": Sample(segment.FORMAT, (named(),)),
    "adobe_xdm": Sample(adobe_xdm.FORMAT, test_adobe_xdm.MESSAGES),
    "mparticle": Sample(mparticle.FORMAT, (test_mparticle.REQUEST,)),
    "rudderstack": Sample(rudderstack.FORMAT, (test_rudderstack.RECORD, test_rudderstack.LIST)),
    "debezium": Sample(debezium.make(test_debezium.COLUMNS), test_debezium.ORIGINALS),
    "custom": Sample(custom.make(test_custom.MAPPING), (test_custom.EVENT,)),
    "cloudevents": Sample(
        native.FORMAT,
        (test_cloudevents.event(data=WHOLE),),
        test_cloudevents.STRUCTURED,
    ),
}
each = pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES)

SECRETS = (
    *("jane", "john", "@", "p-1", "2133734253", MARKER),
    *(test_segment.IDFA, test_adobe_xdm.EMAIL, test_adobe_xdm.ECID),
)


def explain(shape: Format, tree: Any, headers: Headers = ()) -> Explanation:
    return EXPLAINER.explain(shape, orjson.dumps(tree), headers)


# As the pipeline does


Said = tuple[str, list[tuple[str, Action, tuple[Target | None, ...]]], Any]
"""The outcome, the changes by destination, and the letter's reason, stage and detail."""


class Taken(Backlog):
    """A backlog that notes what it accepts."""

    def accept(self, audience: Audience, row: Row) -> None:
        targets = IdentityMap(MAPPINGS).targets
        filled = tuple(
            target if digest else None for target, digest in zip(targets, row.digests, strict=True)
        )
        self.taken.append((audience.key.destination, row.action, filled))
        super().accept(audience, row)

    taken: list[tuple[str, Action, tuple[Target | None, ...]]]


class Letters(DeadLetterQueue):
    """A queue that notes what it is given."""

    noted: list[Letter]

    def put(self, letter: Letter, topic: str, reason: str, done: Callable[[], None]) -> None:
        self.noted.append(letter)
        super().put(letter, topic, reason, done)


CATALOGUE = Catalogue()
ON_DELIVERY = DeliveryEvents(CATALOGUE, lambda: 0.0, lambda: 0.0)
ON_INTAKE = IntakeEvents(CATALOGUE, lambda: 0.0, lambda: 0.0)


def piped(
    shape: Format, value: bytes | None, headers: Headers, permission: Permission | None
) -> Said:
    """What the pipeline makes of a record that is the first."""
    accounts = {name: Account(name, FakeDestination()) for name in ADVERTISERS}
    limits = Limits(1000, 1_000_000, 1.0)
    backlog = Taken(accounts, ROUTES, len(MAPPINGS), limits, lambda _: 120, ON_DELIVERY)
    backlog.taken = []
    letters = Letters(RecordingLetters(), ON_DELIVERY, lambda: 0.5)
    letters.noted = []
    checkpoint = Checkpoint()
    checkpoint.assign([PARTITION])
    pipeline = Pipeline(
        {PARTITION.topic: shape},
        IdentityMap(MAPPINGS),
        RoutingTable(ROUTES, ADVERTISERS),
        checkpoint,
        backlog,
        RecordLetters(letters, ON_INTAKE, lambda: 0.0),
        ON_INTAKE,
        permission,
    )
    record = FakeRecord(0, 0, b"key", value, tuple(headers))
    pipeline.take(PARTITION, Chunk([record], 1), 0.0)
    letter = None
    if letters.noted:
        tree = json.loads(letters.noted[0].value)
        letter = (tree["reason"], tree["stage"], tree["detail"])
    outcome = "invalid" if letter else "accepted" if backlog.taken else "filtered"
    return outcome, backlog.taken, letter


def said(explanation: Explanation) -> Said:
    changes = [
        (route.audience.destination, member.action, row)
        for member in explanation.members
        for route in member.routes
        for row in route.rows
    ]
    refusal = explanation.refusal
    return explanation.outcome, changes, None if refusal is None else tuple(refusal)


def read_again(
    shape: Format, value: bytes | None, headers: Headers, permission: Permission | None
) -> Said:
    """What a replay makes of it."""
    identities, table = IdentityMap(MAPPINGS), RoutingTable(ROUTES, ADVERTISERS)
    reading = Reading({PARTITION.topic: shape}, identities, table, permission)
    try:
        changes = reading.changes(PARTITION.topic, value, headers, None, Recency(1_000))
    except InvalidRecord as invalid:
        return "invalid", [], (invalid.reason, REASONS[invalid.reason].value, invalid.detail)
    made = [
        (
            one.audience.destination,
            one.action,
            tuple(
                target if digest else None
                for target, digest in zip(identities.targets, one.digests, strict=True)
            ),
        )
        for one in changes
    ]
    return "accepted" if made else "filtered", made, None


def agreed(
    shape: Format,
    value: bytes | None,
    headers: Headers = (),
    permission: Permission | None = None,
) -> Explanation:
    explainer = Explainer(MAPPINGS, RoutingTable(ROUTES, ADVERTISERS), permission)
    explanation = explainer.explain(shape, value, headers)
    assert said(explanation) == piped(shape, value, headers, permission)
    return explanation


@each
def test_the_published_examples_are_explained_as_the_pipeline_takes_them(sample: Sample) -> None:
    for tree in sample.trees:
        explanation = agreed(sample.shape, orjson.dumps(tree), sample.headers)
        assert explanation.members
        assert all(member.segment for member in explanation.members)
    whole = explain(sample.shape, sample.trees[0], sample.headers)
    assert whole.outcome == "accepted"


@each
@many
@given(data=st.data())
def test_whatever_is_wrong_with_them_both_agree_and_no_value_is_told(
    sample: Sample, data: Any
) -> None:
    value = data.draw(st.binary() | broken(*sample.trees))
    explanation = agreed(sample.shape, value, sample.headers)

    shown = str(dataclasses.asdict(explanation))
    assert not [one for one in SECRETS if one in shown]


def test_both_agree_on_what_a_customer_data_platform_would_send() -> None:
    for one in generate(Traffic(events=1_000, profiles=200, segments=3, seed=5)):
        agreed(native.FORMAT, one.value)


# The rules about people


def suppressed(*entries: SuppressionEntry) -> SuppressionList:
    found = SuppressionList(b"salt")
    identities = IdentityMap(MAPPINGS)
    for entry in entries:
        found.apply(entry, identities.rows(entry.identities))
    return found


CONSENT = Consent(PURPOSES)
NAMED = suppressed(*(SuppressionEntry(one, Status.ERASED, {}) for one in ("p-1", "u", "12345")))
IDENTIFIED = suppressed(
    SuppressionEntry("other", Status.SUPPRESSED, {"email": "jane@example.com"}),
    SuppressionEntry("another", Status.SUPPRESSED, {"email": test_adobe_xdm.EMAIL}),
)
PERMISSIONS = {
    "consent": Permission(CONSENT, None),
    "profiles": Permission(None, NAMED),
    "identifiers": Permission(None, IDENTIFIED),
    "consent and identifiers": Permission(CONSENT, IDENTIFIED),
}
every_rule = pytest.mark.parametrize("permission", PERMISSIONS.values(), ids=PERMISSIONS)
every_sample = pytest.mark.parametrize("sample", CONSENTING.values(), ids=CONSENTING)


@every_rule
@every_sample
def test_what_the_rules_make_of_a_record_is_the_same_to_all(
    sample: ConsentSample, permission: Permission
) -> None:
    for consent in (GIVEN, *NOT_GIVEN):
        value = sample.value(consent)
        explanation = agreed(sample.shape, value, sample.headers, permission)
        again = read_again(sample.shape, value, sample.headers, permission)
        assert said(explanation) == again
        if permission.consent is not None and consent is not GIVEN:
            assert explanation.members
            assert all(member.action is Action.DELETE for member in explanation.members)


@every_sample
@few
@given(data=st.data())
def test_it_is_the_same_to_all_whatever_is_wrong_with_the_record(
    sample: ConsentSample, data: Any
) -> None:
    permission = data.draw(st.sampled_from(list(PERMISSIONS.values())))
    value = data.draw(broken(sample.entry(GIVEN), sample.entry({**GIVEN, "sharing": False})))
    explanation = agreed(sample.shape, value, sample.headers, permission)

    assert said(explanation) == read_again(sample.shape, value, sample.headers, permission)
    shown = str(dataclasses.asdict(explanation))
    assert not [one for one in SECRETS if one in shown]


def ruled(permission: Permission | None, **changes: Any) -> Member:
    explainer = Explainer(MAPPINGS, RoutingTable(ROUTES, ADVERTISERS), permission)
    value = orjson.dumps(test_native.event(**changes))
    [member] = explainer.explain(native.WITH_CONSENT, value).members
    return member


def test_a_consent_that_was_given_is_told() -> None:
    member = ruled(Permission(CONSENT, None), consent=GIVEN)

    assert member.ruling == Ruling(has_consented=True)
    assert (member.said, member.action) == (Action.ADD, Action.ADD)


def test_a_consent_that_was_not_given_is_told() -> None:
    member = ruled(Permission(CONSENT, NAMED))

    assert member.ruling == Ruling(has_consented=False)
    assert (member.said, member.action) == (Action.ADD, Action.DELETE)


def test_a_suppressed_profile_is_told() -> None:
    member = ruled(Permission(CONSENT, NAMED), consent=GIVEN)

    assert member.ruling == Ruling(has_consented=True, profile_is_suppressed=True)
    assert (member.said, member.action) == (Action.ADD, Action.DELETE)


def test_suppressed_identifiers_are_told_by_their_targets() -> None:
    identities = {"email": "jane@example.com", "phone": "+12133734253"}
    member = ruled(Permission(None, IDENTIFIED), identities=identities)

    assert member.ruling == Ruling(None, profile_is_suppressed=False, suppressed=(EMAIL,))
    assert member.routes[0].rows == ((None, PHONE, None),)
    assert member.routes[1].filtered == "it has no identity that the route takes"


def test_when_all_identifiers_are_suppressed_nothing_is_sent() -> None:
    member = ruled(Permission(None, IDENTIFIED))

    assert member.ruling == Ruling(None, profile_is_suppressed=False, suppressed=(EMAIL,))
    assert [one.filtered for one in member.routes] == ["all its identifiers are suppressed"] * 2


@pytest.mark.parametrize(
    "changes", [{"status": "exited"}, {"segment": "of nobody"}], ids=["an exit", "no route"]
)
def test_the_rules_say_nothing_of_what_adds_nobody(changes: dict[str, Any]) -> None:
    assert ruled(Permission(CONSENT, NAMED), **changes).ruling is None


def test_without_rules_nothing_is_said_of_them() -> None:
    assert ruled(None).ruling is None


# The steps


def test_a_membership_is_told_step_by_step() -> None:
    explanation = explain(native.FORMAT, WHOLE)
    [member] = explanation.members
    whole, restricted = member.routes

    assert (member.segment, member.action, member.problem) == ("high-value", Action.ADD, None)
    assert (whole.audience, whole.only) == (AudienceKey("emea", "71"), None)
    assert (whole.rows, whole.schema) == (((EMAIL, PHONE, IDFA),), (EMAIL, PHONE, IDFA))
    assert (restricted.only, restricted.schema) == ((EMAIL,), (EMAIL,))
    assert [one.target for one in explanation.profiles[member.profile]] == [EMAIL, PHONE, IDFA]
    assert (explanation.outcome, explanation.changes) == ("accepted", 2)


def test_rows_say_which_positions_are_filled() -> None:
    identities = {"email": ["a@b.de", None, "c@d.de"], "phone": "+12133734253"}
    explanation = explain(native.FORMAT, test_native.event(identities=identities))

    assert explanation.members[0].routes[0].rows == ((EMAIL, PHONE, None), (EMAIL, None, None))


@pytest.mark.parametrize(
    ("changes", "stage", "reason"),
    [
        ({"status": ...}, Stage.DECODE, "missing_field"),
        ({"status": "joined"}, Stage.DECODE, "unknown_status"),
        ({"segment": 7}, Stage.DECODE, "wrong_type"),
        ({"identities": {}}, Stage.IDENTITY, "no_identities"),
        ({"identities": {"email": "jane"}}, Stage.IDENTITY, "no_usable_identity"),
    ],
)
def test_what_is_invalid_would_become_a_letter(changes: Any, stage: Stage, reason: str) -> None:
    explanation = explain(native.FORMAT, test_native.event(**changes))

    assert explanation.refusal is not None
    assert (explanation.outcome, explanation.refusal[:2]) == ("invalid", (reason, stage))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"segment": "jane@example.com"}, "no route"),
        ({"identities": {"crm": "p-1"}}, "none of its namespaces is configured"),
    ],
)
def test_what_is_filtered_says_why(changes: Any, why: str) -> None:
    explanation = explain(native.FORMAT, test_native.event(**changes))

    assert (explanation.outcome, explanation.members[0].filtered) == ("filtered", why)


def test_a_route_that_takes_none_of_the_identities_says_so() -> None:
    identities = {"phone": "+12133734253"}
    explanation = explain(native.FORMAT, test_native.event(identities=identities))

    assert explanation.members[0].routes[1].filtered == "it has no identity that the route takes"
    assert explanation.changes == 1


def test_a_segment_that_no_route_names_is_not_named() -> None:
    explanation = explain(native.FORMAT, test_native.event(segment="jane@example.com"))

    assert (explanation.members[0].segment, explanation.members[0].segment_length) == (None, 16)


def test_a_tombstone_is_filtered() -> None:
    explanation = EXPLAINER.explain(native.FORMAT, None)

    assert (explanation.outcome, explanation.filtered) == ("filtered", "a record without a value")


def test_what_the_client_cannot_parse_is_invalid() -> None:
    assert UNREADABLE.outcome == "invalid"


def test_an_audience_that_the_event_names_is_not_told() -> None:
    explanation = explain(segment.FORMAT, named())
    route = explanation.members[0].routes[0]

    assert route.audience == AudienceKey("apac", FROM_EVENT)
    assert len(route.rows) == 1
    assert "12345" not in str(dataclasses.asdict(explanation))


@pytest.mark.parametrize(
    ("personas", "filtered", "reason"),
    [
        ({"audience_settings": {"advertiserId": "456"}}, True, None),
        ({"external_audience_id": None}, False, "no_audience"),
        ({"external_audience_id": "jane@example.com"}, False, "no_audience"),
    ],
)
def test_an_audience_that_the_event_does_not_name_is_told(
    personas: Any, reason: str | None, *, filtered: bool
) -> None:
    route = agreed(segment.FORMAT, orjson.dumps(named(**personas))).members[0].routes[0]

    assert (route.filtered is not None) is filtered
    assert (route.refusal and route.refusal.reason) == reason


def test_an_audience_that_another_segment_feeds_is_a_conflict() -> None:
    external = [{"type": f"TIKTOK_AUDIENCE-{number}"} for number in (7, 71)]
    table = RoutingTable([Route("71", AudienceKey("emea", FROM_EVENT)), ROUTES[0]], ADVERTISERS)
    tree = test_rudderstack.RECORD | {"context": {"externalId": external}}
    explanation = Explainer(MAPPINGS, table).explain(rudderstack.FORMAT, orjson.dumps(tree))

    assert explanation.refusal is not None
    assert explanation.refusal.reason == "audience_conflict"


def test_what_a_message_says_twice_is_left_out_once() -> None:
    memberships = test_adobe_xdm.MESSAGE["segmentMembership"]["ups"]
    tree = test_adobe_xdm.MESSAGE | {
        "segmentMembership": {"ups": memberships, "again": memberships}
    }
    explanation = agreed(adobe_xdm.FORMAT, orjson.dumps(tree))

    assert explanation.repeats
    assert [member.filtered is None for member in explanation.members] == [True, True, False, False]


def test_an_envelope_is_told() -> None:
    structured = SAMPLES["cloudevents"]
    inside = explain(structured.shape, structured.trees[0], structured.headers).envelope
    around = explain(native.FORMAT, WHOLE, test_cloudevents.BINARY).envelope
    broken_one = explain(native.FORMAT, WHOLE, structured.headers)

    assert inside is not None
    assert around is not None
    assert (inside.mode, around.mode) == ("structured", "binary")
    assert inside.value_bytes == around.value_bytes == len(orjson.dumps(WHOLE))
    assert inside.has_time
    assert explain(native.FORMAT, WHOLE).envelope is None
    assert broken_one.envelope is not None
    assert broken_one.envelope.is_broken
    assert broken_one.outcome == "invalid"


def test_alike_memberships_share_what_is_said_of_their_identities() -> None:
    explanation = explain(adobe_xdm.FORMAT, test_adobe_xdm.MESSAGE)

    assert len(explanation.members) == 2
    assert len(explanation.profiles) == 1
