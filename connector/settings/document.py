"""Which file is read, and its text: bytes to a tree of mappings, lists and scalars, or a problem with its line and column.

Knows nothing of which keys there are. No message repeats what stands in the file, but for a key that stands twice.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from connector.settings.problems import Problem, joined

# What the parser quotes when it quotes the name of a token; anything else may be a value.
_TOKEN_NAME = re.compile(r"'(<[a-z ]+>|[?:,\[\]{}-])'")


DEFAULT_PATH = Path("config/connector.yaml")


class _Refused(Exception):  # noqa: N818
    """The file is no document. Says why."""


def path_of(path: Path | None, environ: Mapping[str, str]) -> Path:
    """The file that is read: this one, or the one that CONNECTOR_CONFIG names, or config/connector.yaml."""
    return path or Path(environ.get("CONNECTOR_CONFIG") or DEFAULT_PATH)


def read(path: Path, hint: str = "") -> tuple[object, list[Problem]]:
    """The tree in the file, and what is wrong with its text. The tree is None when it cannot be read.

    Args:
        hint: what to do where there is no such file.
    """
    try:
        tree, problems = _parsed(_text(path, hint))
    except _Refused as refused:
        tree, problems = None, [str(refused)]
    return tree, [Problem(str(path), problem) for problem in problems]


def _text(path: Path, hint: str) -> str:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise _Refused(f"there is no such file{hint}") from None
    except IsADirectoryError:
        raise _Refused("is a directory: name the file in it") from None
    except PermissionError:
        raise _Refused("may not be read by this user") from None
    except (OSError, ValueError):  # ValueError: a path that no system call takes
        raise _Refused("cannot be read") from None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        place = _place(before.count(b"\n"), error.start - (before.rfind(b"\n") + 1))
        raise _Refused(f"is not text in UTF-8 ({place})") from None


def _parsed(text: str) -> tuple[object, list[str]]:
    try:
        loader = _Loader(text)
        tree = loader.get_single_data()
    except yaml.YAMLError as error:
        raise _Refused(_described(error, text)) from None
    except RecursionError:
        raise _Refused("is nested too deeply") from None
    if tree is None:
        raise _Refused("is empty: it must be a mapping of keys to values")
    if not isinstance(tree, dict):
        raise _Refused("must be a mapping of keys to values (line 1, column 1)")
    return tree, loader.twice


def _described(error: yaml.YAMLError, text: str) -> str:
    if isinstance(error, yaml.reader.ReaderError):
        before = text[: error.position]
        place = _place(before.count("\n"), error.position - (before.rfind("\n") + 1))
        return f"holds a character that YAML does not allow ({place})"
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    place = f" ({_place(mark.line, mark.column)})" if mark else ""
    return f"is not YAML: {_reason(error, text, mark)}{place}"


def _reason(error: yaml.YAMLError, text: str, mark: Any) -> str:
    words = getattr(error, "problem", None) or ""
    if mark and text[mark.index : mark.index + 1] == "\t":
        return "a tab cannot indent, use spaces"
    if words.startswith("could not determine a constructor"):
        return "a tag (!…) that is not known here"
    words = _TOKEN_NAME.sub(r"\1", words)
    return words if words and "'" not in words and '"' not in words else "this cannot be read"


def _place(line: int, column: int) -> str:
    return f"line {line + 1}, column {column + 1}"


class _Loader(yaml.SafeLoader):
    """YAML's safe loader, which also sees keys that stand twice: YAML forbids them, the parser drops one."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.twice: list[str] = []

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node: yaml.MappingNode = super().compose_mapping_node(anchor)
        # Here, and not when it is constructed: merging adds keys that may rightly be overridden.
        first: dict[tuple[str, str], int] = {}
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                line = first.setdefault((key.tag, key.value), key.start_mark.index)
                if line != key.start_mark.index:
                    place = _place(key.start_mark.line, key.start_mark.column)
                    self.twice.append(f"the key {joined('', key.value)} stands twice ({place})")
        return node

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:  # noqa: FBT001, FBT002
        try:
            return super().construct_object(node, deep=deep)
        except (ValueError, OverflowError):
            # 2024-13-45 is a date by its look alone; the library's own words would quote it.
            raise yaml.constructor.ConstructorError(
                problem="what looks like a number or a date is none; put quotes around it",
                problem_mark=node.start_mark,
            ) from None
