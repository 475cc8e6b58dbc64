"""`connector schema`: on stdout the JSON Schema, and nothing else."""

import json

import pytest

from connector.cli.main import main
from connector.settings.schema import json_schema

Capture = pytest.CaptureFixture[str]


def test_stdout_is_the_schema(capsys: Capture) -> None:
    assert main(["schema"]) == 0
    output, errors = capsys.readouterr()
    assert json.loads(output) == json_schema()
    assert output.endswith("}\n")
    assert errors == ""


def test_it_needs_no_configuration(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONNECTOR_CONFIG", "/nowhere/connector.yaml")

    assert main(["schema", "--config", "/nowhere/either.yaml"]) == 0
    assert json.loads(capsys.readouterr().out)["type"] == "object"


def test_it_knows_the_sections(capsys: Capture) -> None:
    main(["schema"])

    sections = json.loads(capsys.readouterr().out)["properties"]
    assert {"kafka", "tiktok", "destinations", "identities", "routes"} <= sections.keys()
    assert {"delivery", "admin", "log"} <= sections.keys()
