"""The HTTP side over a status: what probes, Prometheus and people are told."""

import asyncio
import socket

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as plain

from connector import __version__
from connector.core.identity import Target
from connector.core.turns import NOTHING
from connector.errors import ConnectorError
from connector.pauses import PauseReason
from connector.telemetry.families import Histogram
from connector.telemetry.series import Closed, prepare
from connector.tiktok.protocol import CODE_LABELS
from tests.admin.parts import APAC, EMEA, FIRST, SECOND, TRACES
from tests.admin.site import DRAIN, Site, on_a_site
from tests.promtool import check_metrics

OPENMETRICS = "application/openmetrics-text; version=1.0.0"


# /healthz


def test_healthy_while_kafka_is_polled() -> None:
    async def scenario(site: Site) -> None:
        answer = await site.get("/healthz")
        assert (answer.status, answer.json) == (200, {"healthy": True, "reason": None})

        site.clock.now += DRAIN + 39.0
        assert (await site.get("/healthz")).status == 200  # a rebalance may take so long

        site.clock.now += 2.0
        answer = await site.get("/healthz")
        assert answer.status == 503
        assert answer.json == {
            "healthy": False,
            "reason": "Kafka has not been polled for 61 seconds",
        }

    on_a_site(scenario)


@pytest.mark.parametrize("state", ["starting", "stopping"])
def test_healthy_while_it_starts_and_stops(state: str) -> None:
    async def scenario(site: Site) -> None:
        site.status.state = state
        site.clock.now += 1000.0

        assert (await site.get("/healthz")).status == 200

    on_a_site(scenario)


# /readyz


def test_ready_with_everything_in_order() -> None:
    async def scenario(site: Site) -> None:
        answer = await site.get("/readyz")
        assert (answer.status, answer.json) == (200, {"ready": True, "reasons": []})

    on_a_site(scenario)


def test_an_empty_assignment_is_ready() -> None:
    async def scenario(site: Site) -> None:
        site.parts.checkpoint.assign([])

        assert (await site.get("/readyz")).status == 200

    on_a_site(scenario)


@pytest.mark.parametrize("state", ["starting", "stopping"])
def test_not_ready_while_it_starts_and_stops(state: str) -> None:
    async def scenario(site: Site) -> None:
        site.status.state = state
        answer = await site.get("/readyz")

        assert answer.status == 503
        assert answer.json == {"ready": False, "reasons": [f"the connector is {state}"]}

    on_a_site(scenario)


def test_not_ready_before_the_group_has_assigned() -> None:
    async def scenario(site: Site) -> None:
        site.parts.intake.joined = False
        answer = await site.get("/readyz")

        assert answer.status == 503
        assert answer.json["reasons"] == ["the consumer group has not assigned partitions yet"]

    on_a_site(scenario)


def test_one_destination_that_accepts_is_enough() -> None:
    async def scenario(site: Site) -> None:
        emea, apac = site.parts.backlog.accounts
        emea.gate.halt("token_refused", 0.0, site.clock.now)
        assert (await site.get("/readyz")).status == 200

        apac.unreachable = "timeout"
        answer = await site.get("/readyz")
        assert answer.status == 503
        assert answer.json["reasons"] == [
            "destination emea: token_refused",
            "destination apac: timeout",
        ]

        emea.gate.open()
        assert (await site.get("/readyz")).status == 200

    on_a_site(scenario)


def test_halted_audiences_alone_do_not_make_it_unready() -> None:
    async def scenario(site: Site) -> None:
        for audience in site.parts.backlog:
            audience.gate.halt("audience_missing", 0.0, site.clock.now)

        assert (await site.get("/readyz")).status == 200

    on_a_site(scenario)


# /status


