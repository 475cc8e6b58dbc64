"""What was handled: what is news, what is forgotten, and that no value is kept."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.core.recency import Recency

JANE = {"email": "jane@example.com", "phone": ["+1", None]}
JOE = {"email": "joe@example.com"}


def test_what_is_not_known_is_news() -> None:
    assert Recency(10).is_news("p-1", "vip", 1.0, JANE)


@pytest.mark.parametrize(
    ("at", "identities", "action", "is_news"),
    [
        pytest.param(100.0, JANE, "add", False, id="the same"),
        pytest.param(100.0, dict(reversed(JANE.items())), "add", False, id="in another order"),
        pytest.param(100.0, JOE, "add", True, id="other identities"),
        pytest.param(100.0, JANE, "delete", True, id="another action"),
        pytest.param(99.999999, JANE, "add", False, id="older"),
        pytest.param(99.0, JOE, "delete", False, id="older in all respects"),
        pytest.param(-5.0, JANE, "add", False, id="before 1970"),
        pytest.param(100.000001, JANE, "add", True, id="newer"),
        pytest.param(101.0, JOE, "delete", True, id="newer in all respects"),
        pytest.param(None, JANE, "add", True, id="without a time"),
        pytest.param(float("nan"), JANE, "add", True, id="no time"),
        pytest.param(float("-inf"), JANE, "add", True, id="never"),
        pytest.param(-1e300, JANE, "add", True, id="a time beyond all calendars"),
    ],
)
def test_older_or_equal_is_no_news(
    at: float | None, identities: Any, action: str, *, is_news: bool
) -> None:
    recent = Recency(10)
    recent.is_news("p-1", "vip", 100.0, JANE, "add")

    assert recent.is_news("p-1", "vip", at, identities, action) is is_news


@pytest.mark.parametrize(
    ("profile_id", "segment"),
    [("p-2", "vip"), ("p-1", "churned"), ("p-", "1vip"), ("p-1v", "ip"), ("", "p-1vip")],
)
def test_each_profile_and_segment_stands_for_itself(profile_id: str, segment: str) -> None:
    recent = Recency(10)
    recent.is_news("p-1", "vip", 100.0, JANE)

    assert recent.is_news(profile_id, segment, 1.0, JANE)
    assert not recent.is_news("p-1", "vip", 1.0, JANE)


def test_nothing_can_be_said_without_a_profile() -> None:
    recent = Recency(10)

    assert [recent.is_news(None, "vip", 1.0, JANE) for _ in range(2)] == [True, True]
    assert len(recent) == 0


def test_what_has_no_time_leaves_the_memory_as_it_was() -> None:
    recent = Recency(10)
    recent.is_news("p-1", "vip", 100.0, JANE)
    recent.is_news("p-1", "vip", None, JOE)

    assert not recent.is_news("p-1", "vip", 100.0, JANE)


def test_news_is_remembered_and_no_news_is_not() -> None:
    recent = Recency(10)
    recent.is_news("p-1", "vip", 100.0, JANE)
    recent.is_news("p-1", "vip", 50.0, JANE)
    recent.is_news("p-1", "vip", 200.0, JOE)

    assert not recent.is_news("p-1", "vip", 150.0, JANE)
    assert len(recent) == 1


@pytest.mark.parametrize("most", [1, 2, 16, 100])
def test_the_least_recently_handled_are_forgotten(most: int) -> None:
    recent = Recency(most)
    for number in range(most):
        recent.is_news(f"p-{number}", "vip", 1.0, JANE)
    recent.is_news("p-0", "vip", 2.0, JANE)  # handled again: now the most recent
    recent.is_news("new", "vip", 1.0, JANE)

    assert len(recent) <= most
    assert recent.is_news("p-0", "vip", 2.0, JANE) is (most == 1)
    if most > 1:
        assert recent.is_news("p-1", "vip", 1.0, JANE)


def test_memory_is_bounded() -> None:
    recent = Recency(100)
    for number in range(1_000):
        recent.is_news(f"p-{number}", "vip", 1.0, JANE)
        assert len(recent) <= 100
    known = [not recent.is_news(f"p-{number}", "vip", 1.0, JANE) for number in range(906, 1_000)]

    assert all(known)


def test_no_value_is_kept() -> None:
    recent = Recency(10)
    recent.is_news("p-secret", "vip-secret", 1.0, {"email": "secret"})

    assert all(len(key) == 16 and len(handled) == 24 for key, handled in recent._handled.items())
    assert b"secret" not in b"".join(key + handled for key, handled in recent._handled.items())


def test_identities_of_any_shape_can_be_asked_about() -> None:
    deep: list[Any] = []
    for _ in range(500):
        deep = [deep]
    for identities in ({"a": deep}, {"a": 2**70}, {"a": {"b": [None, 1.5, True]}}, {}):
        Recency(10).is_news("p\ud800", "s", 1.0, identities)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a", "b"]),
            st.sampled_from(["x", "y"]),
            st.integers(0, 3).map(float),
            st.sampled_from(["1", "2"]),
        )
    )
)
def test_it_answers_as_a_dict_of_all_would(asked: list[tuple[str, str, float, str]]) -> None:
    recent = Recency(100)
    handled: dict[tuple[str, str], tuple[float, str]] = {}
    for profile_id, segment, at, email in asked:
        last = handled.get((profile_id, segment))
        is_news = last is None or at > last[0] or (at == last[0] and email != last[1])
        if is_news:
            handled[profile_id, segment] = at, email

        assert recent.is_news(profile_id, segment, at, {"email": email}) is is_news
