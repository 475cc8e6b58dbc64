"""Whatever bytes TikTok, or something in between, answers with: an outcome, in time, and success only where it says so."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from connector.core.outcome import Delivered, Outcome
from connector.tiktok.protocol import CODE_LABELS, classify
from tests.cpu import assert_within, like_the_service
from tests.fuzz.hostile import ANSWERS, MOST_SECONDS, answer

many = settings(deadline=None, max_examples=500)

codes = (
    st.sampled_from([0, 20001, 40002, 40050, 40100, 40105, 50000, -0.0, 0.0, "0", True, None])
    | st.integers()
    | st.floats()
)
trees = st.recursive(
    codes | st.text(max_size=5),
    lambda below: (
        st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=5), below, max_size=3)
    ),
    max_leaves=6,
)
envelopes = st.dictionaries(
    st.sampled_from(["code", "message", "request_id", "data", "Code", ""]),
    codes | trees,
    max_size=4,
)


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """An envelope's bytes, whole or with some of them taken out, doubled or replaced."""
    body = bytearray(json.dumps(draw(envelopes | trees)).encode())
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(body)))
        body[at : at + draw(st.integers(0, 4))] = draw(
            st.binary(max_size=3) | st.sampled_from([b'"code":0,', b"\xef\xbb\xbf", b"\\ud800"])
        )
    return bytes(body)


@pytest.fixture(autouse=True, scope="module")
def _like_the_service() -> Iterator[None]:
    with like_the_service():
        yield


def code_of(body: bytes) -> Any:
    """What the standard library reads as the body's code: a second opinion."""
    try:
        tree = json.loads(body.decode())
    except (ValueError, RecursionError):
        return None
    return tree.get("code") if isinstance(tree, dict) else None


@many
@given(st.integers(-1, 1_000), st.binary() | bodies())
@example(200, b'{"code":0,"code":40002}')
@example(200, b'\xef\xbb\xbf{"code":0}')
@example(200, b'{"code":-0}')
@example(200, b'{"code":18446744073709551616}')
def test_any_bytes_are_an_outcome_and_success_only_where_the_body_says_so(
    status: int, body: bytes
) -> None:
    outcome = classify(status, body)

    assert isinstance(outcome, Outcome)
    assert outcome.response.label in CODE_LABELS
    if isinstance(outcome, Delivered):
        code = code_of(body)
        assert type(code) is int
        assert code in {20001, 40050} or (code == 0 and 200 <= status < 300)


@pytest.mark.parametrize(("name", "place"), ANSWERS)
def test_a_megabyte_of_anything_is_classified_in_time(name: str, place: str) -> None:
    body = answer(name, place)

    assert_within(MOST_SECONDS, lambda: classify(200, body))
