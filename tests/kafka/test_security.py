"""Encryption and logins, on a broker with every listener; and what happens to them while we run."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from connector.core.model import Letter, Partition
from connector.errors import KafkaUnavailable
from connector.kafka.dead_letters import KafkaDeadLetters
from connector.kafka.security import Security
from tests.kafka.member import PATIENCE, Reader, Told, kafka_source, run, started
from tests.kafka_broker import PASSWORD, USERNAME, Broker, Listener
from tests.kafka_broker.certificates import Authority

SCRAM_PASSWORD = "the-password-for-scram"
SCRAM = ("SCRAM-SHA-256", "SCRAM-SHA-512")
LETTER = Letter(b"key", b"a letter", [("connector.reason", b"malformed_json")])


@pytest.fixture(scope="module")
def secured(own_broker: Broker) -> Broker:
    for mechanism in SCRAM:
        own_broker.set_scram_password(SCRAM_PASSWORD, mechanism=mechanism)
    return own_broker


def login(broker: Broker, protocol: str, mechanism: str, password: str | None = None) -> Security:
    right = PASSWORD if mechanism == "PLAIN" else SCRAM_PASSWORD
    ca_file = broker.authority.ca_file if protocol == "SASL_SSL" else None
    return Security(protocol, mechanism, USERNAME, lambda: password or right, ca_file)


def mutual(broker: Broker) -> Security:
    client = broker.authority.issue("client")
    return Security(
        "SSL", ca_file=broker.authority.ca_file, cert_file=client.certificate, key_file=client.key
    )


async def both_ways(broker: Broker, listener: Listener, security: Security, group: str) -> None:
    """Read a record and write a letter."""
    topic = broker.create_topic()
    broker.produce(topic, [b"value"])
    servers = broker.bootstrap(listener)
    letters = KafkaDeadLetters([servers], topic, security)
    async with started(kafka_source(servers, [topic], group, security)) as reader:
        try:
            await reader.until_count(1)
            await reader.source.commit(reader.positions)
            await letters.start()
            await letters.send([LETTER])
            await reader.until_count(2)
        finally:
            await letters.stop(5.0)
    assert reader.values(Partition(topic, 0)) == [b"value", LETTER.value]


@pytest.mark.parametrize("mechanism", ["PLAIN", *SCRAM])
@pytest.mark.parametrize("listener", [Listener.SASL_PLAINTEXT, Listener.SASL_SSL])
def test_logins(secured: Broker, group: str, listener: Listener, mechanism: str) -> None:
    run(both_ways(secured, listener, login(secured, listener.protocol, mechanism), group))


def test_tls_with_an_authority(secured: Broker, group: str) -> None:
    security = Security("SSL", ca_file=secured.authority.ca_file)
    run(both_ways(secured, Listener.SSL, security, group))


def test_mutual_tls(secured: Broker, group: str) -> None:
    run(both_ways(secured, Listener.MUTUAL_TLS, mutual(secured), group))


async def refusal(broker: Broker, listener: Listener, security: Security) -> str:
    """What start says; and that the producer, which starts later, says the same of itself."""
    servers = broker.bootstrap(listener)
    source = kafka_source(servers, ["any"], "group", security)
    began = time.monotonic()
    with pytest.raises(KafkaUnavailable) as caught:
        await source.start(Told(), 1.5, lambda _: None)
    assert time.monotonic() - began < 4.0
    await source.stop(1.0)
    letters = KafkaDeadLetters([servers], "any", security)
    with pytest.raises(KafkaUnavailable, match=r"kafka\.security"):
        await letters.start()
    return str(caught.value)


@pytest.mark.parametrize("mechanism", ["PLAIN", SCRAM[1]])
def test_a_wrong_password_is_said_without_it(secured: Broker, mechanism: str) -> None:
    async def test() -> None:
        security = login(secured, "SASL_SSL", mechanism, "wrong-secret")
        said = await refusal(secured, Listener.SASL_SSL, security)
        assert "kafka.security" in said
        assert "password" in said
        assert "wrong-secret" not in said
        assert USERNAME not in said.replace("kafka.security", "")

    run(test())


def test_an_authority_that_did_not_sign_is_said(secured: Broker, tmp_path: Path) -> None:
    async def test() -> None:
        security = Security("SSL", ca_file=Authority(tmp_path, "another").ca_file)
        said = await refusal(secured, Listener.SSL, security)
        assert "kafka.security" in said
        assert "certificate is not trusted" in said

    run(test())


def test_a_listener_of_another_protocol_is_said(secured: Broker) -> None:
    async def test() -> None:
        said = await refusal(secured, Listener.SSL, Security())
        assert "kafka.security" in said

    run(test())


def test_a_file_that_is_no_certificate_is_said(secured: Broker, tmp_path: Path) -> None:
    async def test() -> None:
        (tmp_path / "ca.pem").write_text("nothing of the kind")
        said = await refusal(secured, Listener.SSL, Security("SSL", ca_file=tmp_path / "ca.pem"))
        assert "ca_file" in said

    run(test())


# --- what changes while we run


@asynccontextmanager
async def working(
    broker: Broker, listener: Listener, security: Security, group: str
) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """A source and a producer that have read and written; gives what proves that they go on with new secrets."""
    topic = broker.create_topic()
    servers = broker.bootstrap(listener)
    source = kafka_source(servers, [topic], group, security, session_timeout_seconds=3.0)
    letters = KafkaDeadLetters([servers], topic, security)
    reader = Reader(source)

    async def go_on() -> None:
        source.renew_secrets()
        letters.renew_secrets()
        await asyncio.wait_for(letters.send([LETTER]), PATIENCE)
        await reader.until_position(Partition(topic, 0), 2)

    try:
        await source.start(Told(), PATIENCE, lambda _: None)
        await letters.start()
        await letters.send([LETTER])
        await reader.until_count(1)
        yield go_on
    finally:
        await source.stop(5.0)
        await letters.stop(5.0)


def test_rotated_secrets_are_used_by_the_next_connection(
    secured: Broker, group: str, tmp_path: Path
) -> None:
    password = [SCRAM_PASSWORD]
    scram = replace(login(secured, "SASL_SSL", SCRAM[1]), password=lambda: password[0])
    bundle = Bundle(tmp_path, secured.authority)
    tls = bundle.security()

    async def test() -> None:
        by_password = working(secured, Listener.SASL_SSL, scram, f"{group}-1")
        by_certificate = working(secured, Listener.MUTUAL_TLS, tls, f"{group}-2")
        async with by_password as goes_on, by_certificate as goes_on_too:
            secured.set_scram_password("the-next-password", mechanism=SCRAM[1])
            password[0] = "the-next-password"
            bundle.swap(secured.authority)
            assert tls.refresh()
            secured.restart()  # so that all connect anew
            await goes_on()
            await goes_on_too()

    try:
        run(test())
    finally:
        secured.set_scram_password(SCRAM_PASSWORD, mechanism=SCRAM[1])


class Bundle:
    """Certificate files as Kubernetes mounts them: links through a folder that is itself a link, set in one step."""

    def __init__(self, folder: Path, authority: Authority) -> None:
        self.folder = folder
        self._versions = 0
        self.swap(authority)
        for name in ("ca.pem", "client.pem", "client.key"):
            (folder / name).symlink_to(f"..data/{name}")

    def swap(self, authority: Authority) -> None:
        """Put files of this authority in place, all with the times that the old ones had."""
        self._versions += 1
        version = self.folder / f"..version-{self._versions}"
        version.mkdir()
        pair = authority.issue(f"client-{self._versions}")
        (version / "ca.pem").write_bytes(authority.ca_file.read_bytes())
        (version / "client.pem").write_bytes(pair.certificate.read_bytes())
        (version / "client.key").write_bytes(pair.key.read_bytes())
        for file in version.iterdir():
            os.utime(file, (1_700_000_000, 1_700_000_000))
        link = self.folder / "..data_tmp"
        link.symlink_to(version.name)
        link.replace(self.folder / "..data")

    def security(self) -> Security:
        security = Security(
            "SSL",
            ca_file=self.folder / "ca.pem",
            cert_file=self.folder / "client.pem",
            key_file=self.folder / "client.key",
        )
        security.arguments()
        return security


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


def test_a_swapped_link_is_noticed_once_whatever_the_times_say(
    tmp_path: Path, authority: Authority
) -> None:
    bundle = Bundle(tmp_path, authority)
    security = bundle.security()
    assert not security.refresh()
    bundle.swap(authority)
    assert security.refresh()
    assert not security.refresh()


def test_an_authority_that_was_taken_out_is_not_trusted_any_more(
    tmp_path: Path, authority: Authority
) -> None:
    bundle = Bundle(tmp_path, authority)
    security = bundle.security()
    client = SimpleNamespace(_ssl_context=None, _sasl_plain_password=None)
    security.renew(client)
    old = client._ssl_context
    bundle.swap(Authority(tmp_path / "another", "another"))
    assert security.refresh()
    security.renew(client)
    assert client._ssl_context is not old
    (trusted,) = client._ssl_context.get_ca_certs()
    assert "another authority" in str(trusted["subject"])


def test_files_that_do_not_fit_together_yet_are_looked_at_again(
    tmp_path: Path, authority: Authority
) -> None:
    bundle = Bundle(tmp_path, authority)
    security = bundle.security()
    before = security.arguments()["ssl_context"]
    another = authority.issue("another")
    key = tmp_path / "..data" / "client.key"
    key.write_bytes(another.key.read_bytes())
    assert not security.refresh()
    assert security.arguments()["ssl_context"] is before
    (tmp_path / "..data" / "client.pem").write_bytes(another.certificate.read_bytes())
    assert security.refresh()
    assert security.arguments()["ssl_context"] is not before


def test_a_missing_file_keeps_what_was_read(tmp_path: Path, authority: Authority) -> None:
    bundle = Bundle(tmp_path, authority)
    security = bundle.security()
    (tmp_path / "ca.pem").unlink()
    assert not security.refresh()
    assert security.arguments()["ssl_context"] is not None


def test_a_client_that_keeps_its_password_elsewhere_is_an_error() -> None:
    security = Security("SASL_PLAINTEXT", "PLAIN", USERNAME, lambda: "x")
    with pytest.raises(RuntimeError, match="elsewhere"):
        security.renew(SimpleNamespace())
