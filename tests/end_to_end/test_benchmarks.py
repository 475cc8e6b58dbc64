"""The benchmark measures: a tiny run of its programs, between the tests' broker and its own sink."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.benchmarks.__main__ import PARTS, document, main
from tests.benchmarks.latency import Case, measured
from tests.benchmarks.race import Race
from tests.benchmarks.scale import burst
from tests.benchmarks.surroundings import Surroundings
from tests.benchmarks.table import Figure
from tests.kafka_broker import Cluster

_RECORDS = 2_000


def test_programs_take_turns_and_lose_nothing(tmp_path: Path, broker: Cluster) -> None:
    surroundings = Surroundings(tmp_path, broker)

    with surroundings.sink() as sink:
        race = Race(surroundings, surroundings.filled("plain", _RECORDS), sink)
        race.run(("limit", "connector", "plain"), 1)

    assert 0 < race.ratio("connector", "limit") < 1
    assert 10 < race.peak_mb("connector") < 500
    assert 1 <= race.rows_in_a_call("plain") <= 100


def test_a_program_that_loses_rows_is_not_measured(tmp_path: Path, broker: Cluster) -> None:
    surroundings = Surroundings(tmp_path, broker)
    bad = surroundings.filled("realistic", 200)
    as_if_clean = replace(bad, workload=replace(bad.workload, is_once=True))

    with surroundings.sink() as sink:
        Race(surroundings, bad, sink).run(("limit", "plain"), 1)
        with pytest.raises(RuntimeError, match="plain did not send"):
            Race(surroundings, as_if_clean, sink).run(("plain",), 1)


def test_a_burst_is_measured(tmp_path: Path, broker: Cluster) -> None:
    rows, calls, *_ = burst(Surroundings(tmp_path, broker), _RECORDS, 1)

    assert 10 < rows.value <= 50
    assert calls.value >= 1


def test_a_latency_is_measured(tmp_path: Path, broker: Cluster) -> None:
    case = Case(500, 0.1, p50=60, p99=60)

    p50, p99, cpu = measured(Surroundings(tmp_path, broker), case, warm=1.5, seconds=1.5)

    assert 0 < p50.value <= p99.value < 60
    assert 0 < cpu.value <= 200


def test_parts_are_named_or_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--only", "throughput,nothing"])

    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert "there is no part nothing" in said
    assert all(part in said for part in PARTS)


def test_the_document_says_on_what_and_how_many_goals_are_met() -> None:
    figures = [Figure("a", 2, at_least=1), Figure("b", 2, at_most=1), Figure("c", 3)]

    text = document(figures, records=10, rounds=2)

    assert "- versions: Python 3." in text
    assert "10 records in a topic, 2 rounds" in text
    assert text.endswith("1 of 2 goals are met.")
