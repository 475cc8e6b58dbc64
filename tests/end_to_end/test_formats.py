"""Every format on a real broker: the same memberships end in equal audiences, and bad records in letters alone."""

import itertools
import json
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from connector.sandbox.model import Model, Route
from tests.end_to_end.deployment import (
    FIRST_AUDIENCE,
    IDENTITIES,
    Deployment,
    Emulator,
    free_port,
    until,
)
from tests.formats import writers
from tests.formats.writers import PARTITIONS, Change, Place, Write
from tests.kafka_broker import Cluster, Message

SEGMENTS = 3
TABLE = {
    "format": "debezium",
    "columns": {"profile_id": "user_id", "segment": "list", "email": "mail"}
    | {name: name for name in ("phone", "idfa", "gaid")},
}
MAPPING = {
    "profile_id": "user.id",
    "segment": "audiences",
    "status": {"path": "change.kind", "entered": ["joined", True], "exited": ["left", False]},
    "timestamp": "meta.time",
    "identities": {"email": "user.email", "phone": "user.phones[].number"}
    | {name: f"user.devices.{name}" for name in ("idfa", "gaid")},
}


class Feed(NamedTuple):
    """One topic: how it is read, and what is written to it.

    Attributes:
        segment: from a number to what the format calls a segment; its audience without one.
        alias: what a route calls it instead.
    """

    shape: dict[str, Any]
    write: Write
    segment: str | None = "{feed}-{number}"
    alias: str | None = None
    from_event: bool = False


FEEDS = {
    "native": Feed({}, writers.native),
    "segment": Feed({"format": "segment"}, writers.segment, from_event=True),
    "adobe": Feed(
        {"format": "adobe_xdm"}, writers.adobe_xdm, "7841ba61-23c1-4bb3-a495-{number:012d}"
    ),
    "mparticle": Feed(
        {"format": "mparticle"}, writers.mparticle, "45{number}", "audience 45{number}"
    ),
    "rudderstack-records": Feed(
        {"format": "rudderstack"}, writers.rudderstack_records, None, from_event=True
    ),
    "rudderstack-lists": Feed({"format": "rudderstack"}, writers.rudderstack_lists, None),
    "debezium": Feed(TABLE, writers.debezium),
    "debezium-wrapped": Feed(TABLE, writers.debezium_wrapped),
    "custom": Feed({"format": "custom", "mapping": MAPPING}, writers.custom),
    "binary": Feed({}, writers.in_binary(writers.native)),
    "structured": Feed({}, writers.in_structured(writers.native)),
    "adobe-structured": Feed({"format": "adobe_xdm"}, writers.in_structured(writers.adobe_xdm)),
}


def places_of(name: str) -> list[Place]:
    """The segments of a feed as it names them, each with an audience that no other has."""
    first = FIRST_AUDIENCE + SEGMENTS * list(FEEDS).index(name)
    pattern = FEEDS[name].segment
    return [
        Place(
            str(first + number) if pattern is None else pattern.format(feed=name, number=number),
            str(first + number),
        )
        for number in range(SEGMENTS)
    ]


def routes_of(name: str) -> Iterator[dict[str, str]]:
    feed = FEEDS[name]
    for number, place in enumerate(places_of(name)):
        # The last one by its other name.
        by_alias = feed.alias is not None and number == SEGMENTS - 1
        yield {
            "segment": str(feed.alias).format(number=number) if by_alias else place.segment,
            "destination": "emea",
            "audience_id": "from_event" if feed.from_event else place.audience,
        }


