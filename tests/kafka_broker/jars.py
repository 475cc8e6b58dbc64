"""Where the broker's jars come from: Maven, once; then a folder of the cache named by the pom's content.

Never a skip: a machine without Kafka fails the tests, with the ways to mend it.
"""

import fcntl
import hashlib
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.debian import NotInstalled, install

POM = Path(__file__).with_name("pom.xml")
CACHE = Path(__file__).parents[2] / ".cache" / "kafka-jars"
OLDEST_JAVA = 17  # Apache Kafka 4 runs its brokers on Java 17 or newer
BOOTSTRAP_VARIABLE = "KAFKA_BOOTSTRAP_SERVERS"

THREE_WAYS = f"""\
The tests need a real Kafka and found none. Any of these gives them one:
  1. a broker that runs: set {BOOTSTRAP_VARIABLE}, e.g. {BOOTSTRAP_VARIABLE}=localhost:9092
  2. Java {OLDEST_JAVA} or newer and Maven on the PATH: the tests fetch Apache Kafka and run it
  3. Debian or Ubuntu as root: the tests install openjdk-{OLDEST_JAVA}-jre-headless and maven with apt-get
What went wrong: """


class KafkaNotFound(Exception):  # noqa: N818 - it is about a thing, not a fault in the code
    """No way to a broker; the text names the three that there are."""

    def __init__(self, cause: str) -> None:
        super().__init__(THREE_WAYS + cause)


def kafka_jars() -> Path:
    """Return the folder with the jars of Kafka, fetching them where they are missing.

    Safe to call from several processes at once: one fetches, the others wait for it.
    """
    folder = CACHE / hashlib.sha256(POM.read_bytes()).hexdigest()[:16]
    if not _java_is_enough():
        _install_java_and_maven()
    if folder.is_dir():
        return folder
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            _fetch_into(folder)
    return folder


def _fetch_into(folder: Path) -> None:
    if shutil.which("mvn") is None:
        _install_java_and_maven()
    scratch = Path(tempfile.mkdtemp(dir=CACHE))
    command = ["mvn", "-B", "-q", "-f", str(POM), "dependency:copy-dependencies"]
    fetched = _run([*command, f"-DoutputDirectory={scratch}", "-DincludeScope=runtime"])
    if fetched.returncode != 0:
        shutil.rmtree(scratch)
        raise KafkaNotFound(f"Maven could not fetch the jars:\n{fetched.stdout[-2000:]}")
    # Only a complete folder ever has the name that is looked for.
    scratch.rename(folder)


def _java_is_enough() -> bool:
    if shutil.which("java") is None:
        return False
    version = re.search(r'version "(\d+)', _run(["java", "-version"]).stdout)
    return version is not None and int(version[1]) >= OLDEST_JAVA


def _install_java_and_maven() -> None:
    try:
        install(f"openjdk-{OLDEST_JAVA}-jre-headless", "maven", unless=_is_java_there)
    except NotInstalled as error:
        raise KafkaNotFound(f"Java and Maven: {error}") from None
    if not _is_java_there():
        raise KafkaNotFound("Java or Maven is still not there after apt-get install.")


def _is_java_there() -> bool:
    return _java_is_enough() and shutil.which("mvn") is not None


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        check=False,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
