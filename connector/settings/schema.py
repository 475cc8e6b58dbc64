"""The JSON Schemas of the configuration and of a policy, for editors, and the files in config/ that are made from them.

Run as a program, it writes them: python -m connector.settings.schema --write config
"""

import argparse
import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from connector.settings.governance import PolicySettings
from connector.settings.model import Settings
from connector.settings.reference import render


def json_schema() -> dict[str, Any]:
    """The schema of the file (JSON Schema, draft 2020-12). Unknown keys are refused by it, as by the connector."""
    schema = _schema_of(Settings, "configuration")
    return {**schema, "examples": [_smallest(schema, schema)]}


def policy_schema() -> dict[str, Any]:
    """The schema of the policy file, likewise."""
    return _schema_of(PolicySettings, "policy")


def _schema_of(model: type[BaseModel], what: str) -> dict[str, Any]:
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"TikTok audience connector: {what}",
        **_tidy(model.model_json_schema()),
    }


def reference_yaml() -> str:
    """A configuration with every key, its description, what it may be and its default."""
    return render(json_schema())


def _tidy(node: Any) -> Any:
    """Without what pydantic adds and no reader needs: titles made from names, and defaults of whole sections."""
    if isinstance(node, list):
        return [_tidy(item) for item in node]
    if not isinstance(node, dict):
        return node
    dropped = {"title"} if isinstance(node.get("title"), str) else set()
    if "$ref" in node or node.get("default", ...) is None:
        dropped.add("default")
    return {key: _tidy(value) for key, value in node.items() if key not in dropped}


def _smallest(schema: dict[str, Any], node: dict[str, Any]) -> Any:
    """What must be given, from the examples of its parts."""
    if reference := node.get("$ref"):
        return _smallest(schema, schema["$defs"][reference.rpartition("/")[2]])
    if node.get("type") == "array":
        return [_smallest(schema, node["items"])]
    if node.get("type") == "object":
        return {key: _smallest(schema, node["properties"][key]) for key in node["required"]}
    return node["examples"][0]


def generated() -> dict[str, str]:
    """The files made from the models, by name."""
    return {
        "schema.json": _as_text(json_schema()),
        "policy.schema.json": _as_text(policy_schema()),
        "reference.yaml": reference_yaml(),
    }


def _as_text(schema: dict[str, Any]) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the schemas and reference.yaml again.")
    parser.add_argument("--write", type=Path, metavar="FOLDER", required=True)
    folder = parser.parse_args().write
    for name, text in generated().items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
