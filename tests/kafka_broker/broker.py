"""A broker process of our own, which a test may stop, kill, freeze and start again."""

import base64
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Self
from uuid import uuid4

from confluent_kafka import KafkaException
from confluent_kafka.admin._scram import (
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from tests.kafka_broker.certificates import Authority
from tests.kafka_broker.cluster import PATIENCE, Cluster
from tests.kafka_broker.jars import kafka_jars
from tests.kafka_broker.properties import CONTROLLER, Listener, server_properties

USERNAME = "connector"
PASSWORD = "first-password"  # of USERNAME, with SASL PLAIN

# Half of a second is saved by each: no second compiler, the simplest collector.
_JAVA = ("java", "-Xmx384m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
_START_PATIENCE = 60.0


class Broker(Cluster):
    """One KRaft node in a temporary folder, with a listener per protocol asked for (PLAINTEXT always).

    `bootstrap_servers` is the PLAINTEXT listener's; `bootstrap(listener)` any. Ports and data outlive a restart.
    """

    def __init__(
        self,
        listeners: Iterable[Listener] = (),
        *,
        overrides: Mapping[str, str] | None = None,
    ) -> None:
        names = [Listener.PLAINTEXT, *(each for each in listeners if each != Listener.PLAINTEXT)]
        self._names = [CONTROLLER, *(each.value for each in names)]
        self._overrides = dict(overrides or {})
        self._ports: dict[str, int] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._watchdog: subprocess.Popen[bytes] | None = None
        super().__init__("")

    def bootstrap(self, listener: Listener) -> str:
        return f"127.0.0.1:{self._ports[listener.value]}"

    @property
    def pid(self) -> int:
        assert self._process is not None, "the broker is not running"
        return self._process.pid

    def start(self) -> Self:
        """Make the folder, format it and run the broker; return once it answers."""
        jars = kafka_jars()
        self.folder = Path(tempfile.mkdtemp(prefix="kafka-broker-"))
        self.authority = Authority(self.folder / "certificates")
        self._ports = _free_ports(self._names)
        self.bootstrap_servers = self.bootstrap(Listener.PLAINTEXT)
        self._properties = self.folder / "server.properties"
        self._properties.write_text(
            server_properties(
                self.folder, self._ports, self.authority, {USERNAME: PASSWORD}, self._overrides
            )
        )
        self._classpath = f"{jars}/*"
        self._format()
        self._launch()
        return self

    def stop(self) -> None:
        """End the process in good order, and drop its folder."""
        if self._process is not None:
            self.thaw()
            self._end(signal.SIGTERM)
        shutil.rmtree(self.folder, ignore_errors=True)

    def kill(self) -> None:
        """End the process as `kill -9` does; its data stays."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Start again on the same data and ports; first ends the process when it runs."""
        if self._process is not None:
            self.kill()
        self._launch()

    def freeze(self) -> None:
        """Stop the process in its tracks: connections stay open and nothing answers."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen process go on; nothing happens to one that was not frozen."""
        os.kill(self.pid, signal.SIGCONT)

    def set_scram_password(
        self, password: str, *, mechanism: str = "SCRAM-SHA-256", username: str = USERNAME
    ) -> None:
        """Give a user a password for SCRAM; connections that stand are not asked again."""
        info = ScramCredentialInfo(ScramMechanism[mechanism.replace("-", "_")], 4096)
        change = UserScramCredentialUpsertion(username, info, password.encode())
        admin = self._admin()
        for future in admin.alter_user_scram_credentials([change]).values():
            future.result(PATIENCE)

    def await_ready(self) -> None:
        """Wait until the broker answers and its topics have leaders."""
        deadline = time.monotonic() + _START_PATIENCE
        while not self._answers():
            assert self._process is not None
            ended = self._process.poll() is not None
            if ended or time.monotonic() > deadline:
                log = (self.folder / "broker.log").read_text()[-3000:]
                why = "ended" if ended else "does not answer"
                raise AssertionError(f"the broker {why}; its log ends:\n{log}")
            time.sleep(0.05)

    def _answers(self) -> bool:
        try:
            metadata = self._admin().list_topics(timeout=1.0)
        except KafkaException:
            return False
        leaders = [
            p.leader for topic in metadata.topics.values() for p in topic.partitions.values()
        ]
        return bool(metadata.brokers) and all(leader >= 0 for leader in leaders)

    def _format(self) -> None:
        tool = ["kafka.tools.StorageTool", "format", "--standalone", "-t", _cluster_id()]
        command = [*_JAVA, "-cp", self._classpath, *tool, "-c", str(self._properties)]
        done = subprocess.run(command, check=False, text=True, capture_output=True)
        assert done.returncode == 0, f"the folder was not formatted:\n{done.stdout}{done.stderr}"

    def _launch(self) -> None:
        command = [*_JAVA, "-cp", self._classpath, "kafka.Kafka", str(self._properties)]
        with (self.folder / "broker.log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )
        self._watchdog = _end_with_this_process(self._process.pid)
        try:
            self.await_ready()
        except BaseException:
            self.kill()
            raise

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        watchdog, self._watchdog = self._watchdog, None
        assert process is not None, "the broker is not running"
        if watchdog is not None:  # first: the number may be another process's soon
            watchdog.kill()
            watchdog.communicate()
        process.send_signal(how)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _end_with_this_process(pid: int) -> subprocess.Popen[bytes]:
    """Kill the broker when this process is gone, killed too: the pipe that the watchdog reads is closed then.

    Not by the kernel's parent-death signal: that one follows the thread that started the broker.
    """
    command = ["sh", "-c", 'cat; kill -9 "$0"', str(pid)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)


def _free_ports(names: Iterable[str]) -> dict[str, int]:
    """Ask the system for a free port each, all held until the last is known."""
    held = {name: socket.create_server(("127.0.0.1", 0)) for name in names}
    ports = {name: listener.getsockname()[1] for name, listener in held.items()}
    for listener in held.values():
        listener.close()
    return ports


def _cluster_id() -> str:
    # Its first bits are zero: the formatting tool would take an id that begins with "-" for an option.
    return base64.urlsafe_b64encode(b"\0" + uuid4().bytes[1:]).decode().rstrip("=")
