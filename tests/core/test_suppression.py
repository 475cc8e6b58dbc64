"""The suppression list: who is on it, what an entry replaces, what is shared, and what a million of them takes."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from connector.core.identity import Digests, Target
from connector.core.suppression import Counts, Status, SuppressionEntry, SuppressionList
from tests.core.strategies import DIGESTS, some, users

SALT = b"a salt of the tests"
SLOTS = 3
EMAIL, PHONE, DEVICE = range(SLOTS)

JANE: list[Digests] = [[b"jane", b"+1", None]]
JOE: list[Digests] = [[b"joe", b"+1", None]]


def entry(profile_id: str, status: Status = Status.SUPPRESSED) -> SuppressionEntry:
    return SuppressionEntry(profile_id, status, {})


def listed(*entries: tuple[str, Status, Sequence[Digests]]) -> SuppressionList:
    suppressed = SuppressionList(SALT)
    for profile_id, status, rows in entries:
        suppressed.apply(entry(profile_id, status), rows)
    return suppressed


def test_an_empty_list_suppresses_nobody() -> None:
    suppressed = SuppressionList(SALT)
    row: Digests = [b"jane", b"+1", None]

    assert not suppressed
    assert not suppressed.has_profile("p-1")
    assert not suppressed.has_profile(None)
    assert suppressed.clear_row(row) == 0
    assert row == [b"jane", b"+1", None]
    assert suppressed.counts == Counts(0, 0, 0)


@pytest.mark.parametrize("status", [Status.SUPPRESSED, Status.ERASED])
def test_a_profile_and_each_identifier_of_its_rows_are_suppressed(status: Status) -> None:
    suppressed = listed(("p-1", status, [[b"jane", b"+1", None], [None, b"+2", None]]))

    assert suppressed
    assert len(suppressed) == 1
    assert suppressed.has_profile("p-1")
    assert not suppressed.has_profile("p-2")
    assert suppressed.has(EMAIL, b"jane")
    assert suppressed.has(PHONE, b"+1")
    assert suppressed.has(PHONE, b"+2")
    assert not suppressed.has(EMAIL, b"joe")


def test_an_identifier_is_a_type_and_a_digest() -> None:
    suppressed = listed(("p-1", Status.SUPPRESSED, JANE))

    assert not suppressed.has(PHONE, b"jane")
    assert not suppressed.has_profile("jane")
    assert not suppressed.has(EMAIL, b"p-1")
    assert not suppressed.has(len(Target) - 1, b"jane")


def test_a_row_is_cleared_of_what_is_listed_in_place() -> None:
    suppressed = listed(("p-1", Status.SUPPRESSED, JANE))
    row: Digests = [b"jane", b"+2", None]
    both: Digests = [b"jane", b"+1", b"device"]

    assert suppressed.clear_row(row) == 1
    assert row == [None, b"+2", None]
    assert suppressed.clear_row(both) == 2
    assert both == [None, None, b"device"]
    assert suppressed.clear_row(both) == 0


def test_the_newest_entry_replaces_the_profiles_earlier_one() -> None:
    suppressed = listed(
        ("p-1", Status.SUPPRESSED, JANE),
        ("p-1", Status.ERASED, [[b"jane@new", None, b"device"]]),
    )

    assert len(suppressed) == 1
    assert not suppressed.has(EMAIL, b"jane")
    assert not suppressed.has(PHONE, b"+1")
    assert suppressed.has(EMAIL, b"jane@new")
    assert suppressed.has(DEVICE, b"device")
    assert suppressed.counts == Counts(suppressed=0, erased=1, without_identities=0)


@pytest.mark.parametrize(
    "last", [("p-1", Status.RELEASED, []), ("p-1", Status.SUPPRESSED, [])], ids=str
)
def test_an_identifier_that_another_profile_names_stays_suppressed(
    last: tuple[str, Status, Sequence[Digests]],
) -> None:
    suppressed = listed(("p-1", Status.SUPPRESSED, JANE), ("p-2", Status.SUPPRESSED, JOE), last)

    assert not suppressed.has(EMAIL, b"jane")
    assert suppressed.has(PHONE, b"+1")

    suppressed.apply(entry("p-2", Status.RELEASED), JOE)

    assert not suppressed.has(PHONE, b"+1")


def test_a_release_needs_no_identities_and_gives_none_of_others_free() -> None:
    suppressed = listed(("p-1", Status.ERASED, JANE), ("p-2", Status.ERASED, JOE))
    suppressed.apply(entry("p-1", Status.RELEASED), [[b"joe", None, None]])

    assert not suppressed.has_profile("p-1")
    assert not suppressed.has(EMAIL, b"jane")
    assert suppressed.has(EMAIL, b"joe")
    assert len(suppressed) == 1


def test_a_release_of_a_profile_that_is_not_listed_changes_nothing() -> None:
    suppressed = listed(("p-1", Status.ERASED, JANE), ("p-2", Status.RELEASED, JANE))

    assert suppressed.has(EMAIL, b"jane")
    assert not suppressed.has_profile("p-2")
    assert suppressed.counts == Counts(suppressed=0, erased=1, without_identities=0)


def test_an_entry_without_identities_blocks_its_profile_and_is_counted() -> None:
    suppressed = listed(("p-1", Status.SUPPRESSED, []), ("p-2", Status.ERASED, JANE))

    assert suppressed.has_profile("p-1")
    assert suppressed.counts == Counts(suppressed=1, erased=1, without_identities=1)

    suppressed.apply(entry("p-1"), JOE)

    assert suppressed.counts.without_identities == 0

    suppressed.apply(entry("p-1"), [])
    suppressed.apply(entry("p-1", Status.RELEASED), [])

    assert suppressed.counts == Counts(suppressed=0, erased=1, without_identities=0)


def test_an_identifier_that_an_entry_names_twice_is_let_go_with_it() -> None:
    suppressed = listed(
        ("p-1", Status.SUPPRESSED, [[b"jane", b"+1", None], [b"jane", b"+2", None]])
    )
    suppressed.apply(entry("p-1", Status.RELEASED), [])

    assert not suppressed.has(EMAIL, b"jane")


def test_an_identifier_may_be_named_by_any_number_of_profiles() -> None:
    suppressed = SuppressionList(SALT)
    for number in range(600):
        suppressed.apply(entry(f"p-{number}"), [[b"everybody's", None, None]])
    for number in range(599):
        suppressed.apply(entry(f"p-{number}", Status.RELEASED), [])

    assert suppressed.has(EMAIL, b"everybody's")

    suppressed.apply(entry("p-599", Status.RELEASED), [])

    assert not suppressed.has(EMAIL, b"everybody's")


def test_a_profile_may_have_any_number_of_identifiers() -> None:
    rows: list[Digests] = [[b"email-%d" % number, None, None] for number in range(20_000)]
    suppressed = listed(("p-1", Status.SUPPRESSED, rows), ("p-2", Status.SUPPRESSED, rows[:1]))

    assert all(suppressed.has(EMAIL, b"email-%d" % number) for number in range(20_000))

    suppressed.apply(entry("p-1", Status.RELEASED), [])

    assert [n for n in range(20_000) if suppressed.has(EMAIL, b"email-%d" % n)] == [0]


@pytest.mark.parametrize("profile_id", ["", "p\ud800", "\u00fc", "p" * 100_000])
def test_any_text_is_a_profile(profile_id: str) -> None:
    suppressed = listed((profile_id, Status.SUPPRESSED, []))

    assert suppressed.has_profile(profile_id)
    assert not suppressed.has_profile(profile_id + " ")


def test_what_is_kept_depends_on_the_salt_and_holds_no_value() -> None:
    one, other = SuppressionList(b"1" * 16), SuppressionList(b"2" * 16)
    for suppressed in (one, other):
        suppressed.apply(entry("p-secret"), [[b"secret" * 4, None, None]])
    kept, others = (
        b"".join((*suppressed._profiles._buckets, *suppressed._identifiers._buckets))
        for suppressed in (one, other)
    )

    assert b"secret" not in kept
    assert kept != others


profiles = st.sampled_from(["p-1", "p-2", "p-3"])
rows = st.lists(users(SLOTS), max_size=3)
statuses = st.sampled_from(Status)


@some
@given(st.lists(st.tuples(profiles, statuses, rows), max_size=12))
def test_the_same_entry_again_changes_nothing(
    entries: list[tuple[str, Status, list[Digests]]],
) -> None:
    once = listed(*entries)
    twice = listed(*(one for each in entries for one in (each, each)))

    assert once.counts == twice.counts
    for slot in range(SLOTS):
        for digest in DIGESTS:
            assert once.has(slot, digest) is twice.has(slot, digest)


@some
@given(st.lists(st.tuples(profiles, statuses, rows), max_size=12))
def test_reading_all_again_ends_the_same(entries: list[tuple[str, Status, list[Digests]]]) -> None:
    """As a follower does that lost its place: what is suppressed at the end is the same."""
    once, again = listed(*entries), listed(*entries, *entries)

    assert once.counts == again.counts
    assert [once.has_profile(f"p-{n}") for n in range(4)] == [
        again.has_profile(f"p-{n}") for n in range(4)
    ]


class AgainstADict(RuleBasedStateMachine):
    """The model: of each profile its status and the set of its identifiers."""

    def __init__(self) -> None:
        super().__init__()
        self.suppressed = SuppressionList(SALT)
        self.model: dict[str, tuple[Status, set[tuple[int, bytes]]]] = {}

    @rule(profile_id=profiles, status=statuses, rows=rows)
    def apply(self, profile_id: str, status: Status, rows: list[Digests]) -> None:
        self.suppressed.apply(entry(profile_id, status), rows)
        if status is Status.RELEASED:
            self.model.pop(profile_id, None)
            return
        named = {(slot, one) for row in rows for slot, one in enumerate(row) if one is not None}
        self.model[profile_id] = status, named

    @rule(row=users(SLOTS))
    def clear(self, row: Digests) -> None:
        named = set().union(*(named for _, named in self.model.values()))
        left = [None if (slot, one) in named else one for slot, one in enumerate(row)]
        before = list(row)

        assert self.suppressed.clear_row(row) == left.count(None) - before.count(None)
        assert row == left

    @invariant()
    def they_agree(self) -> None:
        named = set().union(*(named for _, named in self.model.values()))
        for slot in range(SLOTS):
            for digest in (*DIGESTS, b"d"):
                assert self.suppressed.has(slot, digest) is ((slot, digest) in named)
        for profile_id in ("p-1", "p-2", "p-3", "p-4"):
            assert self.suppressed.has_profile(profile_id) is (profile_id in self.model)

    @invariant()
    def the_counts_are_those_of_the_model(self) -> None:
        statuses = Counter(status for status, _ in self.model.values())
        bare = sum(not named for _, named in self.model.values())

        assert len(self.suppressed) == len(self.model)
        assert bool(self.suppressed) is bool(self.model)
        assert self.suppressed.counts == Counts(
            statuses[Status.SUPPRESSED], statuses[Status.ERASED], bare
        )


AgainstADict.TestCase.settings = settings(deadline=None, max_examples=60, stateful_step_count=20)
TestAgainstADict = AgainstADict.TestCase


def test_a_million_entries_with_three_identifiers_take_less_than_110_megabytes() -> None:
    """In a process of its own, which says how much larger it became."""
    command = [sys.executable, "-m", "tests.benchmarks.suppression", "--entries", "1000000"]
    done = subprocess.run([*command, "--json"], check=False, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    measured = json.loads(done.stdout)

    assert measured["entries"] == 1_000_000
    assert 50 < measured["bytes_per_entry"] < 110
