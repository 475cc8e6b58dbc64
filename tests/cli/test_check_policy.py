"""A policy at the command line: every command that reads the configuration keeps to it, and `check` says that it did."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from connector.cli.main import main
from tests.cli.surroundings import check, configuration

NOBODY = "127.0.0.1:1"
URL = "https://example.com"
VARIABLE = "CONNECTOR_GOVERNANCE__POLICY_FILE"
NO_HEALTH = {"name": "no-health", "deny": {"labels": ["health"]}, "reason": "It is the law."}
REFUSAL = (
    "connector: routes[0]: the policy's rule no-health denies that segment gold, labelled health, feeds destination"
    " emea. It is the law.\n"
)

Capture = pytest.CaptureFixture[str]
Change = Callable[[dict[str, Any]], None]


def policy(folder: Path, name: str = "policy.yaml", **content: Any) -> Path:
    path = folder / name
    path.write_text(yaml.safe_dump({"rules": [NO_HEALTH], **content}))
    return path


def under(path: Path | None, *labels: str, **governance: Any) -> Change:
    def change(tree: dict[str, Any]) -> None:
        tree["governance"] = {"policy_file": str(path), **governance} if path else governance
        tree["segments"] = [{"match": "g*", "labels": list(labels)}]

    return change


@pytest.mark.parametrize(
    "command",
    [
        ["run"],
        ["run", "--until-end"],
        ["check"],
        ["check", "--offline", "--output", "json"],
        ["explain", "members:0:0"],
        ["dead-letters", "list"],
    ],
    ids=" ".join,
)
def test_a_denied_route_is_exit_code_2_naming_the_rule(
    command: list[str], tmp_path: Path, capsys: Capture
) -> None:
    path = configuration(tmp_path, URL, NOBODY, change=under(policy(tmp_path), "health"))

    assert main([*command, "--config", str(path)]) == 2
    assert capsys.readouterr() == ("", REFUSAL)


def test_a_label_taken_away_lifts_the_refusal(tmp_path: Path, capsys: Capture) -> None:
    path = configuration(tmp_path, URL, NOBODY, change=under(policy(tmp_path), "vip"))

    code, findings, errors = check(capsys, path, "--offline")

    assert (code, errors) == (0, "")
    assert findings["policy"] == ("ok", "1 rule applied to 1 route: nothing is denied")
    assert "consent" not in findings


def test_without_a_policy_nothing_is_said_of_it(tmp_path: Path, capsys: Capture) -> None:
    path = configuration(tmp_path, URL, NOBODY, change=under(None, "health"))

    code, findings, _ = check(capsys, path, "--offline")

    assert code == 0
    assert "policy" not in findings


def test_consent_that_either_file_requires_is_said(tmp_path: Path, capsys: Capture) -> None:
    change = under(policy(tmp_path, require_consent=["ads"]), require_consent=["profiling"])
    path = configuration(tmp_path, URL, NOBODY, change=change)

    _, findings, _ = check(capsys, path, "--offline")

    assert findings["consent"] == ("ok", "nobody is added without consent to profiling, ads")


def test_a_suppression_topic_is_one_of_those_to_ask_for(tmp_path: Path, capsys: Capture) -> None:
    change = under(None, suppression_topic="suppressed")
    path = configuration(tmp_path, URL, NOBODY, change=change)

    _, findings, _ = check(capsys, path, "--offline")

    assert findings["kafka"][1].endswith("has members, members.dead-letter, suppressed")


def test_the_platforms_variable_wins_over_the_file(tmp_path: Path) -> None:
    """As a process of its own, with the environment that a container has."""
    own = policy(tmp_path, "own.yaml", rules=[{"name": "none", "deny": {"labels": ["nothing"]}}])
    forced = policy(tmp_path, "forced.yaml")
    path = configuration(tmp_path, URL, NOBODY, change=under(own, "health"))
    command = [sys.executable, "-m", "connector", "check", "--offline", "--config", str(path)]

    ended = [
        subprocess.run(
            command, capture_output=True, text=True, timeout=30, check=False, env=environ
        )
        for environ in ({**os.environ}, {**os.environ, VARIABLE: str(forced)})
    ]

    assert [one.returncode for one in ended] == [0, 2]
    assert [one.stderr for one in ended] == ["", REFUSAL]


def test_a_policy_that_is_gone_is_exit_code_2(tmp_path: Path, capsys: Capture) -> None:
    path = configuration(tmp_path, URL, NOBODY, change=under(tmp_path / "gone.yaml"))

    assert main(["check", "--offline", "--config", str(path)]) == 2
    assert "governance.policy_file: " in capsys.readouterr().err
