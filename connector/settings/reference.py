"""Renders a schema as a commented YAML file. Knows JSON Schema, and nothing of what the keys mean."""

import json
from collections.abc import Iterator, Mapping
from textwrap import wrap
from typing import Any

import yaml

_WIDTH = 96

_HEAD = """\
# yaml-language-server: $schema=schema.json
#
# Every key there is. A key shows its default, or an example where it is required; keys that are
# commented out have no default. Leave out what you do not change: connector.yaml is the shortest form.
# Made from the code: python -m connector.settings.schema --write config
"""

Node = Mapping[str, Any]


def render(schema: Node) -> str:
    """The file's text: every key with its description, what it may be, and its default or an example."""
    return _HEAD + "\n".join(_Renderer(schema["$defs"]).sections(schema)) + "\n"


class _Renderer:
    def __init__(self, definitions: Mapping[str, Node]) -> None:
        self._definitions = definitions

    def sections(self, schema: Node) -> Iterator[str]:
        """The top of the file: its keys apart from each other."""
        for key in schema["properties"]:
            yield ""
            yield from self._key(schema, key, {})

    def _mapping(self, node: Node, given: Node) -> Iterator[str]:
        for key in node["properties"]:
            yield from self._key(node, key, given)

    def _key(self, parent: Node, key: str, given: Node) -> Iterator[str]:
        node: Node = parent["properties"][key]
        required = key in parent["required"] if "required" in parent else False
        below = self._definition(node)
        yield from _comment({**(below or {}), **node}, required=required)
        if below:
            yield f"{key}:"
            yield from _indented(self._mapping(below, {}))
        elif item := self._definition(node.get("items", {})):
            yield from self._entries(key, item, node.get("default", [{}]))
        elif (value := given.get(key, node.get("default"))) is not None:
            yield f"{key}: {_scalar(value)}"
        else:
            yield f"{'' if required else '# '}{key}: {_scalar(node['examples'][0])}"

    def _entries(self, key: str, item: Node, entries: list[Node]) -> Iterator[str]:
        """A list of mappings; one that is empty by default shows what an entry would be."""
        if entries:
            yield f"{key}:"
            yield from _indented(self._list(item, entries))
        else:
            yield f"{key}: []"
            yield from (f"# {line}" for line in self._list(item, [{}]))

    def _list(self, item: Node, entries: list[Node]) -> Iterator[str]:
        """The first entry in full, the others in short."""
        first, *others = entries
        dash = "- "
        for line in self._mapping(item, first):
            # The dash belongs before the first key, and not before its comment.
            if line.startswith("#"):
                yield f"  {line}" if dash == "  " else line
            else:
                yield dash + line
                dash = "  "
        for entry in others:
            keys = (f"{key}: {_scalar(entry[key])}" for key in item["required"])
            yield f"- {{{', '.join(keys)}}}"

    def _definition(self, node: Node) -> Node | None:
        reference = node.get("$ref", "")
        return self._definitions.get(reference.rpartition("/")[2])


def _indented(lines: Iterator[str]) -> Iterator[str]:
    return (f"  {line}" for line in lines)


def _scalar(value: Any) -> str:
    """A value in YAML's flow style. Text in quotes wherever YAML could take it for something else."""
    if isinstance(value, list):
        return f"[{', '.join(map(_scalar, value))}]"
    if isinstance(value, str):
        return value if yaml.safe_load(value or "null") == value else json.dumps(value)
    return f"{value:g}" if isinstance(value, float) else json.dumps(value)


def _comment(node: Node, *, required: bool) -> Iterator[str]:
    words = node["description"]
    if required and "$ref" not in node:
        words += " Required."
    for text in filter(None, (words, _allowed(node))):
        yield from (f"# {line}" for line in wrap(text, _WIDTH, break_on_hyphens=False))


def _allowed(node: Node) -> str:
    """What the value may be, in words; empty where the description is enough."""
    for part in (node, node.get("items", {}), *node.get("anyOf", [])):
        if choices := part.get("enum") or ([part["const"]] if "const" in part else None):
            return f"One of: {', '.join(choices)}"
        least, most = part.get("minimum"), part.get("maximum")
        more = part.get("exclusiveMinimum")
        bounds = [
            f"more than {more:g}" if more is not None else "",
            f"at least {least}" if least is not None else "",
            f"at most {most}" if most is not None else "",
        ]
        if any(bounds):
            return f"A number: {', '.join(filter(None, bounds))}"
        if "items" in part and (inner := _allowed(part["items"])):
            return inner
    return ""
