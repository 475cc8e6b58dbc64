"""What /status says beyond the lanes: how much of it, the last minutes, the state in words, and advice."""

from itertools import pairwise
from typing import Any

import pytest

from connector.core.routing import AudienceKey, Route
from connector.delivery.backlog import Backlog
from connector.history import INTERVAL_SECONDS
from connector.pauses import PauseReason
from connector.snapshot import View
from connector.telemetry.events import MAPPING, ChangeEnd
from tests.admin.parts import APAC, CONFIGURATION, EMEA, FIRST, SECOND, TRACES
from tests.admin.site import Site, on_a_site
from tests.cpu import assert_within


def run_for(site: Site, seconds: float, records: int = 0, rows: int = 0, calls: int = 0) -> None:
    """So much happens in each interval of so many seconds."""
    metrics = site.parts.metrics
    for _ in range(int(seconds / INTERVAL_SECONDS)):
        metrics.records_consumed.add(records, "members")
        metrics.changes.add(rows, "members", ChangeEnd.DELIVERED)
        metrics.changes.add(7, "members", ChangeEnd.SUPERSEDED)
        metrics.api_requests.add(calls, MAPPING, "0")
        site.clock.now += INTERVAL_SECONDS
        site.history.take()


# The last minutes


def test_the_history_is_what_the_counters_did() -> None:
    async def scenario(site: Site) -> None:
        site.history.take()
        run_for(site, 10, records=500, rows=250, calls=40)
        run_for(site, 5)
        site.parts.source.behind[SECOND] = 5
        run_for(site, 5, records=1)
        history = (await site.get("/status")).json["history"]

        assert history == {
            "interval_seconds": 5.0,
            "at": [
                "2025-10-09T08:53:05Z",
                "2025-10-09T08:53:10Z",
                "2025-10-09T08:53:15Z",
                "2025-10-09T08:53:20Z",
            ],
            "records_per_second": [100.0, 100.0, 0.0, 0.2],
            "rows_per_second": [50.0, 50.0, 0.0, 0.0],
            "calls_per_second": [8.0, 8.0, 0.0, 0.0],
            "lag_records": [7, 7, 7, 12],
        }

    on_a_site(scenario)


def test_the_history_is_bounded_and_a_pause_of_the_process_is_one_interval() -> None:
    async def scenario(site: Site) -> None:
        site.history.take()
        run_for(site, 3600, records=50)
        site.clock.now += 100
        site.parts.metrics.records_consumed.add(1000, "members")
        site.history.take()
        history = (await site.get("/status")).json["history"]

        assert {len(column) for column in history.values() if isinstance(column, list)} == {180}
        assert history["records_per_second"][-2:] == [10.0, 10.0]
        assert all(one < other for one, other in pairwise(history["at"]))

    on_a_site(scenario)


def test_an_unknown_lag_is_no_number() -> None:
    async def scenario(site: Site) -> None:
        site.parts.checkpoint.assign([SECOND])
        site.history.take()
        run_for(site, 5)
        site.parts.checkpoint.assign([])
        run_for(site, 5)
        status = (await site.get("/status")).json
        assert status["history"]["lag_records"] == [None, None]

    on_a_site(scenario)


def test_the_allowance_used_is_of_the_last_minute() -> None:
    async def scenario(site: Site) -> None:
        async def used() -> Any:
            return (await site.get("/status")).json["limits"]["used_calls_per_second"]

        assert await used() is None
        site.history.take()
        assert await used() is None  # no time has passed yet
        run_for(site, 30, calls=25)
        assert await used() == 5.0
        run_for(site, 60, calls=40)
        assert await used() == 8.0
        site.clock.now += 5.0  # of the sample that is to come, what is known already counts
        site.parts.metrics.api_requests.add(100, MAPPING, "40100")
        assert await used() == pytest.approx((11 * 40 + 100) / 60)

    on_a_site(scenario)


def test_dead_letters_are_told_by_reason_with_the_time_of_the_last() -> None:
    async def scenario(site: Site) -> None:
        written = site.parts.metrics.dead_letters
        written.add(2, "members", "malformed_json")
        site.history.take()
        site.clock.now += 60.0
        written.add(1, "members", "rejected")
        site.history.take()
        site.clock.now += 60.0

        assert (await site.get("/status")).json["dead_letters"] == [
            {
                "topic": "members",
                "reason": "rejected",
                "letters": 1,
                "at": "2025-10-09T08:52:20Z",
            },
            {
                "topic": "members",
                "reason": "malformed_json",
                "letters": 2,
                "at": "2025-10-09T08:51:20Z",
            },
        ]
        written.add(1, "members", "malformed_json")
        (first, _) = (await site.get("/status")).json["dead_letters"]
        assert (first["letters"], first["at"]) == (3, "2025-10-09T08:53:20Z")

    on_a_site(scenario)


# How much of it


def test_lanes_can_be_limited_those_in_trouble_first() -> None:
    async def scenario(site: Site) -> None:
        site.parts.put(EMEA, site.parts.track(FIRST, 42))

        async def lanes(query: str) -> list[str]:
            return [one["segment"] for one in (await site.get(f"/status{query}")).json["lanes"]]

        assert await lanes("") == ["gold", "lost"]
        assert await lanes("?lanes=200") == ["gold", "lost"]  # the fuller one
        site.parts.backlog[APAC].gate.wait("audience_busy", site.clock.now + 9, site.clock.now)
        assert await lanes("?lanes=200") == ["lost", "gold"]
        site.parts.backlog[EMEA].gate.halt("audience_missing", 0.0, site.clock.now)
        assert await lanes("?lanes=200") == ["gold", "lost"]
        assert await lanes("?lanes=1") == ["gold"]
        assert await lanes("?lanes=0") == []
        assert await lanes("") == ["gold", "lost"]

        status = (await site.get("/status?lanes=1")).json
        assert status["lanes_found"] == 2
        assert status["lane_counts"] == {"open": 0, "waiting": 1, "halted": 1}

    on_a_site(scenario)


