import json
from collections import Counter, defaultdict
from itertools import islice
from typing import Any

import pytest

from connector.sandbox.digests import digest_of
from connector.sandbox.generator import (
    Event,
    EventShares,
    Traffic,
    ValueShares,
    generate,
    segment_names,
)
from connector.sandbox.people import REGION, person

_TARGETS = {
    "email": "EMAIL_SHA256",
    "crm_email": "EMAIL_SHA256",
    "phone": "PHONE_SHA256",
    "idfa": "IDFA_SHA256",
    "gaid": "AAID_SHA256",
}


@pytest.fixture(scope="module")
def events() -> list[Event]:
    return list(generate(Traffic(events=20_000, profiles=4_000)))


def _readable(events: list[Event]) -> list[dict[str, Any]]:
    found = []
    for event in events:
        try:
            value = json.loads((event.value or b"").decode())
        except ValueError:
            continue
        if isinstance(value, dict) and isinstance(value.get("identities"), dict):
            found.append(value)
    return found


def _values(events: list[Event]) -> list[tuple[str, object]]:
    return [
        (namespace.lower(), one)
        for event in _readable(events)
        for namespace, given in event["identities"].items()
        for one in (given if isinstance(given, list) else [given])
        if namespace.lower() in _TARGETS
    ]


def _is_usable(namespace: str, value: object) -> bool:
    return (
        isinstance(value, str) and digest_of(value, _TARGETS[namespace], region=REGION) is not None
    )


def test_the_same_parameters_give_the_same_events() -> None:
    traffic = Traffic(events=3_000, profiles=500, seed=7)
    assert list(generate(traffic)) == list(generate(traffic))


def test_another_seed_gives_other_events() -> None:
    one, other = (list(generate(Traffic(events=100, seed=seed))) for seed in (1, 2))
    assert one != other


def test_as_many_events_as_asked_for_and_none_made_ahead() -> None:
    assert len(list(generate(Traffic(events=10_001, profiles=10)))) == 10_001
    assert len(list(islice(generate(Traffic(events=10**9)), 5))) == 5


def test_a_profile_stays_in_its_partition_and_all_partitions_are_used(events: list[Event]) -> None:
    partitions = defaultdict(set)
    for event in events:
        partitions[event.key].add(event.partition)
    assert all(len(found) == 1 for found in partitions.values())
    assert {event.partition for event in events} == {0, 1, 2, 3}


def test_the_key_is_the_profile_of_the_value(events: list[Event]) -> None:
    for event in events:
        try:
            value = json.loads((event.value or b"").decode())
        except ValueError:
            continue
        if isinstance(value, dict) and isinstance(value.get("profile_id"), str):
            assert event.key.decode() == value["profile_id"]


def test_few_profiles_and_segments_have_most_of_the_events(events: list[Event]) -> None:
    keys = Counter(event.key for event in events)
    segments = Counter(event["segment"] for event in _readable(events) if "segment" in event)
    tenth = keys.most_common(len(keys) // 10)
    assert sum(count for _, count in tenth) > len(events) * 0.4
    assert segments["high-value"] > 5 * segments["high-value-2"] > 0


def test_people_enter_leave_and_enter_again(events: list[Event]) -> None:
    histories: defaultdict[tuple[Any, str], str] = defaultdict(str)
    for event in _readable(events):
        status = event.get("status")
        if status in ("entered", "exited"):
            histories[event.get("profile_id"), str(event.get("segment"))] += status[1]
    joined = " ".join(histories.values())
    assert "nxn" in joined, "entered, exited, entered"
    assert "nn" in joined, "entered twice"
    assert " x" in joined, "exited without having entered"


def test_the_shares_of_events_hold(events: list[Event]) -> None:
    assert sum(event.value is None for event in events) == pytest.approx(100, rel=0.4)
    strange = len(events) - len(_readable(events)) - sum(event.value is None for event in events)
    assert 60 < strange < 200, "one in a hundred, less those that are objects with identities"
    segments = [str(event.get("segment")) for event in _readable(events)]
    assert sum(one.startswith("not-routed") for one in segments) == pytest.approx(1000, rel=0.2)


def test_the_shares_of_values_hold(events: list[Event]) -> None:
    values = _values(events)
    given = [one for one in values if one[1] not in (None, "")]
    hashed = [one for _, one in given if isinstance(one, str) and len(one) == 64]
    assert len(hashed) / len(given) == pytest.approx(0.2, rel=0.15)
    assert any(one.isupper() for one in hashed)
    assert any(one.islower() for one in hashed)
    unusable = [one for one in given if not _is_usable(*one)]
    assert len(unusable) / len(given) == pytest.approx(0.03, rel=0.3)
    assert 0.02 < 1 - len(given) / len(values) < 0.06


def test_shares_can_be_all_or_nothing() -> None:
    plain = ValueShares(0, 0, 0, 0, 0, 0)
    clean = EventShares(0, 0, 0, 0, 0)
    for _, value in _values(list(generate(Traffic(500, 100, 5, 1, 4, clean, plain)))):
        assert isinstance(value, str)
        assert value == value.strip().lower()
        assert len(value) != 64
    nothing = Traffic(500, event_shares=EventShares(tombstones=1))
    assert all(event.value is None for event in generate(nothing))


def test_two_people_never_share_an_identifier() -> None:
    seen: dict[str, str] = {}
    for number in range(30_000):
        who = person(number, several=1.0)
        for values in who.values.values():
            for value in values:
                assert seen.setdefault(value.canonical, who.profile_id) == who.profile_id


def test_people_share_identifiers_when_asked_to() -> None:
    shared = ValueShares(0, 0, 0, 0, 0, 0, shared=0.5)
    owners = defaultdict(set)
    for event in _readable(list(generate(Traffic(2_000, 500, value_shares=shared)))):
        for value in event["identities"].values():
            owners[str(value)].add(event.get("profile_id"))
    assert any(len(found) > 1 for found in owners.values())


def test_every_way_of_writing_a_value_means_the_same() -> None:
    """Somebody's digests are those of the canonical values, however they are written."""
    dressed = ValueShares(dressed=0.6, hashed=0.4, broken=0, absent=0)
    known = {
        (f"p-{number}", digest_of(value.canonical, _TARGETS[namespace]))
        for number in range(300)
        for namespace, values in person(number, dressed.several).values.items()
        for value in values
    }
    events = list(generate(Traffic(5_000, 300, value_shares=dressed, event_shares=EventShares(0))))
    for event in _readable(events):
        for namespace, given in event["identities"].items():
            target = _TARGETS.get(namespace.lower())
            for value in given if isinstance(given, list) else [given]:
                if target is not None:
                    digest = digest_of(value, target, region=REGION)
                    assert (event["profile_id"], digest) in known


def test_segments_have_names_of_their_own() -> None:
    names = segment_names(40)
    assert len(set(names)) == 40
    assert segment_names(3) == names[:3]
