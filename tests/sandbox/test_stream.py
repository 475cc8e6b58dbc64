"""`connector generator`: its pace, and what it leaves in a real topic."""

import asyncio
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from connector.cli.main import main
from connector.sandbox import stream
from connector.sandbox.generator import Event, Traffic, generate
from tests.end_to_end.deployment import Process, free_port, until
from tests.kafka_broker import Cluster
from tests.virtual_time import run

PARTITIONS = 3


def events(count: int) -> Iterator[Event]:
    return (Event(0, b"key", b"%d" % number) for number in range(count))


def times_of(count: int, rate: float, stall: float = 0.0) -> list[float]:
    """When each event was handed over, in seconds from the begin; the first block takes so long."""

    async def hand_over() -> list[float]:
        clock = asyncio.get_running_loop().time
        begun = clock()
        found: list[float] = []

        async def write(block: list[Event]) -> None:
            found.extend(clock() - begun for _ in block)
            if len(found) == len(block):
                await asyncio.sleep(stall)

        await stream.paced(events(count), rate, write)
        return found

    return run(hand_over())


@pytest.mark.parametrize("rate", [0.5, 3, 40, 10_000])
def test_the_pace_is_even_from_the_first_event_on(rate: float) -> None:
    count = int(rate * 10)
    times = times_of(count, rate)

    assert len(times) == count
    for number, time in enumerate(times):
        assert number / rate <= time + 1e-6
        assert time <= number / rate + 0.051


def test_a_wait_is_caught_up_with() -> None:
    times = times_of(100, rate=10, stall=4.0)

    assert sum(4.0 <= time < 4.1 for time in times) == 40
    assert times[-1] == pytest.approx(9.9, abs=0.06)


def test_what_is_written_is_what_the_seed_says(broker: Cluster, tmp_path: Path) -> None:
    topic = broker.create_topic(partitions=PARTITIONS)
    options = ("--bootstrap-servers", broker.bootstrap_servers, "--topic", topic)
    choice = ("--events", "400", "--rate", "4000", "--profiles", "50", "--segments", "3")
    generator = Process(tmp_path / "log", "generator", *options, *choice, "--seed", "7")

    assert generator.wait(30) == 0, generator.text()
    expected = generate(Traffic(400, 50, 3, 7, PARTITIONS))
    read = broker.read(topic, 400)
    assert sorted(expected, key=lambda one: one.partition) == [
        Event(one.partition, one.key or b"", one.value) for one in read
    ]
    assert sum(broker.end_offsets(topic).values()) == 400


def test_it_goes_on_until_it_is_stopped_and_then_delivers_what_it_has(
    broker: Cluster, tmp_path: Path
) -> None:
    topic = broker.create_topic(partitions=PARTITIONS)
    options = ("--bootstrap-servers", broker.bootstrap_servers, "--topic", topic)
    generator = Process(tmp_path / "log", "generator", *options, "--rate", "2000")
    until(lambda: sum(broker.end_offsets(topic).values()) > 500, 20, "some events")

    assert generator.end(signal.SIGTERM) == 0, generator.text()
    said = re.search(r"^([\d,]+) events written\.$", generator.text(), re.MULTILINE)
    assert said is not None
    assert int(said[1].replace(",", "")) == sum(broker.end_offsets(topic).values())


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "_PATIENCE_SECONDS", 0.0)


@pytest.mark.usefixtures("impatient")
def test_a_topic_that_is_not_there_is_one_line_and_is_not_made(
    broker: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--bootstrap-servers", broker.bootstrap_servers, "--topic", "nobody-made-me"]

    assert main(["generator", *options]) == 1
    assert capsys.readouterr().err == (
        "connector: there is no topic nobody-made-me: make it first (waited 0 s)\n"
    )
    assert broker.partitions("nobody-made-me") == []


@pytest.mark.usefixtures("impatient")
def test_a_kafka_that_is_not_there_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    address = f"127.0.0.1:{free_port()}"

    assert main(["generator", "--bootstrap-servers", address]) == 1
    assert capsys.readouterr().err == (
        f"connector: no answer from Kafka at {address} (waited 0 s)\n"
    )


def test_a_rate_of_nothing_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["generator", "--rate", "0"])

    assert ended.value.code == 2
    assert "must be 1 or more" in capsys.readouterr().err
