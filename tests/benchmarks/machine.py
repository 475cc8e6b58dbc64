"""On what the figures were measured: the machine, the commit, and the versions of what takes part."""

import os
import platform
import re
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

from tests.benchmarks.programs import QUIX_PYTHON
from tests.kafka_broker.jars import POM

_ROOT: Final = Path(__file__).parents[2]
_ASK_QUIX: Final = "from importlib.metadata import version; print(version('quixstreams'))"


def description() -> str:
    """One line each, as Markdown."""
    facts = {
        "date": datetime.now(UTC).date().isoformat(),
        "commit": _commit(),
        "machine": f"{_cpu()}, {os.cpu_count()} cores, {_memory_gb():.0f} GB",
        "versions": ", ".join(
            (
                f"Python {platform.python_version()}",
                *(f"{one} {version(one)}" for one in ("aiokafka", "aiohttp", "orjson")),
                f"Quix Streams {_output([QUIX_PYTHON, '-c', _ASK_QUIX]) or 'not installed'}",
                f"Apache Kafka {_kafka()}",
            )
        ),
    }
    return "\n".join(f"- {name}: {fact}" for name, fact in facts.items())


def _commit() -> str:
    """The commit, with a + where files differ from it."""
    commit = _output(["git", "rev-parse", "--short=10", "HEAD"])
    changed = _output(["git", "status", "--porcelain"])
    return f"{commit or 'unknown'}{'+' if changed else ''}"


def _cpu() -> str:
    found = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1] if found else platform.machine()


def _memory_gb() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9


def _kafka() -> str:
    found = re.search(r"kafka_2\.13</artifactId>\s*<version>([^<]+)<", POM.read_text())
    return found[1] if found else "unknown"


def _output(command: Sequence[str]) -> str:
    """What a program prints; nothing where it cannot be run."""
    try:
        done = subprocess.run(command, cwd=_ROOT, check=False, text=True, capture_output=True)
    except FileNotFoundError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
