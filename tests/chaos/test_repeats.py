"""What counts as sent twice, and for which reason."""

from typing import Any

from tests.chaos.driver import Outage
from tests.chaos.load import mark_of, place_of
from tests.chaos.repeats import count_repeats

PLACE = (2, 70)
MARK = mark_of(PLACE)


def applied(at: float, *, answered: bool = True) -> dict[str, Any]:
    return {"at": at, "answered": answered}


def test_a_mark_is_a_digest_and_tells_its_place() -> None:
    assert len(MARK) == 64
    assert place_of(MARK) == PLACE


def test_a_row_that_came_once_is_no_repeat() -> None:
    repeats = count_repeats({MARK: [applied(1)]}, [])

    assert repeats.rows == 1
    assert repeats.outside_of_kills == 0


def test_a_row_whose_answer_was_lost_is_sent_again_outside_of_kills() -> None:
    repeats = count_repeats({MARK: [applied(1, answered=False), applied(3)]}, [])

    assert repeats.unanswered == 1
    assert repeats.outside_of_kills == 1


def test_a_row_that_was_not_committed_at_a_kill_is_the_kills() -> None:
    kill = Outage(2, 2, {2: 70})

    repeats = count_repeats({MARK: [applied(1), applied(6)]}, [kill])

    assert repeats.after_kills == 1
    assert repeats.outside_of_kills == 0


def test_a_row_that_was_committed_at_the_kill_is_not_the_kills() -> None:
    kill = Outage(2, 2, {2: 71})

    repeats = count_repeats({MARK: [applied(1), applied(6)]}, [kill])

    assert repeats.otherwise == 1


def test_a_kill_before_or_after_both_times_explains_nothing() -> None:
    kills = [Outage(1, 1, {}), Outage(20, 20, {})]

    repeats = count_repeats({MARK: [applied(10), applied(12)]}, kills)

    assert repeats.otherwise == 1