class World:
    """A deployment with a topic for each feed; what is written goes to the model too."""

    def __init__(
        self, broker: Cluster, emulator: Emulator, deploy: Callable[..., Deployment], **more: Any
    ) -> None:
        self.broker = broker
        self.topics = {name: broker.create_topic(partitions=PARTITIONS) for name in FEEDS}
        self.deployment = deploy(
            emulator,
            [],
            kafka__topics=[
                {"name": self.topics[name], **feed.shape} for name, feed in FEEDS.items()
            ],
            kafka__session_timeout_seconds=3,
            routes=[route for name in FEEDS for route in routes_of(name)],
            **more,
        )
        self.model = self.deployment.model = Model(
            [Route(one.segment, one.audience) for name in FEEDS for one in places_of(name)],
            IDENTITIES,
        )

    def apply(self, name: str, changes: Iterator[Change] | Sequence[Change]) -> None:
        """What these changes of a feed mean for its audiences."""
        places = places_of(name)
        for change in changes:
            self.model.apply(0, 0, writers.as_native(change, places[change.segment]))

    def is_all_committed(self) -> bool:
        group = self.deployment.group
        for topic in self.topics.values():
            ends = {number: end for number, end in self.broker.end_offsets(topic).items() if end}
            if not ends.items() <= self.broker.committed(group, topic).items():
                return False
        return True


