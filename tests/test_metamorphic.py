"""What must not matter does not: the same changes, written or cut in another way, end in the same audiences.

Each test lets the whole core run on virtual time, two lives or more, and compares what TikTok holds in the end. None
needs to know what is right, only what is the same.
"""

import asyncio
import json
from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from operator import itemgetter
from random import Random
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from connector.core.identity import Digests
from connector.core.model import Action
from connector.core.room import Limits
from tests import virtual_time
from tests.core.strategies import few
from tests.fakes.tiktok import Call
from tests.whole import Life, home

Form = Callable[[str], str]
"""A way to write an identifier."""


def plain(text: str) -> str:
    return text


def hashed(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def hashed_in_upper_case(text: str) -> str:
    return hashed(text).upper()


def with_spaces(text: str) -> str:
    return f" {text}\n"


FORMS: Sequence[Form] = (plain, hashed, hashed_in_upper_case, with_spaces)


class Change(NamedTuple):
    """A person enters or leaves a segment, with the identifiers of the person in these places."""

    person: int
    segment: str
    status: str
    emails: tuple[int, ...]
    phones: tuple[int, ...]

    def identities(self, write: Iterable[Form]) -> dict[str, list[str]]:
        forms = iter(write)
        return {
            "email": [next(forms)(f"user{self.person}.{one}@example.com") for one in self.emails],
            "phone": [next(forms)(f"+1213{self.person:03}{one:04}") for one in self.phones],
        }

    def event(self, identities: dict[str, list[str]]) -> bytes:
        value = {
            "profile_id": f"p-{self.person}",
            "segment": self.segment,
            "status": self.status,
            "identities": identities,
        }
        return json.dumps(value).encode()


class End(NamedTuple):
    """What a life came to: who is in each audience by slot, the calls, and how much was set aside."""

    members: dict[tuple[str, int], frozenset[bytes]]
    calls: list[Call]
    letters: int


places = st.lists(st.integers(0, 2), max_size=3, unique=True).map(tuple)
changes = st.builds(
    Change,
    st.integers(0, 3),
    st.sampled_from(["segment-1", "both"]),
    st.sampled_from(["entered", "entered", "exited"]),
    places,
    places,
).filter(lambda one: bool(one.emails or one.phones))
some_changes = st.lists(changes, min_size=1, max_size=8)
some_forms = st.lists(st.sampled_from(FORMS), min_size=6, max_size=6)


def written(change: Change, forms: Iterable[Form] = (plain,) * 6) -> tuple[int, bytes]:
    return change.person, change.event(change.identities(forms))


def end_of(
    events: Iterable[tuple[int, bytes]],
    max_rows: int = 1000,
    poll_records: int = 1000,
    linger: float = 1.0,
    apart: float = 0.0,
) -> End:
    """Let the events of these persons run through: all there at the start, or so many seconds apart."""
    found: list[End] = []

    async def life() -> None:
        one = Life(poll_records=poll_records, linger=linger)
        for audience in one.backlog:
            audience.lane.room.limits = Limits(max_rows, 1_000_000, linger)
        one.emea.seconds = 0.05 + 3 * apart
        async with one.flowing():
            for person, value in events:
                one.kafka.push(home(person), [value])
                if apart:
                    await asyncio.sleep(apart)
            await one.until_all_is_committed()
        members = {
            (audience, slot): frozenset(digests)
            for audience, slots in one.emea.members.items()
            for slot, digests in slots.items()
            if digests
        }
        found.append(End(members, one.emea.calls, len(one.letters.written)))

    virtual_time.run(life())
    assert found[0].letters == 0
    return found[0]


def sent(end: End) -> list[tuple[str, Action, list[Digests]]]:
    """The calls of each audience in their order, without their times; which audience comes first is open."""
    calls = [(call.audience_id, call.action, call.rows) for call in end.calls]
    return sorted(calls, key=itemgetter(0))


@few
@given(some_changes, some_forms)
def test_plain_and_hashed_values_make_the_same_calls(some: list[Change], forms: list[Form]) -> None:
    of_plain = end_of(map(written, some))

    assert sent(end_of(written(one, [hashed] * 6) for one in some)) == sent(of_plain)
    assert sent(end_of(written(one, forms) for one in some)) == sent(of_plain)


@few
@given(some_changes, st.randoms(use_true_random=False))
def test_the_order_of_identities_does_not_matter(some: list[Change], chance: Random) -> None:
    def shuffled(change: Change) -> tuple[int, bytes]:
        identities = change.identities([plain] * 6)
        for values in identities.values():
            chance.shuffle(values)
        names = [*identities]
        chance.shuffle(names)
        return change.person, change.event({name: identities[name] for name in names})

    assert end_of(map(shuffled, some)).members == end_of(map(written, some)).members


@few
@given(
    some_changes,
    st.integers(1, 4),
    st.integers(1, 4),
    st.sampled_from([0.0, 0.3, 5.0]),
    st.sampled_from([0.0, 0.4, 2.0]),
)
def test_how_records_and_rows_are_cut_and_when_they_come_does_not_matter(
    some: list[Change], max_rows: int, poll_records: int, linger: float, apart: float
) -> None:
    events = [*map(written, some)]
    cut = end_of(events, max_rows, poll_records, linger, apart)

    assert cut.members == end_of(events).members
    assert max((len(call.rows) for call in cut.calls), default=0) <= max_rows


@few
@given(some_changes, changes, some_forms, st.integers(1, 3))
def test_to_enter_and_leave_is_to_leave(
    some: list[Change], last: Change, forms: list[Form], poll_records: int
) -> None:
    before = [*map(written, some)]
    enters, leaves = last._replace(status="entered"), last._replace(status="exited")
    both = end_of([*before, written(enters, forms), written(leaves)], 1000, poll_records)

    assert both.members == end_of([*before, written(leaves)]).members


@few
@given(some_changes, some_changes)
def test_changes_of_different_persons_may_come_in_any_order(
    some: list[Change], others: list[Change]
) -> None:
    apart = [one._replace(person=one.person + 4) for one in others]
    first = end_of(map(written, [*some, *apart]))

    assert end_of(map(written, [*apart, *some])).members == first.members


@few
@given(some_changes)
def test_to_hear_everything_twice_is_to_hear_it_once(some: list[Change]) -> None:
    once = [*map(written, some)]

    assert end_of([*once, *once]).members == end_of(once).members


@few
@given(st.permutations(FORMS), changes)
def test_one_person_in_every_form_is_one_identifier_in_one_call(
    forms: list[Form], change: Change
) -> None:
    change = change._replace(segment="segment-1", status="entered")
    end = end_of(written(change, [form] * 6) for form in forms)
    [(audience, action, rows)] = sent(end)
    identifiers = [digest for row in rows for digest in row if digest is not None]

    assert (audience, action) == ("1", Action.ADD)
    assert len(identifiers) == len(set(identifiers)) == len(change.emails) + len(change.phones)


def test_the_forms_differ_and_the_digest_does_not() -> None:
    values = {form("jane@example.com") for form in FORMS}
    end = end_of(
        (0, Change(0, "segment-1", "entered", (1,), ()).event({"email": [one]})) for one in values
    )

    assert len(values) == len(FORMS)
    assert end.members == {("1", 0): {bytes.fromhex(hashed("jane@example.com"))}}