def test_the_status_has_the_promised_keys() -> None:
    async def scenario(site: Site) -> None:
        status = (await site.get("/status")).json
        assert {"version", "state", "partitions", "lanes", "limits"} <= status.keys()
        assert status["version"] == __version__
        assert status["state"] == "running"
        assert all(
            {"topic", "partition", "position", "committed", "lag"} <= one.keys()
            for one in status["partitions"]
        )
        assert all(
            {
                *("destination", "audience", "segment", "state"),
                *("reason", "pending", "in_flight", "last_error"),
            }
            <= one.keys()
            for one in status["lanes"]
        )
        assert isinstance(status["limits"], dict)

    on_a_site(scenario)


def test_partitions_stand_in_order_with_their_progress() -> None:
    async def scenario(site: Site) -> None:
        site.parts.track(FIRST, 42)
        site.parts.checkpoint.committed({FIRST: 30})
        site.parts.pauses.paused.add(FIRST)
        partitions = (await site.get("/status")).json["partitions"]

        assert partitions == [
            {
                "topic": "members",
                "partition": 0,
                "position": 42,
                "committed": 30,
                "lag": 7,
                "uncommitted": 1,
                "paused": True,
            },
            {
                "topic": "members",
                "partition": 1,
                "position": None,
                "committed": None,
                "lag": None,
                "uncommitted": 0,
                "paused": False,
            },
        ]

    on_a_site(scenario)


def test_lanes_say_how_each_audience_is() -> None:
    async def scenario(site: Site) -> None:
        span = site.parts.track(FIRST, 42)
        emea = site.parts.put(EMEA, span)
        apac = site.parts.backlog[APAC]
        emea.gate.wait("audience_busy", site.clock.now + 10.0, site.clock.now)
        emea.last_error = "audience_busy (code 40002)"
        apac.gate.halt("audience_missing", 0.0, site.clock.now)
        first, second = (await site.get("/status")).json["lanes"]

        assert first == {
            "destination": "emea",
            "audience": EMEA.audience_id,
            "segment": "gold",
            "state": "waiting",
            "reason": "audience_busy",
            "since": "2025-10-09T08:53:20Z",
            "until": "2025-10-09T08:53:30Z",
            "pending": 1,
            "in_flight": 0,
            "retired": False,
            "holds_intake": False,
            "last_error": "audience_busy (code 40002)",
            "matched_users": None,
            "matched_users_note": None,
        }
        assert (second["state"], second["reason"]) == ("halted", "audience_missing")
        assert second["since"] == "2025-10-09T08:53:20Z"

        site.clock.now += 11.0  # the wait is over
        first, _ = (await site.get("/status")).json["lanes"]
        assert (first["state"], first["reason"]) == ("open", None)
        assert (first["since"], first["until"]) == (None, None)

    on_a_site(scenario)


def test_lanes_say_how_many_users_were_matched_and_what_a_small_number_means() -> None:
    async def scenario(site: Site) -> None:
        site.parts.matched_users.told = {EMEA: 950, APAC: 1000}
        first, second = (await site.get("/status")).json["lanes"]

        assert first["matched_users"] == 950
        assert "fewer than 1,000" in first["matched_users_note"]
        assert (second["matched_users"], second["matched_users_note"]) == (1000, None)

    on_a_site(scenario)


def test_a_halted_destination_halts_its_lanes() -> None:
    async def scenario(site: Site) -> None:
        emea = site.parts.backlog.accounts[0]
        emea.gate.halt("token_refused", 0.0, site.clock.now)
        first, second = (await site.get("/status")).json["lanes"]

        assert (first["state"], first["reason"]) == ("halted", "token_refused")
        assert (second["state"], second["reason"]) == ("open", None)

    on_a_site(scenario)


def test_a_halted_destination_says_since_when_and_when_it_is_tried_again() -> None:
    async def scenario(site: Site) -> None:
        emea = site.parts.backlog.accounts[0]
        emea.gate.halt("token_refused", float("inf"), site.clock.now)
        emea.probe.wait("token_refused", site.clock.now + 70.0, site.clock.now)
        status = (await site.get("/status")).json

        assert status["destinations"][0] == {
            "name": "emea",
            "state": "halted",
            "reason": "token_refused",
            "since": "2025-10-09T08:53:20Z",
            "until": "2025-10-09T08:54:30Z",
        }
        assert status["destinations"][1]["since"] is None
        assert status["lanes"][0]["until"] == "2025-10-09T08:54:30Z"

    on_a_site(scenario)


