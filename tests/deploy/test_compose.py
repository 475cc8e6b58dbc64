"""deploy/compose.yaml, as far as it goes without an engine: its shape, its names, and its processes run here."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from connector.settings.load import load
from connector.settings.model import Settings
from tests.deploy.compose.document import (
    COMPOSE,
    OURS,
    arguments,
    document,
    mounted,
    option,
    services,
)
from tests.deploy.compose.kafka import ConfiguredBroker, properties
from tests.end_to_end.deployment import Process, free_port, get, until
from tests.kafka_broker.jars import POM

pytestmark = pytest.mark.deploy

CONFIG = COMPOSE.parent / "compose" / "config" / "connector.yaml"


def settings() -> Settings:
    return load(CONFIG, {"CONNECTOR_ACCESS_TOKEN_EMEA": "a-token"})


# Its shape


def complaints(*paths: Path) -> str:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run([*command, *paths], check=False, text=True, capture_output=True)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def test_it_has_the_shape_of_a_compose_file() -> None:
    assert complaints(COMPOSE) == ""


def test_a_slip_would_be_seen(tmp_path: Path) -> None:
    slips = {"read_only:": "readonly:", "depends_on:": "depend_on:", "retries: 3": "retries: [3]"}
    paths = [tmp_path / f"{number}.yaml" for number in range(len(slips))]
    for path, (right, wrong) in zip(paths, slips.items(), strict=True):
        path.write_text(COMPOSE.read_text().replace(right, wrong))
    said = complaints(*paths)

    assert [path for path in paths if str(path) not in said] == []


def test_what_it_mounts_is_there() -> None:
    outside = [path for service in services() for _, path in mounted(service)]

    assert len(outside) == 9
    assert [path for path in outside if not path.exists()] == []


def test_each_foreign_image_has_a_version_and_kafka_the_one_that_is_tested() -> None:
    images = {name: one["image"] for name, one in services().items() if name not in OURS}
    tested = re.search(r"kafka_2\.13</artifactId>\s*<version>([^<]+)<", POM.read_text())

    assert all(re.fullmatch(r"[\w./-]+:v?\d+\.\d+\.\d+", image) for image in images.values())
    assert tested is not None
    assert images["kafka"] == images["topics"] == f"apache/kafka:{tested[1]}"


@pytest.mark.parametrize("name", OURS)
def test_our_containers_have_no_rights(name: str) -> None:
    service = services()[name]

    assert service["read_only"] is True
    assert service["tmpfs"] == ["/tmp"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not service.keys() & {"privileged", "cap_add", "user", "pid"}


def test_only_this_machine_can_reach_them() -> None:
    published = [port for one in services().values() for port in one.get("ports", ())]

    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_what_is_waited_for_can_come() -> None:
    for name, service in services().items():
        wanted = service.get("depends_on", {})
        for other in wanted if isinstance(wanted, dict) else ():
            condition = wanted[other]["condition"]
            target = services()[other]
            if condition == "service_healthy":
                assert "test" in target["healthcheck"], f"{name}: {other} is never healthy"
            else:
                assert condition == "service_completed_successfully"
                assert "restart" not in target, f"{name}: {other} never ends"


def test_the_examples_of_secrets_open_nothing() -> None:
    found = {name: COMPOSE.parent / one["file"] for name, one in document()["secrets"].items()}

    assert all(path.suffix == ".example" for path in found.values())
    assert {path.read_text().strip() for path in found.values()} == {
        "emulator-access-token",
        "not-a-real-webhook-token",
    }


# Its names agree


def hosts() -> set[str]:
    """The names that containers can be reached by."""
    return {
        name
        for service, one in services().items()
        if "network_mode" not in one
        for name in (service, *one.get("networks", {}).get("default", {}).get("aliases", ()))
    }


def ports_of(service: str) -> set[str]:
    return {port.rpartition(":")[2] for port in services()[service]["ports"]}


def test_the_connector_reaches_the_emulator_as_its_own_machine() -> None:
    wanted = settings()
    port = option("emulator", "--port")

    assert services()["connector"]["network_mode"] == "service:emulator"
    assert wanted.tiktok.base_url == f"http://127.0.0.1:{port}/open_api/v1.3"
    assert ports_of("emulator") == {port, str(wanted.admin.port)}


def test_prometheus_and_grafana_find_whom_they_ask() -> None:
    folder = COMPOSE.parent
    scraping = yaml.safe_load((folder / "prometheus" / "prometheus.yml").read_text())
    sources = yaml.safe_load(
        (folder / "grafana" / "provisioning" / "datasources" / "prometheus.yaml").read_text()
    )
    asked = [
        *re.findall(r"[\w-]+:\d+", json.dumps(scraping)),
        *re.findall(r"(?<=//)[\w-]+:\d+", json.dumps(sources)),
    ]

    assert {address.partition(":")[0] for address in asked} <= hosts()
    assert f"connector:{settings().admin.port}" in asked


def test_the_dashboards_lie_where_grafana_looks() -> None:
    provided = COMPOSE.parent / "grafana" / "provisioning" / "dashboards" / "files.yaml"
    path = yaml.safe_load(provided.read_text())["providers"][0]["options"]["path"]
    home = services()["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    inside = dict(mounted("grafana"))

    assert (inside[path] / Path(home).relative_to(path)).is_file()


def test_the_time_to_stop_is_longer_than_a_stop() -> None:
    grace = services()["connector"]["stop_grace_period"]
    drain = settings().delivery.drain_seconds

    # The last commit takes 5 seconds at most, the farewell to a dead broker 8.
    assert int(grace.removesuffix("s")) > drain + 5 + 8


def topics() -> dict[str, int]:
    """The topics that the service of that name makes, with their partitions."""
    script = services()["topics"]["command"][0]
    made = re.findall(r"^make_topic --topic (\S+) --partitions (\d+)$", script, re.MULTILINE)
    return {name: int(count) for name, count in made}


def test_the_topics_that_are_made_are_those_of_the_configuration() -> None:
    kafka = settings().kafka

    assert topics().keys() == {*(one.name for one in kafka.topics), kafka.dead_letter_topic}
    assert option("generator", "--topic") == kafka.topics[0].name
    assert option("generator", "--bootstrap-servers") == kafka.bootstrap_servers[0]
    assert f"--bootstrap-server {kafka.bootstrap_servers[0]} " in services()["topics"]["command"][0]


# Its processes


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConfiguredBroker]:
    settings = properties(services()["kafka"]["environment"])
    broker = ConfiguredBroker(tmp_path_factory.mktemp("compose-kafka"), "kafka", settings)
    yield broker
    broker.end()


def test_kafka_knows_every_setting_and_takes_it(kafka: ConfiguredBroker) -> None:
    wanted = properties(services()["kafka"]["environment"])
    found = kafka.settings()
    places = {"listeners", "advertised.listeners", "controller.quorum.voters", "log.dirs"}

    assert {name: found.get(name) for name in wanted.keys() - places} == {
        name: value for name, value in wanted.items() if name not in places
    }
    assert found.keys() >= places


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Process]]:
    """Run a command of ours; what a failed test leaves running is ended."""
    started: list[Process] = []

    def run(*words: str, **environ: str) -> Process:
        started.append(Process(tmp_path / f"{len(started)}.log", *words, environ=environ))
        return started[-1]

    yield run
    for one in started:
        one.process.kill()
        one.process.wait()


def test_what_the_generator_writes_reaches_the_audiences(
    kafka: ConfiguredBroker, start: Callable[..., Process]
) -> None:
    for name, partitions in topics().items():
        kafka.create_topic(name, partitions=partitions)
    address, admin, tiktok = kafka.bootstrap_servers, str(free_port()), str(free_port())
    token = dict(mounted("connector"))["/run/secrets/tiktok_emea"].read_text()
    environ = {
        "CONNECTOR_CONFIG": str(CONFIG),
        "CONNECTOR_KAFKA__BOOTSTRAP_SERVERS": address,
        "CONNECTOR_TIKTOK__BASE_URL": f"http://127.0.0.1:{tiktok}/open_api/v1.3",
        "CONNECTOR_ADMIN__PORT": admin,
        "CONNECTOR_ACCESS_TOKEN_EMEA": token,
    }

    emulator = start(*arguments("emulator", {option("emulator", "--port"): tiktok}))
    healthy = services()["emulator"]["healthcheck"]["test"][3].replace("8089", tiktok)
    until(lambda: python(healthy) == 0, 20, "the emulator's health")
    checking = start("check", **environ)
    assert checking.wait(60) == 0, checking.text()
    connector = start("run", **environ)
    generator = start(*arguments("generator", {"kafka:9092": address, "100": "1000"}))
    until(lambda: all(rows(tiktok).values()), 60, "rows in every audience")

    assert start("healthcheck", "--ready", **environ).wait(20) == 0
    assert rows(tiktok).keys() == {one.audience_id for one in settings().routes}
    until(
        lambda: sum(kafka.end_offsets(settings().kafka.dead_letter_topic).values()) > 0,
        20,
        "a letter",
    )
    assert generator.end() == 0, generator.text()
    assert connector.end() == 0, connector.text()[-3000:]
    assert emulator.end() == 0, emulator.text()


def python(code: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, env=dict(os.environ)
    )
    return done.returncode


def rows(port: str) -> dict[str, int]:
    """How many identifiers each audience of the configuration has, as the emulator shows it."""
    shown: dict[str, Any] = json.loads(get(f"http://127.0.0.1:{port}/_emulator/audiences")[1])
    wanted = {one.audience_id for one in settings().routes}
    return {
        one["audience_id"]: sum(one["sizes"].values())
        for one in shown["audiences"]
        if one["audience_id"] in wanted
    }
