"""The second reading of records agrees with the pipeline's, whatever the record."""

from typing import Any

from connector.core.checkpoint import Checkpoint
from connector.core.identity import IdentityMap, IdentityMapping, Target
from connector.core.model import Chunk
from connector.core.routing import AudienceKey, Route, RoutingTable
from connector.errors import InvalidRecord
from connector.formats import native
from connector.pipeline import Pipeline
from connector.record_letters import RecordLetters
from connector.replay.reading import Reading
from connector.sandbox.generator import Traffic, generate, segment_names
from connector.telemetry.catalogue import Catalogue
from connector.telemetry.events import IntakeEvents
from tests import virtual_time
from tests.delivery.rig import Rig as DeliveryRig
from tests.fakes.kafka import FakeRecord
from tests.replay.rig import ADVERTISERS, PARTITION, TOPIC, event

IDENTITIES = IdentityMap(
    [
        IdentityMapping("email", Target.EMAIL_SHA256),
        IdentityMapping("phone", Target.PHONE_SHA256, default_region="US"),
    ]
)


def test_both_readings_make_the_same_of_every_record() -> None:
    async def test() -> None:
        rig = DeliveryRig(audiences=3)
        segments = segment_names(3)
        routes = [
            Route(segments[0], AudienceKey("emea", "1")),
            Route(segments[1], AudienceKey("emea", "2"), (True, False)),
            Route(segments[1], AudienceKey("emea", "3"), (False, True)),
        ]
        checkpoint = Checkpoint()
        checkpoint.assign([PARTITION])
        told = IntakeEvents(Catalogue(), lambda: 0.0, lambda: 0.0)
        pipeline = Pipeline(
            {TOPIC: native.FORMAT},
            IDENTITIES,
            RoutingTable(routes, ADVERTISERS),
            checkpoint,
            rig.backlog,
            RecordLetters(rig.dead_letters, told, lambda: 0.0),
            told,
        )
        reading = Reading({TOPIC: native.FORMAT}, IDENTITIES, RoutingTable(routes, ADVERTISERS))
        events = generate(Traffic(events=3_000, profiles=500, segments=3, seed=5))
        for offset, one in enumerate(events):
            before = len(rig.dead_letters)
            record = FakeRecord(offset, 0, None, one.value)
            pipeline.take(PARTITION, Chunk([record], offset + 1), 0.0)
            found = {
                (audience.key, row.action, slot, digest)
                for audience in rig.backlog
                for row in audience.lane.forget()
                for slot, digest in enumerate(row.digests)
                if digest is not None
            }
            is_invalid = len(rig.dead_letters) > before
            assert _read(reading, one.value) == (found, is_invalid)

    virtual_time.run(test())


def _read(reading: Reading, value: bytes | None) -> tuple[set[Any], bool]:
    try:
        changes = reading.changes(TOPIC, value)
    except InvalidRecord:
        return set(), True
    return {
        (change.audience, change.action, slot, digest)
        for change in changes
        for slot, digest in enumerate(change.digests)
        if digest is not None
    }, False


def test_audiences_that_do_not_matter_are_left_out() -> None:
    gold, other = AudienceKey("emea", "1"), AudienceKey("emea", "2")
    reading = Reading(
        {TOPIC: native.FORMAT},
        IDENTITIES,
        RoutingTable([Route("gold", gold), Route("gold", other)], ADVERTISERS),
    )

    assert [one.audience for one in reading.changes(TOPIC, event(1), (), {other})] == [other]
    assert reading.changes(TOPIC, event(1), (), set()) == []
    # Whether its identities are usable does not matter either, then.
    assert reading.changes(TOPIC, event(), (), set()) == []
