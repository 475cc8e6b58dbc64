"""The configuration's JSON Schema, for editors, and the files in config/ that are made from it.

Run as a program, it writes them: python -m connector.settings.schema --write config
"""

import argparse
import json
from pathlib import Path
from typing import Any

from connector.settings.model import Settings
from connector.settings.reference import render

_TITLE = "TikTok audience connector: configuration"


def json_schema() -> dict[str, Any]:
    """The schema of the file (JSON Schema, draft 2020-12). Unknown keys are refused by it, as by the connector."""
    schema = _tidy(Settings.model_json_schema())
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": _TITLE}
    return {**head, **schema, "examples": [_smallest(schema, schema)]}


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
    schema = json.dumps(json_schema(), indent=2, ensure_ascii=False)
    return {"schema.json": schema + "\n", "reference.yaml": reference_yaml()}


def main() -> None:
    parser = argparse.ArgumentParser(description="Write schema.json and reference.yaml again.")
    parser.add_argument("--write", type=Path, metavar="FOLDER", required=True)
    folder = parser.parse_args().write
    for name, text in generated().items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
