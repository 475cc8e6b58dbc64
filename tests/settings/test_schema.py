"""The schema and the files in config/ that are made from it."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from connector.settings.draft import keys_of
from connector.settings.governance import PolicySettings
from connector.settings.load import load
from connector.settings.model import Settings
from connector.settings.refused import NOT_YET
from connector.settings.schema import generated, json_schema, policy_schema, reference_yaml
from tests.settings.trees import TOKENS, load_text

CONFIG = Path(__file__).parents[2] / "config"


def objects(node: Any) -> Iterator[dict[str, Any]]:
    """Every mapping within the schema that describes an object."""
    if isinstance(node, dict):
        if node.get("type") == "object" and "properties" in node:
            yield node
        for below in node.values():
            yield from objects(below)
    elif isinstance(node, list):
        for below in node:
            yield from objects(below)


@pytest.mark.parametrize("name", ["schema.json", "policy.schema.json", "reference.yaml"])
def test_the_generated_files_are_as_the_code_says(name: str) -> None:
    assert (CONFIG / name).read_text(encoding="utf-8") == generated()[name], (
        "run: python -m connector.settings.schema --write config"
    )


def test_writing_them(tmp_path: Path) -> None:
    program = [sys.executable, "-W", "error", "-m", "connector.settings.schema"]
    subprocess.run([*program, "--write", tmp_path], check=True)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == generated()


def test_the_head_of_the_schema() -> None:
    schema = json_schema()
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["title"] == "TikTok audience connector: configuration"
    assert "$id" not in schema
    assert schema["required"] == ["kafka", "destinations", "routes"]
    assert set(schema["properties"]) == set(Settings.model_fields)


def test_the_head_of_the_schema_of_a_policy() -> None:
    schema = policy_schema()
    assert schema["title"] == "TikTok audience connector: policy"
    assert set(schema["properties"]) == set(PolicySettings.model_fields)
    assert not schema.get("required")


@pytest.mark.parametrize(("schema", "count"), [(json_schema(), 17), (policy_schema(), 4)])
def test_every_object_is_closed_and_every_key_described(schema: dict[str, Any], count: int) -> None:
    found = list(objects(schema))
    assert len(found) == count
    for node in found:
        assert node["additionalProperties"] is False
        assert node["description"]
        for name, key in node["properties"].items():
            assert key.get("description") or "$ref" in key, name
            assert name in node.get("required", ()) or "default" in key or _optional(key), name


def _optional(key: dict[str, Any]) -> bool:
    return "$ref" in key or {"type": "null"} in key.get("anyOf", ())


@pytest.mark.parametrize("schema", [json_schema(), policy_schema()])
def test_every_reference_has_its_definition(schema: dict[str, Any]) -> None:
    wanted = set(re.findall(r'"#/\$defs/(\w+)"', json.dumps(schema)))
    assert wanted == set(schema["$defs"])


def test_bounds_and_choices_are_in_the_schema() -> None:
    definitions = json_schema()["$defs"]
    rows = definitions["DeliverySettings"]["properties"]["max_rows"]
    assert (rows["minimum"], rows["maximum"], rows["default"]) == (1, 10_000, 1000)
    share = definitions["RateLimitSettings"]["properties"]["share"]
    assert (share["exclusiveMinimum"], share["maximum"]) == (0, 1)
    target = definitions["IdentitySettings"]["properties"]["target"]
    assert {"EMAIL_SHA256", "AAID_MD5", "GAID", "email_lc_sha256"} <= set(target["enum"])
    servers = definitions["KafkaSettings"]["properties"]["bootstrap_servers"]
    assert [choice["type"] for choice in servers["anyOf"]] == ["string", "array"]


def test_the_example_of_the_schema_loads(tmp_path: Path) -> None:
    (example,) = json_schema()["examples"]
    load_text(tmp_path, json.dumps(example))


def test_the_reference_loads_and_is_the_defaults(tmp_path: Path) -> None:
    shortest = load(CONFIG / "connector.yaml", TOKENS)
    reference = load_text(tmp_path, reference_yaml())
    assert reference.model_copy(update={"destinations": shortest.destinations}) == shortest


def test_the_reference_has_every_key_and_none_to_come() -> None:
    # With the commented keys taken in, it must be YAML still.
    text = re.sub(r"^( *)# (\w+: \S.*)$", _taken_in, reference_yaml(), flags=re.MULTILINE)
    tree = yaml.safe_load(_with_entries(text))
    assert set(_paths(tree)) >= set(keys_of(Settings))
    lists = {"kafka.topics", "destinations", "identities", "routes", "segments"}
    assert all(_at(tree, path)[0] for path in lists)
    item_keys = {
        "TopicSettings": _at(tree, "kafka.topics")[0],
        "DestinationSettings": tree["destinations"][0],
        "IdentitySettings": tree["identities"][0],
        "RouteSettings": tree["routes"][0],
        "SegmentSettings": tree["segments"][0],
    }
    for name, item in item_keys.items():
        assert set(item) == set(json_schema()["$defs"][name]["properties"])
    assert not {path for path in NOT_YET if "[]" not in path} & set(_paths(tree))


def test_the_reference_shows_an_entry_of_a_list_that_is_empty() -> None:
    text = reference_yaml()
    shown = text[text.index("  tokens: []") :].partition("\n\n")[0].splitlines()[1:]
    (entry,) = yaml.safe_load("\n".join(line.removeprefix("  # ") for line in shown))
    assert set(entry) == set(json_schema()["$defs"]["AdminTokenSettings"]["properties"])


def _taken_in(line: re.Match[str]) -> str:
    """A comment that is a key; a description has words before its colon, or none that is a key."""
    known = {path.rpartition(".")[2] for path in keys_of(Settings)}
    known |= {"default_region", "access_token_file", "columns", "mapping", "consent"}
    return f"{line[1]}{line[2]}" if line[2].partition(":")[0] in known else line[0]


def _with_entries(text: str) -> str:
    """The lists that are empty by default, with the entry that stands below as a comment."""
    entry = re.compile(r"^( *)(\w+): \[\]\n((?:\1# .*\n)+)", re.MULTILINE)
    return entry.sub(
        lambda found: (
            f"{found[1]}{found[2]}:\n" + re.sub(r"^( *)# ", r"\1", found[3], flags=re.MULTILINE)
            if re.search(r"^ *# - ", found[3], re.MULTILINE)
            else found[0]
        ),
        text,
    )


def _paths(tree: Any, path: str = "") -> Iterator[str]:
    if isinstance(tree, dict):
        for key, below in tree.items():
            yield f"{path}{key}"
            yield from _paths(below, f"{path}{key}.")


def _at(tree: Any, path: str) -> Any:
    for step in path.split("."):
        tree = tree[step]
    return tree
