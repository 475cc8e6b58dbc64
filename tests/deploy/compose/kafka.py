"""The broker as compose configures it: its environment, read as its image reads it, on free ports of this machine."""

import base64
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from uuid import uuid4

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import ConfigResource

from tests.end_to_end.deployment import free_port, until
from tests.kafka_broker import Cluster, kafka_jars

_JAVA = ("java", "-Xmx384m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
_TOOL = "kafka.tools.StorageTool"


def properties(environ: Mapping[str, str]) -> dict[str, str]:
    """The settings that the image makes of its variables: KAFKA_NODE_ID is node.id."""
    return {
        name.removeprefix("KAFKA_").lower().replace("_", "."): value
        for name, value in environ.items()
        if name.startswith("KAFKA_")
    }


class ConfiguredBroker(Cluster):
    """A broker with these settings, but for hosts, ports and its folder.

    Args:
        folder: for its data; empty.
        service: the name by which other containers know it.
    """

    def __init__(self, folder: Path, service: str, settings: Mapping[str, str]) -> None:
        ports = {port: str(free_port()) for port in re.findall(r"//:(\d+)", settings["listeners"])}
        here = {**settings, "log.dirs": str(folder / "data")}
        for name, value in here.items():
            moved = re.sub(rf"\b(?:{service}|localhost):(?=\d)", "127.0.0.1:", value)
            here[name] = re.sub(r"(?<=:)\d+\b", lambda port: ports[port[0]], moved)
        first = re.search(r"127\.0\.0\.1:\d+", here["advertised.listeners"])
        assert first is not None, here["advertised.listeners"]
        super().__init__(first[0])
        self._log = folder / "broker.log"
        file = folder / "server.properties"
        file.write_text("".join(f"{name}={value}\n" for name, value in here.items()))
        java = [*_JAVA, "-cp", f"{kafka_jars()}/*"]
        cluster = base64.urlsafe_b64encode(b"\0" + uuid4().bytes[1:]).decode().rstrip("=")
        formatting = [*java, _TOOL, "format", "-t", cluster, "-c", str(file)]
        done = subprocess.run(formatting, check=False, text=True, capture_output=True)
        assert done.returncode == 0, done.stdout + done.stderr
        with self._log.open("wb") as output:
            self._process = subprocess.Popen(
                [*java, "kafka.Kafka", str(file)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        try:
            until(self._answers, 60, "the broker")
        except AssertionError:
            self.end()
            raise

    def end(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def settings(self) -> dict[str, str]:
        """What it says of itself: every setting that there is, and its value."""
        wanted = ConfigResource(ConfigResource.Type.BROKER, "1")
        admin = self._admin()  # a client must outlive its futures
        found = admin.describe_configs([wanted])[wanted].result(30)
        return {name: entry.value for name, entry in found.items()}

    def _answers(self) -> bool:
        assert self._process.poll() is None, self._log.read_text(errors="replace")[-3000:]
        try:
            return bool(AdminClient(self._settings({})).list_topics(timeout=1.0).brokers)
        except KafkaException:
            return False
