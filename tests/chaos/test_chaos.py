"""The chaos run in its short form: each misfortune once, and each of TikTok's faults set."""

from tests.chaos.faults import FAULTS
from tests.chaos.run import Plan, run

# The session is longer than in the long form: on a busy machine a process may stand still for seconds.
PLAN = Plan(
    seconds=20, seed=4, rate=800, faults_a_strike=4, most_gap=0.8, session_seconds=6, evenly=True
)


def test_nothing_is_lost_and_nothing_wrong_whatever_happens() -> None:
    result = run(PLAN)

    assert list(result.verdict.failures()) == []
    assert result.verdict.lost == result.verdict.wrong == 0
    assert result.misfortunes["kill_a_connector"] > 0
    assert result.fault_settings.keys() == {one.name for one in FAULTS}
    assert result.poisoned_calls > 0
