"""The fuzzed targets without a fuzzer: they hold for their seeds and what Hypothesis makes of these, and they can fail."""

import json
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.core.model import Action
from connector.errors import InvalidRecord
from connector.formats.membership import Membership
from tests.fuzz.targets import TARGETS, WORDS, decoding
from tests.fuzz.trees import changed

some = settings(deadline=None, max_examples=60)
words = st.sampled_from([word.encode() for word in WORDS])


@pytest.mark.parametrize("name", TARGETS)
def test_each_target_holds_for_its_seeds(name: str) -> None:
    check, seeds = TARGETS[name]
    for seed in seeds():
        check(seed)


@pytest.mark.parametrize("name", TARGETS)
def test_each_target_holds_for_changed_seeds(name: str) -> None:
    check, seeds = TARGETS[name]

    @some
    @given(st.sampled_from(seeds()), st.data())
    def hold(seed: bytes, data: st.DataObject) -> None:
        changed = bytearray(seed)
        for _ in range(data.draw(st.integers(1, 3))):
            at = data.draw(st.integers(0, len(changed)))
            until = at + data.draw(st.integers(0, 4))
            changed[at:until] = data.draw(words | st.binary(max_size=3))
        check(bytes(changed))

    hold()


def raises_a_value_error(value: bytes) -> list[Membership]:
    raise ValueError(value)


def invents_a_reason(value: bytes) -> list[Membership]:
    raise InvalidRecord("bad_luck", "")


def gives_a_list(value: bytes) -> list[Membership]:
    return [Membership("s", Action.ADD, [])]  # type: ignore[arg-type]


@pytest.mark.parametrize("decode", [raises_a_value_error, invents_a_reason, gives_a_list])
def test_a_decoder_that_breaks_its_promise_is_noticed(decode: object) -> None:
    with pytest.raises((AssertionError, ValueError)):
        decoding(decode)(b"{}")  # type: ignore[arg-type]


@some
@given(st.sampled_from([seed for _, seeds in TARGETS.values() for seed in seeds()]), st.integers())
def test_a_tree_is_changed_to_a_tree(seed: bytes, chance: int) -> None:
    other = changed(seed, Random(chance), WORDS)

    if other is not None:
        json.loads(other.decode("utf-8", "surrogatepass"))
    else:
        with pytest.raises((ValueError, RecursionError)):
            json.loads(seed)


def test_trees_do_change() -> None:
    seed = b'{"a":[1,"b"]}'

    assert len({changed(seed, Random(chance), WORDS) for chance in range(50)}) > 30
