"""The list of what the image installs, as `make sbom` writes it. That the image holds the same, test_image says."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from connector import __version__

pytestmark = pytest.mark.deploy

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    target = tmp_path_factory.mktemp("sbom") / "sbom.cdx.json"
    done = subprocess.run(
        [ROOT / "deploy" / "write-sbom", target],
        check=False,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert done.returncode == 0, done.stdout
    return target.read_text()


@pytest.fixture(scope="module")
def document(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text)
    return found


def test_it_is_what_cyclonedx_says_it_must_be(text: str) -> None:
    validator = JsonStrictValidator(SchemaVersion.V1_6)

    assert validator.validate_str(text) is None
    assert validator.validate_str(text.replace('"purl"', '"pur"')) is not None


def test_it_names_every_locked_package_and_no_other(document: dict[str, Any]) -> None:
    lock = (ROOT / "requirements.lock").read_text()
    locked = re.findall(r"^([A-Za-z0-9._-]+)==([^\s;]+)", lock, re.MULTILINE)

    assert {one["purl"] for one in document["components"]} == {
        f"pkg:pypi/{name}@{version}" for name, version in locked
    }


def test_it_says_of_what_it_is_the_list(document: dict[str, Any]) -> None:
    root = document["metadata"]["component"]

    assert (root["name"], root["version"]) == ("tiktok-audience-connector", __version__)
    assert document["serialNumber"]
    assert document["metadata"]["timestamp"]


def test_it_tells_the_licence_of_everything(document: dict[str, Any]) -> None:
    assert [one["name"] for one in document["components"] if not one.get("licenses")] == []


def test_it_tells_who_needs_whom(document: dict[str, Any]) -> None:
    needs = {one["ref"]: set(one.get("dependsOn", ())) for one in document["dependencies"]}
    reached: set[str] = set()
    waiting = [document["metadata"]["component"]["bom-ref"]]
    while waiting:
        one = waiting.pop()
        if one not in reached:
            reached.add(one)
            waiting.extend(needs[one])

    assert reached == needs.keys(), "something is there that nobody needs"
