import asyncio
import io
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import confluent_kafka
import pytest
from rich.console import Console

from connector.sandbox import scenario
from connector.sandbox.compare import compare
from connector.sandbox.demo_run import letter_source
from connector.sandbox.display import Display, PlainDisplay, display_for
from connector.sandbox.embedded_kafka import RETAINED_BYTES, EmbeddedKafka, Stored
from connector.sandbox.emulator import Emulator
from connector.sandbox.feeder import Feeder
from connector.sandbox.generator import Event, Traffic, generate
from connector.sandbox.model import Model
from connector.sandbox.progress import Filling, Metrics, Progress, parse
from connector.sandbox.service_process import ServiceProcess
from connector.settings.credentials import resolve_secrets
from connector.settings.load import load

_BIG = b"x" * 5_000


@asynccontextmanager
async def _feeding() -> AsyncIterator[tuple[EmbeddedKafka, Feeder, Model]]:
    kafka = EmbeddedKafka()
    await kafka.start()
    try:
        await kafka.create_topic(scenario.TOPIC)
        model = Model(scenario.ROUTES, scenario.IDENTITIES)
        yield kafka, Feeder(kafka, scenario.TOPIC, scenario.GROUP, model), model
    finally:
        await kafka.stop()


def _commit(kafka: EmbeddedKafka, offsets: list[int]) -> None:
    consumer = confluent_kafka.Consumer(
        {"bootstrap.servers": kafka.bootstrap_servers, "group.id": scenario.GROUP, "log_level": 2}
    )
    places = [
        confluent_kafka.TopicPartition(scenario.TOPIC, partition, offset)
        for partition, offset in enumerate(offsets)
    ]
    consumer.commit(offsets=places, asynchronous=False)
    consumer.close()


def test_the_feeder_stays_within_what_the_broker_keeps() -> None:
    async def scenario_() -> None:
        async with _feeding() as (kafka, feeder, _):
            reader = kafka.reader(scenario.TOPIC)
            feeding = asyncio.create_task(feeder.feed([Event(0, b"k", _BIG)] * 2_500))
            read: list[Stored] = []
            async with asyncio.timeout(20):
                while not feeding.done():
                    fed = feeder.fed
                    await asyncio.sleep(0.25)
                    if feeder.fed == fed:  # it waits: nothing may be lost by now
                        read += await reader.read()
                        assert len(read) == fed
                        assert (fed - await feeder.look()) * len(_BIG) < RETAINED_BYTES * 0.9
                        _commit(kafka, [fed, 0, 0, 0])
            feeding.result()
            assert feeder.fed == 2_500
            assert not feeder.is_consumed
            _commit(kafka, [2_500, 0, 0, 0])
            assert await feeder.look() == 2_500
            assert feeder.is_consumed

    asyncio.run(scenario_())


def test_the_model_gets_each_record_where_it_came_to_lie() -> None:
    async def scenario_() -> None:
        async with _feeding() as (kafka, feeder, model):
            await feeder.feed(generate(Traffic(events=1_200, profiles=100)))
            stored = await kafka.reader(scenario.TOPIC).read()
            again = Model(scenario.ROUTES, scenario.IDENTITIES)
            for one in sorted(stored, key=lambda one: (one.partition, one.offset)):
                again.apply(one.partition, one.offset, one.value)
            assert again.audiences == model.audiences
            assert again.invalid == model.invalid
            assert again.counts == model.counts
            assert model.counts.total == feeder.fed == 1_200

    asyncio.run(scenario_())


def test_the_configuration_is_one_that_the_connector_takes(tmp_path: Path) -> None:
    path = scenario.write_configuration(tmp_path, "127.0.0.1:9092", 8089, 8080)
    settings = load(path, {})
    secrets = resolve_secrets(settings, {})
    assert secrets is not None
    assert len(settings.routes) == 20
    assert len(settings.destinations) == 2
    assert {one.name for one in tmp_path.iterdir()} == {
        "connector.yaml",
        "emea.token",
        "americas.token",
    }
    assert all(one.stat().st_mode & 0o77 == 0 for one in tmp_path.glob("*.token"))


