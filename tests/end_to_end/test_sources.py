"""Each page about a source product: its configuration is a file that runs, and its event ends where it says."""

import hashlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml

from tests.end_to_end.deployment import FIRST_AUDIENCE, TOKEN, Emulator, Process
from tests.kafka_broker import Cluster, Message

ROOT = Path(__file__).parent.parent.parent
PAGES = sorted((ROOT / "docs" / "sources").glob("*.md"))
NAMES = [page.stem for page in PAGES]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
MOST_LINES = 80

EMAIL, PHONE = "jane@example.com", "+12133734253"
DEVICE = "5f3a2b18-9c4d-4e7f-b8e2-17d3a1e69b25"
JANE = {"EMAIL_SHA256": {EMAIL}, "PHONE_SHA256": {PHONE}}
EXPECTED: dict[str, dict[int, dict[str, set[str]]]] = {
    "segment": {0: {**JANE, "IDFA_SHA256": {DEVICE}}},
    "adobe": {1: {"EMAIL_SHA256": {EMAIL}, "AAID_SHA256": {DEVICE}}},
    "mparticle": {
        2: {"EMAIL_SHA256": {EMAIL}, "IDFA_SHA256": {DEVICE}},
        3: {"PHONE_SHA256": {PHONE}},
    },
    "rudderstack": {4: JANE},
    "debezium": {5: JANE},
    "own-json": {6: JANE, 7: JANE},
}
"""By the number of the audience: what the page says that its event adds."""


def blocks(page: Path, language: str) -> list[str]:
    text = page.read_text("utf-8")
    return [block[2] for block in BLOCK.finditer(text) if block[1] == language]


def configuration(name: str) -> Path:
    return ROOT / "config" / "examples" / f"{name}.yaml"


@pytest.fixture
def topics(broker: Cluster) -> Iterator[dict[str, str]]:
    """The first topic of each page's configuration; all that they read are there, under their names."""
    made: list[str] = []
    first = {}
    for name in NAMES:
        tree: dict[str, Any] = yaml.safe_load(configuration(name).read_text("utf-8"))
        own = [topic["name"] for topic in tree["kafka"]["topics"]]
        made += [broker.create_topic(one) for one in own]
        first[name] = own[0]
    yield first
    for one in made:
        broker.delete_topic(one)


def test_each_page_has_an_example_that_is_tried() -> None:
    assert sorted(EXPECTED) == NAMES
    examples = sorted(path.stem for path in (ROOT / "config" / "examples").iterdir())
    assert [name for name in examples if name != "policy"] == NAMES


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_a_page_is_short_and_shows_the_configuration_as_it_is(page: Path) -> None:
    assert len(page.read_text("utf-8").splitlines()) <= MOST_LINES
    assert blocks(page, "yaml")[-1] == configuration(page.stem).read_text("utf-8")


def test_each_pages_event_ends_in_the_audiences_that_it_says(
    tmp_path: Path,
    broker: Cluster,
    make_emulator: Callable[..., Emulator],
    topics: dict[str, str],
) -> None:
    emulator = make_emulator(8)
    letters = broker.create_topic()
    for page in PAGES:
        event = blocks(page, "json")[-1]
        broker.produce(topics[page.stem], [Message(event.encode())])
    running = {name: run(name, tmp_path, broker, emulator, letters) for name in NAMES}
    for name, process in running.items():
        assert process.wait(60) == 0, f"{name}:\n{process.text()}"

    members = emulator.members()
    for name, audiences in EXPECTED.items():
        for number, expected in audiences.items():
            hashed = {kind: {sha256(one) for one in some} for kind, some in expected.items()}
            assert members[str(FIRST_AUDIENCE + number)] == hashed, name
    assert sum(broker.end_offsets(letters).values()) == 0


def run(name: str, folder: Path, broker: Cluster, emulator: Emulator, letters: str) -> Process:
    """The page's configuration as it is: what is different here comes from the environment."""
    environ = {
        "CONNECTOR_KAFKA__BOOTSTRAP_SERVERS": broker.bootstrap_servers,
        "CONNECTOR_KAFKA__GROUP_ID": f"group-{uuid4().hex[:12]}",
        "CONNECTOR_KAFKA__DEAD_LETTER_TOPIC": letters,
        "CONNECTOR_TIKTOK__BASE_URL": emulator.base_url,
        "CONNECTOR_ACCESS_TOKEN_EMEA": TOKEN,
        "CONNECTOR_ADMIN__PORT": "0",
    }
    arguments = ("run", "--until-end", "--config", str(configuration(name)))
    return Process(folder / f"{name}.log", *arguments, environ=environ)


def sha256(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()