def test_the_lane_that_holds_the_intake_is_marked() -> None:
    async def scenario(site: Site) -> None:
        site.parts.pauses.holding = site.parts.backlog[APAC]
        site.parts.pauses.bounds = [PauseReason.BLOCKED]
        status = (await site.get("/status")).json

        assert [lane["holds_intake"] for lane in status["lanes"]] == [False, True]
        assert status["limits"]["intake_paused"] is True

    on_a_site(scenario)


def test_the_status_names_nobody() -> None:
    async def scenario(site: Site) -> None:
        site.parts.put(EMEA, site.parts.track(FIRST, 42))
        body = (await site.get("/status")).body.decode()

        assert not any(trace in body for trace in TRACES)
        assert "profile-1" not in body

    on_a_site(scenario)


# /metrics


def fill(site: Site) -> None:
    """Let something stand in every family."""
    parts, metrics = site.parts, site.parts.metrics
    prepare(metrics, Closed(["members"], ["email"], [Target.EMAIL_SHA256], CODE_LABELS, (), (), ()))
    for family in metrics:
        labels = ["members" if label == "topic" else "some" for label in family.labels]
        if isinstance(family, Histogram):
            family.observe_all([0.002, 2.0, 1e9], *labels)
        else:
            family.add(1, *labels)
    parts.put(EMEA, parts.track(FIRST, 42, oldest_ms=1_759_999_000_000))
    parts.identities.dropped["email", "malformed"] += 3
    parts.identities.rows({"email": ["1@b.c", "2@b.c"]})


def test_prometheus_own_checker_finds_nothing_wrong() -> None:
    async def scenario(site: Site) -> None:
        empty = (await site.get("/metrics")).body
        fill(site)
        full = (await site.get("/metrics")).body

        assert check_metrics(empty) == ""
        assert check_metrics(full) == ""
        assert len(full) > len(empty)

    on_a_site(scenario)


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("*/*", "text/plain; version=0.0.4"),
        ("text/plain;version=0.0.4", "text/plain; version=0.0.4"),
        (OPENMETRICS, OPENMETRICS),
        ("", "text/plain; version=0.0.4"),
        ("application/openmetrics-text; version=what", "text/plain; version=0.0.4"),
        ("text/plain; version=1.x; escaping=what", "text/plain; version=0.0.4"),
        ("application/openmetrics-text; version=1.0.0; escaping=what", OPENMETRICS),
        (f"{OPENMETRICS};q=0.8, text/plain;version=0.0.4;q=0.5", OPENMETRICS),
    ],
)
def test_the_format_is_what_the_scraper_accepts(accept: str, kind: str) -> None:
    async def scenario(site: Site) -> None:
        fill(site)
        answer = await site.get("/metrics", Accept=accept)
        text = answer.body.decode()

        assert answer.status == 200
        assert answer.kind.startswith(kind)
        parse = openmetrics if kind == OPENMETRICS else plain
        names = {family.name for family in parse(text)}
        assert "tiktok_connector_records_consumed" in {one.removesuffix("_total") for one in names}
        assert text.endswith("# EOF\n") is (kind == OPENMETRICS)

    on_a_site(scenario)