def test_one_history_in_every_format_ends_in_equal_audiences_across_a_kill_and_a_rebalance(
    broker: Cluster, make_emulator: Callable[..., Emulator], deploy: Callable[..., Deployment]
) -> None:
    emulator = make_emulator(SEGMENTS * len(FEEDS))
    world = World(broker, emulator, deploy)
    deployment = world.deployment
    steps = writers.history(people=300, segments=SEGMENTS, steps=2_500, seed=8)
    for name in FEEDS:
        world.apply(name, itertools.chain.from_iterable(steps))
    written = {name: list(feed.write(steps, places_of(name))) for name, feed in FEEDS.items()}

    def feed(part: int) -> None:
        for name, messages in written.items():
            size = -(-len(messages) // 4)
            broker.produce(world.topics[name], messages[part * size : (part + 1) * size])

    feed(0)
    first = deployment.run()
    until(lambda: deployment.total("changes_total", outcome="delivered") > 0, 30, "a delivery")
    first.end(signal.SIGKILL)
    feed(1)
    first = deployment.run()
    until(lambda: deployment.total("changes_total", outcome="delivered") > 0, 30, "a delivery")
    second = deployment.run(environ={"CONNECTOR_ADMIN__PORT": str(free_port())})
    until(lambda: deployment.total("consumer_assigned_partitions") == len(FEEDS), 40, "a rebalance")
    feed(2)
    assert second.end() == 0
    feed(3)
    repeats = deployment.total("records_total", topic=world.topics["adobe"], outcome="filtered")
    assert repeats > 0
    until(
        lambda: deployment.total("consumer_assigned_partitions") == PARTITIONS * len(FEEDS),
        40,
        "a rebalance",
    )
    assert first.end() == 0
    assert deployment.run("--until-end").wait(60) == 0

    assert all(
        sum(map(len, world.model.audiences[place.audience].values())) > 100
        for name in FEEDS
        for place in places_of(name)
    )
    assert world.is_all_committed()
    deployment.verdict(emulator)


def enters(person: int, segment: int) -> Change:
    return Change(person, segment, entered=True, version=0, at=1_795_000_000)


def written(name: str, changes: Sequence[Change]) -> Message:
    """The message in which a feed tells these."""
    *_, last = FEEDS[name].write([tuple(changes)], places_of(name))
    return last._replace(partition=0)


def within_data(changes: dict[str, Any]) -> dict[str, Any]:
    return {f"data.{path}": value for path, value in changes.items()}


def broken(message: Message, changes: dict[str, Any]) -> Message:
    tree = json.loads(message.value or b"")
    for path, value in changes.items():
        *parents, last = path.split(".")
        node = tree
        for parent in parents:
            node = node[int(parent)] if isinstance(node, list) else node[parent]
        if value is ...:
            del node[last]
        else:
            node[int(last) if isinstance(node, list) else last] = value
    return message._replace(value=json.dumps(tree).encode())


class Bad(NamedTuple):
    """A record that is refused: what to change in a right one, by path; `...` takes away."""

    reason: str
    changes: dict[str, Any]


class Part(NamedTuple):
    """A message of which a part is wrong: its changes, what is changed in it, and which of them still count."""

    reason: str
    changes: list[Change]
    wrong: dict[str, Any]
    left: list[int]


EVERYWHERE = [
    ("malformed_json", b'{"type": "tra'),
    ("malformed_json", b""),
    ("not_an_object", b"[]"),
]
NATIVE = [
    Bad("missing_field", {"profile_id": ...}),
    Bad("wrong_type", {"segment": 7}),
    Bad("unknown_status", {"status": "joined"}),
    Bad("no_identities", {"identities": {}}),
    Bad("no_usable_identity", {"identities": {"email": "nobody"}}),
]
ADOBE = [
    Bad("missing_field", {"segmentMembership": ...}),
    Bad("wrong_type", {"identityMap": 7}),
    Bad("unknown_status", {"segmentMembership.ups": {"any": {"status": "lapsed"}}}),
    Bad("no_identities", {"identityMap": {}}),
    Bad("no_usable_identity", {"identityMap": {"Email": [{"id": "nobody"}]}}),
]
ROWS = [
    Bad("missing_field", {"after": ...}),
    Bad("wrong_type", {"after": []}),
    Bad("unknown_status", {"op": "x"}),
    Bad("no_identities", {f"after.{column}": None for column in ("mail", "phone", "idfa", "gaid")}),
    Bad("no_usable_identity", {"after.mail": "nobody", "after.phone": 7, "after.gaid": None}),
]
NOBODY = {"context.traits": {"email": "nobody"}, "context.device": ...}
FIRST_LIST, FIRST_PROFILE = "properties.listData.add.0", "user_profiles.0"
BAD: dict[str, list[Bad]] = {
    "native": NATIVE,
    "segment": [
        Bad("missing_field", {"type": ...}),
        Bad("wrong_type", {"context": 7}),
        Bad("unknown_status", {"properties.segment-0": "perhaps"}),
        Bad("no_identities", {"context.traits": ..., "context.device": ...}),
        Bad("no_usable_identity", NOBODY),
        Bad("no_audience", {"context.personas.external_audience_id": ...}),
        Bad("no_audience", {"context.personas.external_audience_id": "vip"}),
        Bad(
            "audience_conflict",
            {"context.personas.external_audience_id": places_of("native")[0].audience},
        ),
    ],
    "adobe": ADOBE,
    "mparticle": [
        Bad("missing_field", {"type": ...}),
        Bad("wrong_type", {"user_profiles": 7}),
        Bad("unknown_status", {f"{FIRST_PROFILE}.audiences.0.action": "join"}),
        Bad(
            "no_identities",
            {f"{FIRST_PROFILE}.{kind}_identities": [] for kind in ("user", "device")},
        ),
        Bad(
            "no_usable_identity",
            {
                f"{FIRST_PROFILE}.user_identities": [{"type": "email", "value": "nobody"}],
                f"{FIRST_PROFILE}.device_identities": [],
            },
        ),
    ],
    "rudderstack-records": [
        Bad("missing_field", {"action": ...}),
        Bad("wrong_type", {"identifiers": 7}),
        Bad("unknown_status", {"action": "upsert"}),
        Bad("no_identities", {"identifiers": {}}),
        Bad("no_usable_identity", {"identifiers": {"EMAIL_SHA256": "nobody"}}),
    ],
    "rudderstack-lists": [
        Bad("missing_field", {"context.externalId": ...}),
        Bad("wrong_type", {FIRST_LIST: "person"}),
        Bad("unknown_status", {"properties.listData": {"drop": []}}),
        Bad("no_identities", {FIRST_LIST: {}}),
        Bad("no_usable_identity", {FIRST_LIST: {"EMAIL_SHA256": "nobody"}}),
    ],
    "debezium": ROWS,
    "debezium-wrapped": [
        Bad(reason, {f"payload.{path}": value for path, value in changes.items()})
        for reason, changes in ROWS
    ],
    "custom": [
        Bad("missing_field", {"user.id": ...}),
        Bad("wrong_type", {"audiences": {}}),
        Bad("unknown_status", {"change.kind": 1}),
        Bad("no_identities", {"user.email": ..., "user.phones": [], "user.devices": {}}),
        Bad("no_usable_identity", {"user.email": "nobody", "user.phones": [], "user.devices": {}}),
    ],
    "binary": NATIVE,
    "structured": [
        Bad("missing_field", {"specversion": ...}),
        Bad("missing_field", {"data": ...}),
        Bad("wrong_type", {"specversion": "0.3"}),
        Bad("wrong_type", {"data": ..., "data_base64": "no Base64"}),
        Bad("not_an_object", {"data": "text"}),
        *(Bad(one.reason, within_data(one.changes)) for one in NATIVE),
    ],
    "adobe-structured": [Bad(one.reason, within_data(one.changes)) for one in ADOBE],
}
PARTS: dict[str, list[Part]] = {
    "adobe": [
        Part(
            "unknown_status",
            [enters(6, 0), enters(6, 1)],
            {f"segmentMembership.ups.{places_of('adobe')[1].segment}.status": "lapsed"},
            [0],
        ),
    ],
    "mparticle": [
        Part(
            "unknown_status",
            [enters(6, 0), enters(8, 0), enters(8, 1)],
            {"user_profiles.1.audiences.0.action": "join"},
            [0, 2],
        ),
        Part(
            "no_identities",
            [enters(12, 0), enters(14, 0)],
            {f"user_profiles.1.{kind}_identities": [] for kind in ("user", "device")},
            [0],
        ),
    ],
    "rudderstack-lists": [
        Part("wrong_type", [enters(6, 0), enters(8, 0)], {"properties.listData.add.1": 7}, [0]),
        Part("unknown_status", [enters(12, 0)], {"properties.listData.drop": [{}]}, [0]),
    ],
    "custom": [
        Part("wrong_type", [enters(6, 0), enters(6, 1)], {"audiences.0": {}}, [1]),
    ],
}


def test_each_bad_record_of_each_format_is_one_letter_and_the_right_part_of_others_is_delivered(
    broker: Cluster, make_emulator: Callable[..., Emulator], deploy: Callable[..., Deployment]
) -> None:
    emulator = make_emulator(SEGMENTS * len(FEEDS))
    world = World(broker, emulator, deploy)
    expected: dict[tuple[str, int], str] = {}
    errors: Counter[tuple[str, str]] = Counter()
    for name, topic in world.topics.items():
        messages: list[Message] = []
        for number, (reason, message) in enumerate(bad_records(name)):
            person = 100 + 2 * number  # somebody else before each
            world.apply(name, [enters(person, 0)])
            messages += [written(name, [enters(person, 0)]), message]
            expected[topic, len(messages) - 1] = reason
            errors[topic, reason] += 1
        for part in PARTS.get(name, []):
            world.apply(name, [part.changes[index] for index in part.left])
            messages.append(broken(written(name, part.changes), part.wrong))
            errors[topic, part.reason] += 1
        broker.produce(topic, messages)
    connector = world.deployment.run()
    until(world.is_all_committed, 60, "all offsets to be committed")

    letters = world.deployment.letters()
    sources = [(one["source"]["topic"], one["source"]["offset"]) for one in letters]
    assert dict(zip(sources, (one["reason"] for one in letters), strict=True)) == expected
    assert len(letters) == len(expected)
    counted = {
        (labels["topic"], labels["reason"]): value
        for (metric, found), value in world.deployment.metrics().items()
        if metric == "record_errors_total" and value and (labels := dict(found))
    }
    assert counted == errors
    assert connector.end() == 0
    differing = world.deployment.differing(emulator)
    assert not differing, f"missing, extra: {differing}"


def bad_records(name: str) -> Iterator[tuple[str, Message]]:
    right = written(name, [enters(6, 0)])
    for reason, value in EVERYWHERE:
        yield reason, right._replace(value=value)
    yield "too_complex", broken(right, {"more": [[]] * 20_001})
    for reason, changes in BAD[name]:
        yield reason, broken(right, changes)
