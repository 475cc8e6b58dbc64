"""The example of an Alertmanager's configuration, on a real one: who is told of what, and what goes untold."""

import contextlib
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.deploy.alerts.alertmanager import Alertmanager, Receiver, amtool, copied_config
from tests.deploy.alerts.rules import ALERTMANAGER, Rule, alerts
from tests.end_to_end.deployment import free_port, until

pytestmark = pytest.mark.deploy

EXAMPLE = ALERTMANAGER / "alertmanager.yml"
RECEIVERS = {"critical": "on-call", "warning": "team", "info": "digest"}
PATIENCE = 30.0  # seconds, for what takes about one


def test_amtool_finds_the_example_right() -> None:
    done = amtool("check-config", EXAMPLE)

    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("alert", alerts(), ids=lambda one: f"{one.name}-{one.severity}")
def test_each_alert_has_its_receiver(alert: Rule) -> None:
    wanted = f"--verify.receivers={RECEIVERS[alert.severity]}"
    labels = (f"alertname={alert.name}", f"severity={alert.severity}")
    done = amtool("config", "routes", "test", f"--config.file={EXAMPLE}", wanted, *labels)

    assert done.returncode == 0, done.stdout


class Firing(NamedTuple):
    """An alert that fires, without its job."""

    name: str
    severity: str
    destination: str = ""

    def labels(self, job: str) -> dict[str, str]:
        more = {"destination": self.destination} if self.destination else {}
        return {"alertname": self.name, "severity": self.severity, "job": job, **more}


DOWN = Firing("ConnectorDown", "critical")
ONE_DOWN = Firing("ConnectorDown", "warning")
LETTERS = Firing("ConnectorDeadLetters", "warning")
STANDS_STILL = Firing("ConnectorNoProgress", "critical")
STALE = Firing("ConnectorDeliveryStale", "warning")
DESTINATION = Firing("ConnectorDestinationHalted", "critical", "apac")
ITS_AUDIENCE = Firing("ConnectorAudienceHalted", "warning", "apac")
OTHER_AUDIENCE = Firing("ConnectorAudienceHalted", "warning", "emea")
ERRORS_FAST = Firing("ConnectorErrorBudgetBurnFast", "critical")
ERRORS_SLOW = Firing("ConnectorErrorBudgetBurnSlow", "warning")
LATE_FAST = Firing("ConnectorFreshnessBurnFast", "critical")
LATE_SLOW = Firing("ConnectorFreshnessBurnSlow", "warning")
ERASURE_DAY = Firing("ConnectorErasureLate", "critical")
ERASURE_HOUR = Firing("ConnectorErasureLate", "warning")

CASES = (
    (DOWN, LETTERS, "suppressed"),
    (DOWN, STANDS_STILL, "suppressed"),
    (DOWN, ONE_DOWN, "suppressed"),
    (ONE_DOWN, LETTERS, "active"),
    (DESTINATION, ITS_AUDIENCE, "suppressed"),
    (DESTINATION, OTHER_AUDIENCE, "active"),
    (DESTINATION, STALE, "active"),
    (ERRORS_FAST, ERRORS_SLOW, "suppressed"),
    (LATE_FAST, LATE_SLOW, "suppressed"),
    (LATE_FAST, ERRORS_SLOW, "active"),
    (ERASURE_DAY, ERASURE_HOUR, "suppressed"),
)
"""What fires, what fires in the same job besides, and what becomes of the latter."""


def test_a_mere_consequence_goes_untold(tmp_path: Path) -> None:
    """All cases at once, each in a job of its own: so it is seen too that jobs are kept apart."""
    with contextlib.ExitStack() as stack:
        receiver = stack.enter_context(contextlib.closing(Receiver()))
        config = copied_config(tmp_path / "alertmanager", receiver.root)
        alertmanager = Alertmanager(tmp_path, config, free_port())
        stack.callback(alertmanager.end)
        alertmanager.tell(
            [one.labels(f"job-{n}") for n, case in enumerate(CASES) for one in case[:2]]
        )
        causes = [cause.labels(f"job-{n}") for n, (cause, _, _) in enumerate(CASES)]
        # Told of all causes, it has looked at all that they suppress.
        until(lambda: all(map(receiver.has, causes)), PATIENCE, "all causes to be told")
        states = {
            frozenset(one["labels"].items()): one["status"]["state"]
            for one in alertmanager.alerts()
        }

    found = [
        states[frozenset(also.labels(f"job-{n}").items())] for n, (_, also, _) in enumerate(CASES)
    ]
    assert found == [state for _, _, state in CASES]
