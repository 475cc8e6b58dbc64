"""`connector check` against a real Kafka: what is there, what is missing, who refuses us."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from connector.cli.main import main
from tests.cli.surroundings import AUDIENCE, RunningEmulator, check, configuration, tiktok
from tests.kafka_broker import PASSWORD, USERNAME, Broker, Cluster, Listener
from tests.kafka_broker.cluster import eventually

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def running() -> Iterator[RunningEmulator]:
    with tiktok() as emulator:
        yield emulator


def reading(*topics: str, letters: str, **security: str) -> Any:
    def change(tree: dict[str, Any]) -> None:
        tree["kafka"]["topics"] = [{"name": topic} for topic in topics]
        tree["kafka"]["dead_letter_topic"] = letters
        if security:
            tree["kafka"]["security"] = security

    return change


def unknown() -> str:
    return f"nobody-made-this-{uuid4().hex[:8]}"


def test_all_is_there(
    broker: Cluster, running: RunningEmulator, tmp_path: Path, capsys: Capture
) -> None:
    topics = broker.create_topic(partitions=3), broker.create_topic()
    letters = broker.create_topic(partitions=2)
    path = configuration(
        tmp_path,
        running.base_url,
        broker.bootstrap_servers,
        change=reading(*topics, letters=letters),
    )
    code, findings, errors = check(capsys, path)

    assert (code, errors) == (0, "")
    assert {verdict for verdict, _ in findings.values()} == {"ok"}
    assert findings["kafka"][1] == f"answers at {broker.bootstrap_servers}; 1 broker"
    assert findings[f"topic {topics[0]}"] == ("ok", "3 partitions")
    assert findings[f"topic {topics[1]}"] == ("ok", "1 partition")
    assert findings[f"dead-letter topic {letters}"] == ("ok", "2 partitions")


def test_a_missing_topic_is_named(
    broker: Cluster, running: RunningEmulator, topic: str, tmp_path: Path, capsys: Capture
) -> None:
    missing = unknown()
    change = reading(topic, missing, letters=broker.create_topic())
    path = configuration(tmp_path, running.base_url, broker.bootstrap_servers, change=change)
    code, findings, errors = check(capsys, path)

    assert code == 1
    assert errors == f"connector: it would not run: topic {missing} is missing\n"
    assert findings[f"topic {missing}"][0] == "missing"
    assert findings[f"topic {topic}"][0] == "ok"
    assert findings[f"audience {AUDIENCE} of emea"][0] == "ok"


def test_a_missing_suppression_topic_is_named(
    broker: Cluster, running: RunningEmulator, topic: str, tmp_path: Path, capsys: Capture
) -> None:
    missing = unknown()
    letters = broker.create_topic()

    def change(tree: dict[str, Any]) -> None:
        reading(topic, letters=letters)(tree)
        tree["governance"] = {"suppression_topic": missing}

    path = configuration(tmp_path, running.base_url, broker.bootstrap_servers, change=change)
    code, findings, errors = check(capsys, path)

    assert code == 1
    assert errors == f"connector: it would not run: suppression topic {missing} is missing\n"
    assert findings[f"suppression topic {missing}"][0] == "missing"


def test_a_missing_dead_letter_topic_is_named(
    broker: Cluster, running: RunningEmulator, topic: str, tmp_path: Path, capsys: Capture
) -> None:
    missing = unknown()
    change = reading(topic, letters=missing)
    path = configuration(tmp_path, running.base_url, broker.bootstrap_servers, change=change)
    code, findings, errors = check(capsys, path)

    assert code == 1
    assert errors == f"connector: it would not run: dead-letter topic {missing} is missing\n"
    assert findings[f"dead-letter topic {missing}"][0] == "missing"


def test_a_bad_token_and_a_missing_audience_are_named_while_kafka_is_fine(
    broker: Cluster, running: RunningEmulator, topic: str, tmp_path: Path, capsys: Capture
) -> None:
    change = reading(topic, letters=broker.create_topic())
    servers = broker.bootstrap_servers
    path = configuration(tmp_path, running.base_url, servers, token="wrong", change=change)
    assert main(["check", "--config", str(path)]) == 1
    assert capsys.readouterr().err == "connector: it would not run: token of emea is wrong\n"

    running.fault(delete_audience=AUDIENCE)
    path = configuration(tmp_path, running.base_url, servers, change=change)
    assert main(["check", "--config", str(path)]) == 1
    errors = capsys.readouterr().err
    assert errors == f"connector: it would not run: audience {AUDIENCE} of emea is missing\n"


def test_one_server_of_the_list_is_enough(
    broker: Cluster, running: RunningEmulator, topic: str, tmp_path: Path, capsys: Capture
) -> None:
    change = reading(topic, letters=broker.create_topic())
    servers = f"127.0.0.1:1,{broker.bootstrap_servers}"
    path = configuration(tmp_path, running.base_url, servers, change=change)
    code, findings, _ = check(capsys, path)

    assert code == 0
    assert "but for 127.0.0.1:1: Connection refused" in findings["kafka"][1]


def test_looking_does_not_make_a_topic_where_brokers_do_so_unasked(
    running: RunningEmulator, tmp_path: Path, capsys: Capture
) -> None:
    eager = Broker(overrides={"auto.create.topics.enable": "true"}).start()
    try:
        change = reading("members", letters="members.dead-letter")
        path = configuration(tmp_path, running.base_url, eager.bootstrap_servers, change=change)
        code, findings, _ = check(capsys, path)

        assert code == 1
        assert findings["topic members"][0] == "missing"
        assert findings["dead-letter topic members.dead-letter"][0] == "missing"
        eager.create_topic("another")  # once it is there, what was asked for earlier would be, too
        data = eager.folder / "data"
        eventually((data / "another-0").exists, "the broker keeps the topic")
        folders = [one.name for one in data.iterdir()]
        assert not [one for one in folders if one.startswith("members")]
    finally:
        eager.stop()


def test_a_login_over_tls(
    own_broker: Broker, running: RunningEmulator, tmp_path: Path, capsys: Capture
) -> None:
    password = tmp_path / "password"
    password.write_text(PASSWORD)
    topic, letters = own_broker.create_topic(), own_broker.create_topic()
    security = {
        "protocol": "SASL_SSL",
        "sasl_mechanism": "PLAIN",
        "username": USERNAME,
        "password_file": str(password),
        "ca_file": str(own_broker.authority.ca_file),
    }
    servers = own_broker.bootstrap(Listener.SASL_SSL)
    change = reading(topic, letters=letters, **security)
    path = configuration(tmp_path, running.base_url, servers, change=change)
    code, findings, errors = check(capsys, path)
    assert (code, errors) == (0, "")
    assert findings[f"topic {topic}"] == ("ok", "1 partition")

    password.write_text("not-the-password")
    code, findings, errors = check(capsys, path)
    assert code == 1
    assert findings["kafka"][0] == "wrong"
    assert "refuses the username, the password or the mechanism" in findings["kafka"][1]
    assert "not-the-password" not in str(findings) + errors

    del security["ca_file"]
    change = reading(topic, letters=letters, **security)
    path = configuration(tmp_path, running.base_url, servers, change=change)
    code, findings, _ = check(capsys, path)
    assert code == 1
    assert "its certificate is not trusted" in findings["kafka"][1]


def test_another_protocol_than_the_listeners(
    own_broker: Broker,
    running: RunningEmulator,
    tmp_path: Path,
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("connector.cli.check._TIMEOUT_SECONDS", 3.0)
    change = reading("members", letters="letters", protocol="SSL")
    servers = own_broker.bootstrap(Listener.PLAINTEXT)
    path = configuration(tmp_path, running.base_url, servers, change=change)
    code, findings, _ = check(capsys, path)
    assert code == 1
    assert findings["kafka"][0] == "wrong"

    change = reading("members", letters="letters")
    servers = own_broker.bootstrap(Listener.SSL)
    path = configuration(tmp_path, running.base_url, servers, change=change)
    code, findings, _ = check(capsys, path)
    assert code == 1
    assert findings["kafka"][0] == "wrong"


def test_a_broker_that_hangs_is_given_up(
    own_broker: Broker,
    running: RunningEmulator,
    tmp_path: Path,
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("connector.cli.check._TIMEOUT_SECONDS", 1.0)
    topic = own_broker.create_topic()
    change = reading(topic, letters="letters")
    path = configuration(tmp_path, running.base_url, own_broker.bootstrap_servers, change=change)
    own_broker.freeze()
    try:
        code, findings, _ = check(capsys, path)
    finally:
        own_broker.thaw()

    assert code == 1
    assert "no answer in time" in findings["kafka"][1]