def test_the_emulator_knows_each_audience_of_the_plan() -> None:
    emulator = Emulator(scenario.accounts(), scenario.limits())
    emulator.add_faults(scenario.faults())
    known = {one.audience_id for one in scenario.accounts().audiences}
    assert known == {route.audience_id for route in scenario.ROUTES}
    assert len(known) == len(scenario.audience_names()) == 20


@pytest.mark.parametrize(
    ("source", "place"),
    [
        (b"segment-membership:2:17", (2, 17)),
        (b"another:2:17", (-1, -1)),
        (b"segment-membership:2", (-1, -1)),
        (b"segment-membership:two:17", (-1, -1)),
        (b"\xff", (-1, -1)),
    ],
)
def test_a_letter_says_which_record_it_stands_for(source: bytes, place: tuple[int, int]) -> None:
    assert letter_source(Stored(0, 0, None, b"", [("connector.source", source)])) == place
    assert letter_source(Stored(0, 0, None, b"", [])) == (-1, -1)


_METRICS = """\
# HELP tiktok_connector_records_consumed_total Kafka records consumed.
# TYPE tiktok_connector_records_consumed_total counter
tiktok_connector_records_consumed_total{topic="a"} 40.0
tiktok_connector_records_consumed_total{topic="b"} 2.0
# TYPE tiktok_connector_changes_total counter
tiktok_connector_changes_total{topic="a",outcome="delivered"} 30.0
tiktok_connector_changes_total{topic="a",outcome="superseded"} 5.0
# TYPE tiktok_connector_rate_limit_share_calls_per_second gauge
tiktok_connector_rate_limit_share_calls_per_second 50.0
"""


def test_the_connectors_numbers_are_summed_over_labels() -> None:
    found = parse('{"state": "running", "partitions": []}', _METRICS)
    expected = Metrics("running", consumed=42, delivered=30, superseded=5, allowance=50)
    assert found == expected


@pytest.mark.parametrize("status", ["", "<html>"])
def test_what_is_no_status_is_an_error(status: str) -> None:
    with pytest.raises(ValueError, match="Expecting value"):
        parse(status, _METRICS)


def _shown(display: Display, output: io.StringIO) -> str:
    filling = (Filling("emea/high-value", 3, 4), Filling("emea/churned", 2, 1))
    with display:
        display.show(Progress(1.0, 100, 60, 50, Metrics("running"), 12.0, 5.0, filling))
        display.say("said")
    audiences = {"1": {"EMAIL_SHA256": {"a" * 64}}}
    display.result(compare(audiences, audiences, set(), set(), {"1": "emea/high-value"}))
    display.result(compare(audiences, {}, {(0, 1)}, set(), {"1": "emea/high-value"}))
    text = output.getvalue()
    assert "a" * 64 not in text
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


def test_a_pipe_gets_plain_lines() -> None:
    output = io.StringIO()
    display = display_for(Console(file=output, force_terminal=False, width=80))
    assert isinstance(display, PlainDisplay)
    text = _shown(display, output)
    progress = text.splitlines()[0]
    assert "fed 60/100" in progress
    assert progress.endswith("members 5 of 5")
    assert "\x1b" not in output.getvalue()
    assert re.search(r"emea/high-value +1 +1 +0 +0 +yes\n", text)
    assert re.search(r"emea/high-value +1 +0 +1 +0 +NO\n", text)
    assert "Equal: 1 audiences with 1 identifiers" in text
    assert "NOT EQUAL: 1 audiences differ" in text


def test_a_terminal_gets_bars_and_tables() -> None:
    output = io.StringIO()
    display = display_for(Console(file=output, force_terminal=True, width=120, height=50))
    text = _shown(display, output)
    assert "said" in text
    assert "3 of 4" in text
    assert "━" in text
    assert "NOT EQUAL" in text


def test_a_connector_that_ends_at_once_leaves_its_last_words(tmp_path: Path) -> None:
    async def scenario_() -> None:
        config = tmp_path / "connector.yaml"
        config.write_text("kafka: {}\n")
        service = ServiceProcess(config, tmp_path / "log")
        assert service.last_lines() == []
        assert await service.stop() is None
        await service.start()
        async with asyncio.timeout(20):
            assert await service.ended() == 2
        assert any("bootstrap_servers" in line for line in service.last_lines())
        assert await service.stop() == 2

    asyncio.run(scenario_())
