"""The broker's server.properties: one KRaft node that starts fast and forgets a dead self quickly."""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

from tests.kafka_broker.certificates import Authority

CONTROLLER = "CONTROLLER"


class Listener(StrEnum):
    """How clients may reach a broker; each has a port of its own."""

    PLAINTEXT = "PLAINTEXT"
    SSL = "SSL"  # the broker shows a certificate
    MUTUAL_TLS = "MUTUAL_TLS"  # and asks for the client's
    SASL_PLAINTEXT = "SASL_PLAINTEXT"
    SASL_SSL = "SASL_SSL"

    @property
    def protocol(self) -> str:
        return "SSL" if self is Listener.MUTUAL_TLS else self.value


_ONE_NODE = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": CONTROLLER,
    "inter.broker.listener.name": Listener.PLAINTEXT.value,
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    "auto.create.topics.enable": "false",
    "num.partitions": "1",
    "log.cleaner.dedupe.buffer.size": "16777216",
    "log.cleaner.backoff.ms": "200",
    # A broker that was killed is let in again once its old session ends: 9 s by default.
    "broker.session.timeout.ms": "2000",
    "broker.heartbeat.interval.ms": "500",
    "controlled.shutdown.enable": "false",
}


def server_properties(
    folder: Path,
    ports: Mapping[str, int],
    authority: Authority,
    plain_users: Mapping[str, str],
    overrides: Mapping[str, str],
) -> str:
    """Return the text of the file for these listeners' ports (the controller's among them)."""
    listeners = {name: f"{name}://127.0.0.1:{port}" for name, port in ports.items()}
    advertised = [url for name, url in listeners.items() if name != CONTROLLER]
    protocols = {CONTROLLER: "PLAINTEXT"}
    protocols |= {name: Listener(name).protocol for name in ports if name != CONTROLLER}
    settings = {
        **_ONE_NODE,
        "log.dirs": str(folder / "data"),
        "controller.quorum.bootstrap.servers": f"127.0.0.1:{ports[CONTROLLER]}",
        "listeners": ",".join(listeners.values()),
        "advertised.listeners": ",".join(advertised),
        "listener.security.protocol.map": ",".join(f"{k}:{v}" for k, v in protocols.items()),
    }
    for name, protocol in protocols.items():
        if protocol in ("SSL", "SASL_SSL"):
            settings |= _tls(name, folder, authority)
        if protocol.startswith("SASL_"):
            settings |= _sasl(name, plain_users)
    settings |= overrides
    return "".join(f"{key}={value}\n" for key, value in settings.items())


def _tls(name: str, folder: Path, authority: Authority) -> dict[str, str]:
    keystore = authority.issue("broker").both_in(folder / "broker-keystore.pem")
    prefix = f"listener.name.{name.lower()}.ssl."
    asks = "required" if name == Listener.MUTUAL_TLS.value else "none"
    return {
        prefix + "keystore.type": "PEM",
        prefix + "keystore.location": str(keystore),
        prefix + "truststore.type": "PEM",
        prefix + "truststore.location": str(authority.ca_file),
        prefix + "client.auth": asks,
    }


def _sasl(name: str, plain_users: Mapping[str, str]) -> dict[str, str]:
    prefix = f"listener.name.{name.lower()}."
    users = " ".join(f'user_{user}="{password}"' for user, password in plain_users.items())
    plain = f"org.apache.kafka.common.security.plain.PlainLoginModule required {users};"
    scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
    return {
        prefix + "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
        prefix + "plain.sasl.jaas.config": plain,
        prefix + "scram-sha-256.sasl.jaas.config": scram,
        prefix + "scram-sha-512.sasl.jaas.config": scram,
    }
