"""Each workload is what its name says; of a clean one, the plain programs make what the model does."""

from collections import Counter, defaultdict
from itertools import pairwise

import orjson
import pytest

from connector.core.model import Action
from connector.formats import native
from connector.sandbox.model import Counts, Model, Route
from tests.benchmarks.mapping import FIRST_AUDIENCE, change_of
from tests.benchmarks.workloads import MANY_AUDIENCES, PARTITIONS, WORKLOADS, Workload

_EVENTS = 8_000
_TARGETS = ("EMAIL_SHA256", "PHONE_SHA256", "IDFA_SHA256")
_CLEAN = sorted(WORKLOADS.keys() - {"realistic"})


def model_of(workload: Workload, count: int) -> Model:
    """What the events imply."""
    routes = [Route(one, str(FIRST_AUDIENCE + n)) for n, one in enumerate(workload.segments)]
    model = Model(routes, workload.identities)
    for number, event in enumerate(workload.events(count)):
        model.apply(event.partition, number, event.value)
    return model


def segments_of(name: str) -> Counter[str]:
    return Counter(
        native.decode(event.value or b"")[0].segment for event in WORKLOADS[name].events(_EVENTS)
    )


@pytest.mark.parametrize("name", WORKLOADS)
def test_a_workload_is_the_same_each_time(name: str) -> None:
    events = list(WORKLOADS[name].events(500))

    assert events == list(WORKLOADS[name].events(500))
    assert len(events) == 500


@pytest.mark.parametrize("name", WORKLOADS)
def test_a_profile_stays_in_its_partition(name: str) -> None:
    places = {(event.key, event.partition) for event in WORKLOADS[name].events(_EVENTS)}

    assert len(places) == len({key for key, _ in places})
    assert {partition for _, partition in places} == set(range(PARTITIONS))


@pytest.mark.parametrize("name", _CLEAN)
def test_the_plain_programs_map_as_the_model_does(name: str) -> None:
    audiences: dict[str, defaultdict[str, set[str | None]]] = {
        str(FIRST_AUDIENCE + number): defaultdict(set)
        for number in range(len(WORKLOADS[name].segments))
    }
    for event in WORKLOADS[name].events(2_000):
        change = change_of(event.value)
        assert change is not None
        members = audiences[str(FIRST_AUDIENCE + change.audience)]
        for target, digest in zip(_TARGETS, change.row, strict=True):
            apply = members[target].add if change.action == "add" else members[target].discard
            apply(digest)

    model = model_of(WORKLOADS[name], 2_000)
    assert model.counts == Counts(accepted=2_000)
    assert {audience: dict(members) for audience, members in audiences.items()} == model.audiences


@pytest.mark.parametrize("name", [name for name in _CLEAN if WORKLOADS[name].is_once])
def test_each_profile_comes_once_where_every_record_has_to_become_a_row(name: str) -> None:
    keys = [event.key for event in WORKLOADS[name].events(_EVENTS)]

    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("value", [None, b"", b"{", b"[]", b'{"identities":{}}'])
def test_the_plain_programs_pass_over_what_is_no_event(value: bytes | None) -> None:
    assert change_of(value) is None


def test_the_main_workload_spreads_entries_and_exits_over_its_audiences() -> None:
    events = [native.decode(event.value or b"")[0] for event in WORKLOADS["plain"].events(_EVENTS)]

    found = Counter((event.segment, event.action) for event in events)

    assert {count for (_, action), count in found.items() if action is Action.ADD} == {360}
    assert {count for (_, action), count in found.items() if action is Action.DELETE} == {40}
    assert len(found) == 40


def test_the_many_audiences_are_many() -> None:
    assert len(segments_of("audiences")) == MANY_AUDIENCES


def test_the_hot_audience_has_nine_in_ten() -> None:
    assert 0.88 < segments_of("hot")["segment-0"] / _EVENTS < 0.92


def test_three_in_ten_are_taken_back_within_a_second_of_five_thousand() -> None:
    count = 20_000
    last: dict[bytes, tuple[int, str]] = {}
    distances = []
    for number, event in enumerate(WORKLOADS["churn"].events(count)):
        status = orjson.loads(event.value or b"")["status"]
        if event.key in last:
            before, opposite = last[event.key]
            assert status != opposite
            distances.append(number - before)
        last[event.key] = number, status

    assert 0.28 < len(distances) / count < 0.32
    assert max(distances) < 5_500


def test_the_realistic_one_has_bad_records_and_hot_profiles() -> None:
    counts = model_of(WORKLOADS["realistic"], _EVENTS).counts
    keys = Counter(event.key for event in WORKLOADS["realistic"].events(_EVENTS))
    ordered = sorted(keys.values(), reverse=True)

    assert 0.005 < counts.invalid / counts.total < 0.05
    assert counts.accepted > 0.8 * counts.total
    assert all(more >= fewer for more, fewer in pairwise(ordered))
    assert ordered[0] > 20 * ordered[len(ordered) // 2]
