"""Declared faults: what makes sense, and when one strikes, with literal times."""

from typing import Any

import pytest

from connector.sandbox.emulator import Malformed, parse_faults, read_faults
from connector.sandbox.emulator.api_calls import ApiCall, MappingCall, UserInfoCall
from connector.sandbox.emulator.fault_plan import FaultPlan
from connector.sandbox.emulator.tiktok_facts import Violation
from tests.sandbox.emulator_calls import ADVERTISER, FIRST, SECOND, sha

MAPPING = "segment/mapping"
CALL = MappingCall(
    (ADVERTISER,), "add", 1, {FIRST: 1}, {FIRST: {"EMAIL_SHA256": {bytes.fromhex(sha("a"))}}}, 0
)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("x", "fault: Expected `object`, got `str`"),
        ({}, "fault: needs exactly one of"),
        ({"code": 40100, "status": 500}, "found code, status"),
        ({"cod": 40100}, "fault: Object contains unknown field `cod`"),
        ({"code": "40100"}, "fault.code: Expected `int | null`"),
        ({"code": 0}, "fault.code: 0 is success"),
        ({"code": 1, "endpoint": "segment/mapping/"}, "fault.endpoint: must be *"),
        ({"code": 1, "probability": 1.5}, "fault.probability: Expected `float` <= 1.0"),
        ({"code": 1, "count": 0}, "fault.count: Expected `int` >= 1"),
        ({"code": 1, "start_seconds": -1}, "fault.start_seconds"),
        ({"code": 1, "duration_seconds": 0}, "fault.duration_seconds"),
        ({"code": 1, "action": "remove"}, "fault.action"),
        ({"code": 1, "applied": True}, "fault.applied: goes only with timeout"),
        ({"status": 500, "message": "x"}, "fault.message: goes only with code"),
        ({"status": 99}, "fault.status"),
        ({"reset": "during"}, "fault.reset"),
        ({"timeout": 1, "applied": "later"}, "fault.applied"),
        ({"delay": 0}, "fault.delay"),
        ({"body": "bad"}, "fault.body: must be one of truncated"),
        ({"partial": False}, "fault.partial"),
        ({"poison": []}, "fault.poison"),
        ({"poison": ["A" * 64]}, "fault.poison[0]"),
        ([{"code": 1}, {"code": None}], "faults[1]: needs exactly one of"),
    ],
)
def test_a_fault_that_makes_no_sense_says_what_and_where(fault: Any, message: str) -> None:
    with pytest.raises(Malformed) as raised:
        read_faults(fault)

    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_text_that_is_not_json_says_so() -> None:
    with pytest.raises(Malformed, match="faults: not valid JSON"):
        parse_faults(b"[")


def test_the_text_of_a_status_is_not_a_kind() -> None:
    (fault,) = read_faults({"status": 502, "body": "bad gateway"})

    assert fault.kind == "status"


def strikes(
    fault: dict[str, Any], *times: float, endpoint: str = MAPPING, call: ApiCall | Violation = CALL
) -> list[bool]:
    plan = FaultPlan(seed=1)
    plan.add(read_faults(fault), now=0.0)
    return [bool(plan.strike(endpoint, call, time)) for time in times]


def test_a_fault_strikes_in_its_time() -> None:
    fault = {"code": 1, "start_seconds": 2, "duration_seconds": 3}

    assert strikes(fault, 1.9, 2.0, 4.9, 5.0) == [False, True, True, False]


def test_a_fault_strikes_as_often_as_its_count_says() -> None:
    assert strikes({"code": 1, "count": 2}, 1, 2, 3) == [True, True, False]
    assert strikes({"delete_audience": FIRST}, 1, 2) == [True, False]
    assert strikes({"delete_audience": FIRST, "count": None}, 1, 2) == [True, True]


@pytest.mark.parametrize(
    ("matching", "expected"),
    [
        ({"endpoint": MAPPING}, True),
        ({"endpoint": "user/info"}, False),
        ({"advertiser_id": ADVERTISER}, True),
        ({"advertiser_id": "1"}, False),
        ({"audience_id": FIRST}, True),
        ({"audience_id": SECOND}, False),
        ({"action": "add"}, True),
        ({"action": "delete"}, False),
    ],
)
def test_a_fault_strikes_what_matches(matching: dict[str, str], *, expected: bool) -> None:
    assert strikes({"code": 1, **matching}, 1) == [expected]


def test_poison_strikes_calls_that_hold_it() -> None:
    assert strikes({"poison": [sha("a")]}, 1) == [True]
    assert strikes({"poison": [sha("b")]}, 1) == [False]
    assert strikes({"poison": [sha("a")]}, 1, endpoint="user/info", call=UserInfoCall()) == [False]


def test_a_malformed_call_is_struck_only_by_a_fault_without_filters() -> None:
    malformed = Violation(40002, "")

    assert strikes({"code": 1}, 1, call=malformed) == [True]
    assert strikes({"code": 1, "action": "add"}, 1, call=malformed) == [False]
    assert strikes({"poison": [sha("a")]}, 1, call=malformed) == [False]


def test_chance_is_fair_and_repeatable() -> None:
    fault = {"code": 1, "probability": 0.25}
    times = range(1000)

    assert strikes(fault, *times) == strikes(fault, *times)
    assert 200 < sum(strikes(fault, *times)) < 300
    assert not any(strikes({"code": 1, "probability": 0}, *times))


def test_the_oldest_fault_strikes_and_changes_of_the_world_come_with_it() -> None:
    plan = FaultPlan(seed=0)
    plan.add(read_faults([{"revoke_token": "t"}, {"code": 1, "count": 1}, {"status": 500}]), now=0)

    assert [fault.kind for fault in plan.strike(MAPPING, CALL, 1)] == ["revoke_token", "code"]
    assert [fault.kind for fault in plan.strike(MAPPING, CALL, 1)] == ["status"]


def test_the_listing_says_what_is_left() -> None:
    plan = FaultPlan(seed=0)
    plan.add(read_faults([{"code": 40100, "count": 1}, {"delay": 1, "start_seconds": 9}]), now=0)
    plan.strike(MAPPING, CALL, 1)

    assert plan.listing(1) == [
        {"id": 1, "code": 40100, "count": 1, "hits": 1, "remaining": 0, "in_force": False},
        {"id": 2, "delay": 1, "start_seconds": 9, "hits": 0, "remaining": None, "in_force": False},
    ]
    assert plan.clear(1) == 1
    assert plan.clear() == 1
    assert plan.listing(1) == []
