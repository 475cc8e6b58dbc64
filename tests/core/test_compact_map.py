"""The compact map: a dict in what it answers, however it grows and whatever it holds."""

import hashlib
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from connector.core import compact_map
from connector.core.compact_map import KEY_BYTES, CompactMap
from tests.core.strategies import some


def key(number: int) -> bytes:
    return hashlib.blake2b(b"%d" % number, digest_size=KEY_BYTES).digest()


def filled(size: int) -> CompactMap:
    table = CompactMap()
    for number in range(size):
        table.set(key(number), b"%d" % number)
    return table


def test_an_empty_map_has_nothing() -> None:
    table = CompactMap()

    assert len(table) == 0
    assert not table
    assert key(1) not in table
    assert table.get(key(1)) is None
    assert table.pop(key(1)) is None


@pytest.mark.parametrize("size", [0, 1, 7, 254, 255, 256, 65_535, 65_536, 400_000])
def test_a_value_of_any_length_comes_back(size: int) -> None:
    table = filled(50)
    value = key(99) * (size // KEY_BYTES) + b"\xff" * (size % KEY_BYTES)
    table.set(key(50), value)
    table.set(key(51))

    assert table.get(key(50)) == value
    assert table.get(key(51)) == b""
    assert table.pop(key(50)) == value
    assert [table.get(key(number)) for number in range(50)] == [b"%d" % n for n in range(50)]


def test_a_value_that_is_set_again_replaces_the_first() -> None:
    table = filled(100)
    table.set(key(7), b"longer than it was")
    table.set(key(8))

    assert len(table) == 100
    assert table.get(key(7)) == b"longer than it was"
    assert table.get(key(8)) == b""


def test_keys_whose_low_bits_are_all_the_same_are_told_apart() -> None:
    keys = [number.to_bytes(KEY_BYTES, "big") for number in range(1, 501)]
    table = CompactMap()
    for one in keys:
        table.set(one, one[-2:])

    assert all(table.get(one) == one[-2:] for one in keys)
    assert len(table) == 500
    assert table.get((501).to_bytes(KEY_BYTES, "big")) is None


def test_what_looks_like_a_key_within_a_value_is_no_record() -> None:
    """Only `in` may be wrong about it, which keys that nobody can choose make as rare as two equal ones."""
    table = CompactMap()
    table.set(key(1), b"before" + key(2) + b"behind")

    assert table.get(key(2)) is None
    assert table.pop(key(2)) is None
    table.set(key(2), b"own")
    assert (table.get(key(1)), table.get(key(2))) == (b"before" + key(2) + b"behind", b"own")


def test_buckets_stay_small_however_much_is_stored() -> None:
    table = filled(100_000)
    longest = max(len(bucket) for bucket in table._buckets)

    assert table._stored == sum(len(bucket) for bucket in table._buckets)
    assert longest < 5 * compact_map._BUCKET_BYTES
    assert all(key(number) in table for number in range(0, 100_000, 997))
    assert not any(key(number) in table for number in range(100_000, 101_000))


def test_what_is_taken_away_leaves_room() -> None:
    table = filled(5_000)
    buckets = len(table._buckets)
    for turn in range(1, 6):
        for number in range(5_000):
            assert table.pop(key((turn - 1) * 5_000 + number)) is not None
            table.set(key(turn * 5_000 + number), b"1234")

    assert len(table) == 5_000
    assert len(table._buckets) <= buckets + 5


@some
@given(st.dictionaries(st.integers(0, 300), st.binary(max_size=600), max_size=80))
def test_it_holds_what_it_was_given(given: dict[int, bytes]) -> None:
    table = CompactMap()
    for number, value in given.items():
        table.set(key(number), value)

    assert len(table) == len(given)
    for number in range(301):
        assert (key(number) in table) is (number in given)
        assert table.get(key(number)) == given.get(number)


class AgainstADict(RuleBasedStateMachine):
    """A few keys are set and popped all the time, beside ever more that make it grow."""

    def __init__(self) -> None:
        super().__init__()
        self.table = CompactMap()
        self.model: dict[bytes, bytes] = {}
        self.fresh = count(1_000)

    @rule(number=st.integers(0, 12), value=st.binary(max_size=300))
    def set(self, number: int, value: bytes) -> None:
        self.table.set(key(number), value)
        self.model[key(number)] = value

    @rule(number=st.integers(0, 14))
    def pop(self, number: int) -> None:
        assert self.table.pop(key(number)) == self.model.pop(key(number), None)

    @rule(more=st.integers(1, 30))
    def grow(self, more: int) -> None:
        for _ in range(more):
            one = key(next(self.fresh))
            self.table.set(one, one)
            self.model[one] = one

    @invariant()
    def they_agree_on_the_few(self) -> None:
        for number in range(15):
            assert self.table.get(key(number)) == self.model.get(key(number))

    def teardown(self) -> None:
        assert len(self.table) == len(self.model)
        assert {one: self.table.get(one) for one in self.model} == self.model
        assert all(one in self.table for one in self.model)
        assert self.table._stored == sum(len(bucket) for bucket in self.table._buckets)


AgainstADict.TestCase.settings = settings(deadline=None, max_examples=60, stateful_step_count=30)
TestAgainstADict = AgainstADict.TestCase
