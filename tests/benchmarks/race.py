"""Programs that take turns over one topic, so that a slow minute of the machine meets all of them.

Each is a process of its own and is charged with all that it takes, its start included.
"""

from collections.abc import Sequence
from typing import Any, Final, Self

from tests.benchmarks.programs import CONNECTOR, QUIX_PYTHON, Usage, cost, median_cpu, module, run
from tests.benchmarks.surroundings import Filled, Sink, Surroundings, say

RATE: Final = "records/CPU-s"


class Race:
    """Programs over one topic, and what they took.

    Args:
        surroundings: between what.
        filled: what they read.
        sink: who takes their calls.
        delivery: the connector's options, where they are not the default ones.
    """

    def __init__(
        self, surroundings: Surroundings, filled: Filled, sink: Sink, **delivery: int
    ) -> None:
        self._surroundings = surroundings
        self._filled = filled
        self._sink = sink
        self._delivery = delivery
        self.usages: dict[str, list[Usage]] = {}
        self._taken: dict[str, dict[str, Any]] = {}

    def run(self, names: Sequence[str], rounds: int) -> None:
        """Let them take turns."""
        for number in range(rounds):
            for name in names:
                self._sink.forget()
                usage = run(self._command(name))
                self._note(name)
                self.usages.setdefault(name, []).append(usage)
                rate = self._filled.records / usage.cpu_seconds
                say(
                    f"{self._filled.workload.name}, round {number + 1}: {name} {rate:,.0f} {RATE},"
                    f" {usage.wall_seconds:.1f} s, {usage.peak_mb:.0f} MB"
                )

    def beside(self, other: Self, name: str = "connector") -> float:
        """How many times the CPU it took here than there."""
        return cost(self.usages[name], other.usages[name])

    def rows_in_a_call(self, name: str = "connector") -> float:
        return float(self._taken[name]["rows"] / self._taken[name]["calls"])

    def _note(self, name: str) -> None:
        """Keep what came to the sink; a program that lost rows was not measured.

        Raises:
            RuntimeError: it lost some.
        """
        taken = self._taken[name] = self._sink.taken()
        missing = self._filled.records - taken["rows"]
        if missing and self._filled.workload.is_once and name != "limit":
            raise RuntimeError(f"{name} did not send {missing:,} rows")

    def rate(self, name: str) -> float:
        return self._filled.records / median_cpu(self.usages[name])

    def peak_mb(self, name: str) -> float:
        return max(one.peak_mb for one in self.usages[name])

    def ratio(self, name: str, to: str) -> float:
        """How many records the one takes for each record of the other, with the same CPU."""
        return cost(self.usages[to], self.usages[name])

    def _command(self, name: str) -> list[str]:
        if name == "connector":
            config = self._surroundings.configuration(self._filled, self._sink, **self._delivery)
            return [CONNECTOR, "run", "--until-end", "--config", str(config)]
        place = (self._surroundings.broker.bootstrap_servers, self._filled.topic)
        if name == "limit":
            return module("limit", *place, self._filled.records)
        python = {"python": QUIX_PYTHON} if name == "quix" else {}
        return module(name, *place, self._filled.records, self._sink.port, **python)
