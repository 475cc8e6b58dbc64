"""The catalogue of log lines, held to the code that says them and to the document that shows them."""

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from connector.telemetry import document
from connector.telemetry.lines import ANY_KEYS, KEYS, LINES, SECTIONS, SOME_KEYS, Shape

ROOT = Path(__file__).parent.parent.parent
LEVELS = ("debug", "info", "warning", "error", "critical")
FAILED = "a log line could not be written"
"""The one line that is no call: the log's own."""


class Said(NamedTuple):
    """A call that says a line."""

    where: str
    level: str
    event: str
    keys: frozenset[str]


def said_in(path: str, text: str) -> Iterator[Said]:
    """Every call of a logger in a module."""
    tree = ast.parse(text)
    functions = {one.name: one for one in ast.walk(tree) if isinstance(one, ast.FunctionDef)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            logger = ast.unparse(node.func.value)
            if logger.endswith("_log") or logger.startswith("structlog.get_logger"):
                where = f"{path}:{node.lineno}"
                if node.func.attr == "bind":
                    continue
                assert node.func.attr in LEVELS, f"{where}: a logger has no {node.func.attr}"
                assert len(node.args) == 1, f"{where}: a name, and keys"
                assert isinstance(node.args[0], ast.Constant), f"{where}: a name is a constant"
                keys = frozenset(_keys(node, functions)) - {"exc_info"}
                yield Said(where, node.func.attr, str(node.args[0].value), keys)


def _keys(call: ast.Call, functions: Mapping[str, ast.FunctionDef]) -> Iterator[str]:
    for keyword in call.keywords:
        if keyword.arg is not None:
            yield keyword.arg
        else:
            yield from _keys_of_function(keyword.value, functions)


def _keys_of_function(value: ast.expr, functions: Mapping[str, ast.FunctionDef]) -> Iterator[str]:
    """The keys of the dictionary that a function of the same module makes, for ** of its call."""
    assert isinstance(value, ast.Call), f"{ast.unparse(value)}: ** is for calls of functions here"
    for node in ast.walk(functions[ast.unparse(value.func)]):
        if isinstance(node, ast.Dict):
            for key, inner in zip(node.keys, node.values, strict=True):
                if isinstance(key, ast.Constant):
                    yield str(key.value)
                else:
                    yield from _keys_of_function(inner, functions)
        elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
            assert isinstance(node.slice, ast.Constant)
            yield str(node.slice.value)


def modules() -> Iterator[tuple[str, str]]:
    """The service's modules, by path: the sandbox's programs log for themselves."""
    for path in sorted((ROOT / "connector").rglob("*.py")):
        if "sandbox" not in path.parts:
            yield path.relative_to(ROOT).as_posix(), path.read_text("utf-8")


@pytest.fixture(scope="module")
def calls() -> list[Said]:
    return [
        one
        for path, text in modules()
        if path.startswith("connector/telemetry/")
        for one in said_in(path, text)
    ]


def test_every_line_that_is_said_is_catalogued_with_its_level_and_its_keys(
    calls: list[Said],
) -> None:
    assert len(calls) > 30
    for one in calls:
        assert one.event in LINES, f"{one.where}: give {one.event!r} its line in telemetry/lines.py"
        line = LINES[one.event]
        assert line.level == one.level, f"{one.where}: the catalogue says {line.level}"
        assert one.keys == set(line.keys), (
            f"{one.where}: not in the catalogue: {sorted(one.keys - set(line.keys))};"
            f" not said: {sorted(set(line.keys) - one.keys)}"
        )


def test_every_line_of_the_catalogue_is_said_somewhere(calls: list[Said]) -> None:
    assert LINES.keys() - {one.event for one in calls} == {FAILED}


def test_only_telemetry_says_lines() -> None:
    words = "|".join((*LEVELS, "exception", "log"))
    says = re.compile(rf"log\w*(?:\([^)]*\))?\.(?:{words})\(", re.IGNORECASE)
    assert says.search("logging.getLogger(__name__).error('x')")
    for path, text in modules():
        if not path.startswith("connector/telemetry/"):
            assert not says.search(text), f"{path}: a line is a function of telemetry/events.py"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("self._log.exception('x')", "no exception"),
        ("self._log.info('x', 3)", "a name, and keys"),
        ("self._log.info(f'{x}')", "constant"),
        ("self._log.info('x', **facts)", "calls of functions"),
    ],
)
def test_a_call_that_cannot_be_catalogued_is_seen(text: str, complaint: str) -> None:
    with pytest.raises(AssertionError, match=complaint):
        list(said_in("x.py", text))


def test_keys_are_found_wherever_they_stand() -> None:
    text = """
def _inner(): return {"c": 1}
def _outer():
    facts = {**_inner(), "b": 2}
    facts["d"] = 3
    return facts
_log.warning("x", a=0, **_outer(), exc_info=True)
structlog.get_logger("connector").error("y")
"""
    assert [(one.level, one.event, sorted(one.keys)) for one in said_in("x.py", text)] == [
        ("warning", "x", ["a", "b", "c", "d"]),
        ("error", "y", []),
    ]


def test_names_are_unique_and_plain() -> None:
    names = [line.event for some in SECTIONS.values() for line in some]

    assert len(names) == len(set(names))
    for line in LINES.values():
        assert line.level in LEVELS
        assert line.event == line.event.lower()
        assert "|" not in line.event + line.meaning
        assert line.meaning.endswith("."), line.event


def test_keys_are_those_that_lines_have() -> None:
    used = {key for line in LINES.values() for key in line.keys}

    assert used == SOME_KEYS.keys()
    assert ANY_KEYS.keys().isdisjoint(SOME_KEYS)
    assert list(SOME_KEYS) == sorted(SOME_KEYS)
    assert {key.shape for key in KEYS.values()} == set(Shape)


@pytest.mark.parametrize("table", [document.lines, document.any_keys, document.some_keys])
def test_the_document_shows_the_catalogue(table: object) -> None:
    assert callable(table)
    assert table() in (ROOT / "docs/logs.md").read_text("utf-8"), (
        "docs/logs.md: paste what python -m connector.telemetry.document logs prints"
    )
