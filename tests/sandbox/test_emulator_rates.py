"""Counting in time, with literal times."""

from connector.sandbox.emulator import Limits
from connector.sandbox.emulator.rates import HISTORY_SECONDS, Rates
from connector.sandbox.emulator.tiktok_facts import Violation


def codes(rates: Rates, *times: float) -> list[int]:
    return [violation.code if violation else 0 for violation in map(rates.arrive, times)]


def test_a_second_is_one_of_the_calendar() -> None:
    rates = Rates(Limits(qps=2))

    assert codes(rates, 10.0, 10.5, 10.99, 11.0, 11.01, 11.02) == [0, 0, 40100, 0, 0, 40100]


def test_the_text_names_the_app() -> None:
    rates = Rates(Limits(qps=1, app_id="42"))

    assert rates.arrive(1.0) is None
    assert rates.arrive(1.0) == Violation(
        40100, "Due to too many requests, requests from App 42 are temporarily restricted."
    )


def test_zero_is_unlimited() -> None:
    assert set(codes(Rates(Limits(qps=0)), *[5.0] * 1000)) == {0}


def test_minutes_and_days_are_limited_only_when_asked() -> None:
    assert codes(Rates(Limits(qps=0, qpm=2)), 1, 30, 59, 60, 61, 62) == [0, 0, 40100, 0, 0, 40100]
    assert codes(Rates(Limits(qps=0, qpd=1)), 1, 86_399, 86_400) == [0, 40100, 0]


def test_a_burst_over_the_edge_of_a_second_is_seen_by_the_sliding_second() -> None:
    rates = Rates(Limits(qps=3))

    assert codes(rates, 9.7, 9.8, 9.9, 10.0, 10.1, 10.2) == [0] * 6
    assert rates.max_calendar_second == 3
    assert rates.max_sliding_second == 6


def test_calls_a_whole_second_apart_are_not_in_one() -> None:
    rates = Rates(Limits())
    codes(rates, 1.5, 2.5, 3.5)

    assert rates.max_sliding_second == 1


def test_the_history_counts_refused_calls_and_is_bounded() -> None:
    rates = Rates(Limits(qps=1))
    codes(rates, 1.0, 1.1, 2.0)
    first, second = rates.history

    assert (first.second, first.calls, first.refused) == (1, 2, 1)
    assert (second.second, second.calls, second.refused) == (2, 1, 0)
    codes(rates, *map(float, range(3, HISTORY_SECONDS + 10)))
    assert len(rates.history) == HISTORY_SECONDS


def test_forgetting_the_record_does_not_open_the_window() -> None:
    rates = Rates(Limits(qps=1))
    rates.arrive(1.0)
    rates.clear()

    assert codes(rates, 1.1) == [40100]
    assert rates.max_calendar_second == 1


def test_an_advertiser_is_limited_per_endpoint() -> None:
    rates = Rates(Limits(qps=0, advertiser_qps=1))

    assert rates.arrive_for("7", "segment/mapping", 1.0) is None
    assert rates.arrive_for("7", "user/info", 1.0) is None
    assert rates.arrive_for("8", "segment/mapping", 1.0) is None
    assert rates.arrive_for("7", "segment/mapping", 1.5) == Violation(
        40133,
        "Advertiser (7)'s QPS (2) reaches QPS limit 1 for current path, request is temporarily "
        "restricted.",
    )
    assert rates.arrive_for("7", "segment/mapping", 2.0) is None
