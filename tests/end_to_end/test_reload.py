"""The configuration changes under load, on a real broker: nothing is lost, and a broken file changes nothing."""

import itertools
import json
import signal
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import yaml

from tests.end_to_end.deployment import FIRST_AUDIENCE, Deployment, Emulator, entry, until
from tests.kafka_broker import Message

SEGMENTS = ["one", "two", "three"]
"""The second is routed all the time, and under load."""

AUDIENCES = [str(FIRST_AUDIENCE + number) for number in range(len(SEGMENTS))]


class Mounted:
    """The configuration as a ConfigMap is mounted: a link to a folder that is another after each change."""

    def __init__(self, deployment: Deployment) -> None:
        self._folder = deployment.folder / "mounted"
        self._folder.mkdir()
        self._count = 0
        self.tree = yaml.safe_load(deployment.config.read_text())
        self.swap(yaml.safe_dump(self.tree))
        deployment.config = self._folder / "connector.yaml"
        deployment.config.symlink_to(Path("..data") / "connector.yaml")

    def swap(self, text: str) -> None:
        self._count += 1
        fresh = self._folder / f"..{self._count}"
        fresh.mkdir()
        (fresh / "connector.yaml").write_text(text)
        link = self._folder / "..data_tmp"
        link.symlink_to(fresh.name)
        link.rename(self._folder / "..data")

    def route(self, *numbers: int) -> None:
        """Routes for these of the segments, and no others."""
        self.tree["routes"] = [
            {"segment": SEGMENTS[n], "destination": "emea", "audience_id": AUDIENCES[n]}
            for n in numbers
        ]
        self.swap(yaml.safe_dump(self.tree))


def status(deployment: Deployment) -> Any:
    return json.loads(deployment.get("/status")[1])


def lanes(deployment: Deployment) -> dict[str, bool]:
    """The lanes' segments, and whether each is retired."""
    return {one["segment"]: one["retired"] for one in status(deployment)["lanes"]}


class Load:
    """What is written, some of it all the time."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._people = itertools.count(1_000_000)

    def write(self, segment: str, people: Iterable[int]) -> None:
        self._deployment.feed(entry(segment, number) for number in people)

    def write_for_nobody(self, segment: str, people: Iterable[int]) -> None:
        """As long as no route leads from the segment: the model does not know of these."""
        some = [entry(segment, number) for number in people]
        self._deployment.cluster.produce(
            self._deployment.topic,
            (Message(one.value, one.key, partition=one.partition) for one in some),
        )
        for one in some:
            self._deployment.offsets[one.partition] += 1

    def until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait, with a load on the second segment."""

        def is_so() -> bool:
            self.write(SEGMENTS[1], itertools.islice(self._people, 20))
            return condition()

        until(is_so, 15, what)

    def until_taken(self) -> None:
        """Wait until all that is written by now was taken in."""
        taken = sum(self._deployment.offsets)
        self.until(lambda: self._deployment.total("records_consumed_total") >= taken, "the records")


def reloads(deployment: Deployment) -> dict[str, float]:
    ends = ("applied", "unchanged", "refused")
    return {end: deployment.total("config_reloads_total", outcome=end) for end in ends}


def test_a_reload_under_load_loses_nothing_and_a_broken_file_changes_nothing(
    make_emulator: Callable[..., Emulator], deploy: Callable[..., Deployment]
) -> None:
    emulator = make_emulator(3)
    deployment = deploy(emulator, SEGMENTS, delivery__retry_max_seconds=1.0)
    mounted = Mounted(deployment)
    mounted.route(0, 1)
    load = Load(deployment)
    connector = deployment.run()
    load.until(lambda: deployment.get("/readyz")[0] == 200, "the connector")
    assert deployment.total("config_last_reload_successful") == 1
    assert status(deployment)["reload"]["problems"] == []

    # A route goes and another comes, while TikTok takes nothing: what was taken in for the first still waits.
    emulator.faults({"endpoint": "segment/mapping", "code": 50002, "count": None})
    load.write(SEGMENTS[0], range(500))
    load.write_for_nobody(SEGMENTS[2], range(500))
    load.until_taken()
    mounted.route(1, 2)
    load.until(lambda: reloads(deployment)["applied"] == 1, "the reload")
    assert lanes(deployment) == {"two": False, "three": False, "one": True}
    emulator.clear_faults()
    emulator.faults({"endpoint": "segment/mapping", "delay": 0.3, "count": None})
    load.write_for_nobody(SEGMENTS[0], range(500, 800))
    load.write(SEGMENTS[2], range(500, 1000))
    load.until(lambda: lanes(deployment) == {"two": False, "three": False}, "the removed route")
    assert len(emulator.members(AUDIENCES[0])[AUDIENCES[0]]["EMAIL_SHA256"]) == 500

    # What is broken, and what only a start can change, is refused whole.
    before = status(deployment)["configuration"]
    mounted.swap("kafka: [")
    load.until(lambda: reloads(deployment)["refused"] == 1, "the refusal")
    good = yaml.safe_dump(mounted.tree)
    mounted.tree["kafka"]["group_id"] = "another"
    mounted.route(0)
    load.until(lambda: reloads(deployment)["refused"] == 2, "the second refusal")
    assert deployment.total("config_last_reload_successful") == 0
    seen = status(deployment)
    assert seen["configuration"] == before
    assert seen["reload"]["outcome"] == "refused"
    (problem,) = seen["reload"]["problems"]
    assert problem.startswith("kafka.group_id: has changed")
    assert lanes(deployment) == {"two": False, "three": False}

    # Asked by a signal, it reads at once.
    mounted.tree = yaml.safe_load(good)
    mounted.route(0, 1, 2)
    connector.process.send_signal(signal.SIGHUP)
    load.until(lambda: reloads(deployment)["applied"] == 2, "the reload that was asked for")
    assert deployment.total("config_last_reload_successful") == 1
    load.write(SEGMENTS[0], range(800, 1000))
    until(deployment.is_all_committed, 20, "everything to be delivered")
    assert deployment.total("records_consumed_total") == sum(deployment.offsets)
    assert deployment.total("changes_total", outcome="dead_lettered") == 0
    assert connector.end() == 0
    deployment.verdict(emulator)
    said = [json.loads(line)["event"] for line in connector.text().splitlines()]
    assert [one for one in said if one.startswith("configuration")] == [
        "configuration applied",
        *["configuration refused: the earlier one stays in force"] * 2,
        "configuration applied",
    ]


def test_a_signal_that_comes_before_the_start_is_over_ends_nothing(
    make_emulator: Callable[..., Emulator], deploy: Callable[..., Deployment]
) -> None:
    deployment = deploy(make_emulator(3), SEGMENTS, kafka__bootstrap_servers="127.0.0.1:9")
    connector = deployment.run()
    until(lambda: "waiting for kafka" in connector.text(), 15, "the start")
    connector.process.send_signal(signal.SIGHUP)
    until(lambda: deployment.get("/healthz")[0] == 200, 5, "its health")
    assert connector.process.poll() is None
    assert connector.end() == 0