def test_gauges_are_what_is_true_at_the_scrape() -> None:
    async def scenario(site: Site) -> None:
        fill(site)
        site.parts.pauses.paused.add(SECOND)
        seen = await site.metrics()
        assert seen["pending_rows"] == {(): 1.0}
        assert seen["in_flight_requests"] == {(): 2.0}
        assert seen["consumer_lag_records"] == {("0", "members"): 7.0}  # the other is not known
        assert seen["consumer_assigned_partitions"] == {("members",): 2.0}
        assert seen["consumer_paused_partitions"] == {("members",): 1.0}
        assert seen["rate_limit_share_calls_per_second"] == {(): 10.0}
        assert seen["oldest_uncommitted_timestamp_seconds"] == {("members",): 1_759_999_000.0}
        assert seen["oldest_pending_change_timestamp_seconds"].keys() == {()}
        assert seen["identifiers_dropped_total"]["malformed", "email"] == 3.0
        assert seen["identifiers_usable_total"]["plain", "email"] == 2.0
        assert seen["identifiers_usable_total"]["digest_upper_case", "email"] == 0.0

        site.parts.backlog.forget()
        site.parts.checkpoint.assign([])
        site.parts.rate.set_part(NOTHING, 0.0)
        seen = await site.metrics()
        assert seen["pending_rows"] == {(): 0.0}
        assert seen["consumer_assigned_partitions"] == {("members",): 0.0}
        assert seen["rate_limit_share_calls_per_second"] == {(): 0.0}
        for gone in (
            "consumer_lag_records",
            "oldest_uncommitted_timestamp_seconds",
            "oldest_pending_change_timestamp_seconds",
        ):
            assert gone not in seen

    on_a_site(scenario)


def test_halts_are_gauges_that_go_back() -> None:
    async def scenario(site: Site) -> None:
        emea = site.parts.backlog.accounts[0]
        audience = site.parts.backlog[APAC]
        emea.gate.halt("token_refused", 0.0, site.clock.now)
        audience.gate.halt("audience_missing", 0.0, site.clock.now)
        seen = await site.metrics()
        assert seen["destination_halted"] == {("emea",): 1.0, ("apac",): 0.0}
        assert seen["audience_halted"] == {
            (APAC.audience_id, "apac"): 1.0,
            (EMEA.audience_id, "emea"): 0.0,
        }

        emea.gate.open()
        audience.gate.open()
        seen = await site.metrics()
        assert set(seen["destination_halted"].values()) == {0.0}
        assert set(seen["audience_halted"].values()) == {0.0}

    on_a_site(scenario)


def test_the_process_itself_is_measured() -> None:
    async def scenario(site: Site) -> None:
        page = (await site.get("/metrics")).body

        assert b"process_resident_memory_bytes" in page
        assert b"_created" not in page

    on_a_site(scenario)


def test_no_series_names_anybody() -> None:
    async def scenario(site: Site) -> None:
        fill(site)
        page = (await site.get("/metrics")).body.decode()

        assert not any(trace in page for trace in TRACES)
        assert "profile" not in page

    on_a_site(scenario)


# The server


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/status/", 404),
        ("POST", "/status", 405),
        ("DELETE", "/metrics", 405),
        ("GET", "/pause", 405),
        ("GET", "/sign-in", 405),
        ("GET", "/page", 404),
        ("GET", "/index.html", 404),
        ("GET", "/nothing.js", 404),
        ("GET", "/page/page.js", 404),
        ("GET", "/../server.py", 404),
        ("GET", "/%2e%2e/server.py", 404),
        ("HEAD", "/healthz", 200),
        ("HEAD", "/status", 200),
        ("OPTIONS", "/pause", 405),
    ],
)
def test_no_other_path_and_no_other_method(method: str, path: str, status: int) -> None:
    async def scenario(site: Site) -> None:
        assert (await site.ask(method, path)).status == status

    on_a_site(scenario)


def test_an_address_that_is_taken_says_which_and_what_to_change() -> None:
    async def run(port: int) -> None:
        site = Site({})
        try:
            with pytest.raises(ConnectorError, match=rf"127\.0\.0\.1:{port}.*admin\.port") as error:
                await site.admin.start("127.0.0.1", port)
        finally:
            await site.admin.stop()
        assert "\n" not in str(error.value)

    with socket.create_server(("127.0.0.1", 0)) as taken:
        asyncio.run(run(taken.getsockname()[1]))


def test_it_can_be_stopped_before_it_started() -> None:
    async def run() -> None:
        await Site({}).admin.stop()

    asyncio.run(run())