@pytest.mark.parametrize(
    ("find", "segments"),
    [
        ("GOLD", ["gold"]),
        ("apac", ["lost"]),
        ("000002", ["lost"]),
        ("7100000000000000001", ["gold"]),
        ("o", ["gold", "lost"]),
        ("nowhere", []),
        ("", ["gold", "lost"]),
    ],
)
def test_lanes_are_found_by_their_names(find: str, segments: list[str]) -> None:
    async def scenario(site: Site) -> None:
        status = (await site.get(f"/status?find={find}")).json
        assert [one["segment"] for one in status["lanes"]] == segments
        assert status["lanes_found"] == len(segments)
        assert sum(status["lane_counts"].values()) == 2  # of all

    on_a_site(scenario)


@pytest.mark.parametrize("lanes", ["", "-1", "x", "1.5", "1e3", "²", "999999"])
def test_a_number_of_lanes_that_is_none_is_told(lanes: str) -> None:
    async def scenario(site: Site) -> None:
        answer = await site.get(f"/status?lanes={lanes}")
        assert (answer.status, answer.kind) == (400, "text/plain")
        assert "lanes is a number" in answer.text

    on_a_site(scenario)


def test_the_configuration_comes_along_unless_it_is_not_wanted() -> None:
    async def scenario(site: Site) -> None:
        assert (await site.get("/status")).json["configuration"] == CONFIGURATION
        assert "configuration" not in (await site.get("/status?configuration=no")).json

    on_a_site(scenario)


def test_ten_thousand_audiences_do_not_hold_up_the_event_loop() -> None:
    async def scenario(site: Site) -> None:
        accounts = {one.name: one for one in site.parts.backlog.accounts}
        routes = [Route(f"s{n}", AudienceKey("emea", str(n))) for n in range(10_000)]
        backlog = site.parts.backlog
        site.parts.backlog = Backlog(
            accounts, routes, 1, backlog._limits, lambda _: 120, site.parts.delivery
        )
        for audience in site.parts.backlog:
            audience.gate.halt("audience_missing", 0.0, site.clock.now)

        def take() -> None:
            seen = site.admin._subject.snapshot.take(View(200, "", has_configuration=False))
            assert (len(seen["lanes"]), seen["lane_counts"]["halted"]) == (200, 10_000)

        assert_within(0.1, take)

    on_a_site(scenario)


# In words


def test_the_headline_and_the_advice_are_of_what_is_shown() -> None:
    async def scenario(site: Site) -> None:
        status = (await site.get("/status")).json
        assert status["headline"]["text"] == "Running"
        assert status["advice"] == {}

        site.parts.backlog[APAC].gate.halt("audience_missing", 0.0, site.clock.now)
        status = (await site.get("/status")).json
        assert status["headline"]["text"] == "1 of 2 audiences is halted"
        assert status["advice"].keys() == {"audience_missing"}
        assert "deleted" in status["advice"]["audience_missing"]["meaning"]

    on_a_site(scenario)


def test_an_unreachable_destination_says_since_when_the_probes_fail() -> None:
    async def scenario(site: Site) -> None:
        emea = site.parts.backlog.accounts[0]
        emea.unreachable = "timeout"
        (first, _) = (await site.get("/status")).json["destinations"]
        assert (first["state"], first["reason"], first["since"]) == ("open", "timeout", None)

        emea.probe.wait("timeout", site.clock.now + 1, site.clock.now - 30)
        (first, _) = (await site.get("/status")).json["destinations"]
        assert first["since"] == "2025-10-09T08:52:50Z"

    on_a_site(scenario)


@pytest.mark.parametrize("reason", list(PauseReason))
def test_why_intake_is_paused_is_told_and_counted(reason: PauseReason) -> None:
    async def scenario(site: Site) -> None:
        if reason is PauseReason.OPERATOR:
            site.parts.pauses.by_operator = True
        else:
            site.parts.pauses.bounds = [reason]
        if reason is PauseReason.BLOCKED:
            site.parts.pauses.holding = site.parts.backlog[APAC]
        status = (await site.get("/status")).json

        assert status["intake"]["reasons"] == [reason]
        assert status["intake"]["paused"] is status["limits"]["intake_paused"] is True
        held_by = {"destination": APAC.destination, "audience": APAC.audience_id}
        assert status["intake"]["held_by"] == (held_by if reason == "blocked" else None)
        assert (await site.metrics())["intake_paused"] == {
            (one,): float(one is reason) for one in PauseReason
        }

    on_a_site(scenario)


def test_nothing_of_a_record_is_in_any_of_it() -> None:
    async def scenario(site: Site) -> None:
        site.parts.put(EMEA, site.parts.track(FIRST, 42))
        site.history.take()
        run_for(site, 10, records=3)
        text = (await site.get("/status")).text
        assert not any(trace in text for trace in TRACES)
        assert "profile-1" not in text

    on_a_site(scenario)
