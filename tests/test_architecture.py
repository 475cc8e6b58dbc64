"""What the picture in ARCHITECTURE.md promises about the code, held to it: directions, purity, libraries, sizes.

A rule is a function from modules to complaints; each complaint names the file, the line and what to do. The last
test shows every rule a snippet that breaks it, so that a rule which can no longer fail is noticed.
"""

import ast
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent

ALLOWED: Mapping[str, frozenset[str]] = {
    unit: frozenset(below.split())
    for unit, below in {
        "connector.__main__": "connector.cli",
        "connector.cli": (
            "connector.app connector.replay connector.assembly connector.configured connector.sandbox connector.telemetry"
            " connector.explanation connector.tiktok connector.kafka connector.core connector.settings connector.secret"
            " connector.errors connector"
        ),
        "connector.app": (
            "connector.front connector.assembly connector.configured connector.watchdog connector.reload connector.stopping"
            " connector.settings connector.telemetry connector.errors"
        ),
        "connector.front": (
            "connector.admin connector.assembly connector.configured connector.snapshot connector.status"
            " connector.operations connector.history connector.lags connector.reload connector.settings"
            " connector.telemetry"
        ),
        "connector.replay.run": (
            "connector.replay.assembly connector.replay connector.kafka connector.settings connector.stopping"
        ),
        "connector.replay.assembly": (
            "connector.assembly connector.configured connector.replay connector.tiktok connector.kafka connector.core"
            " connector.settings"
        ),
        "connector.assembly": (
            "connector.delivery_parts connector.configured connector.intake connector.pauses connector.pipeline"
            " connector.governance"
            " connector.record_letters connector.committer connector.until_end connector.delivery connector.tiktok"
            " connector.kafka connector.telemetry connector.formats connector.core connector.settings"
        ),
        "connector.delivery_parts": (
            "connector.suppression_parts connector.configured connector.delivery connector.tiktok connector.kafka"
            " connector.telemetry connector.core connector.settings"
        ),
        "connector.suppression_parts": (
            "connector.configured connector.governance connector.record_letters connector.delivery connector.kafka"
            " connector.telemetry connector.core connector.settings"
        ),
        "connector.configured": (
            "connector.pauses connector.governance connector.delivery connector.kafka connector.formats"
            " connector.core connector.settings"
        ),
        "connector.admin": (
            "connector.snapshot connector.status connector.operations connector.telemetry connector.secret connector.errors"
        ),
        "connector.snapshot": (
            "connector.status connector.headline connector.advice connector.operations connector.history"
            " connector.reload connector.delivery connector.core connector"
        ),
        "connector.status": (
            "connector.intake connector.pauses connector.governance connector.delivery connector.telemetry"
            " connector.core"
        ),
        "connector.headline": "",
        "connector.advice": "connector.delivery",
        "connector.operations": "connector.pauses connector.delivery",
        "connector.reload": "connector.settings connector.telemetry connector.errors",
        "connector.history": "connector.telemetry",
        "connector.lags": "connector.core connector.errors",
        "connector.stopping": "",
        "connector.watchdog": (
            "connector.intake connector.committer connector.delivery connector.telemetry connector.core connector.errors"
        ),
        "connector.intake": (
            "connector.pauses connector.committer connector.delivery connector.telemetry connector.core"
        ),
        "connector.pauses": "connector.delivery connector.telemetry connector.core",
        "connector.governance": (
            "connector.record_letters connector.delivery connector.telemetry connector.formats connector.core"
            " connector.errors"
        ),
        "connector.pipeline": (
            "connector.record_letters connector.delivery connector.telemetry connector.formats connector.core connector.errors"
        ),
        "connector.record_letters": (
            "connector.delivery connector.telemetry connector.formats connector.core connector.errors"
        ),
        "connector.committer": "connector.telemetry connector.core connector.errors",
        "connector.until_end": "connector.core",
        "connector.explanation": (
            "connector.replay connector.formats connector.core connector.errors"
        ),
        "connector.replay": (
            "connector.delivery connector.telemetry connector.formats connector.core connector.errors"
        ),
        "connector.delivery": "connector.telemetry connector.core connector.errors",
        "connector.tiktok": "connector.core connector.secret connector.errors",
        "connector.tiktok.protocol": "connector.core",
        "connector.kafka": "connector.core connector.secret connector.errors",
        "connector.telemetry": "connector.core connector.errors connector",
        "connector.settings": "connector.formats connector.core.policy connector.secret connector.errors",
        "connector.formats": "connector.core connector.errors",
        "connector.core": "connector.errors",
        "connector.core.policy": "",
        "connector.secret": "connector.errors",
        "connector.sandbox": "connector.errors",
        "connector.errors": "",
        "connector": "",
    }.items()
}
"""What each part may import beside itself, top to bottom: nobody names a part that stands above.

The parts between delivery and assembly know neither Kafka's client nor TikTok: those are seams that they declare.
Formats and core never tell telemetry anything. The sandbox shares no code with what it is there to test.
"""

PURE = (
    "connector.core",
    "connector.explanation",
    "connector.formats",
    "connector.headline",
    "connector.tiktok.protocol",
)

PURE_STANDARD_LIBRARY = frozenset(
    {
        *(
            "base64",
            "binascii",
            "bisect",
            "collections",
            "dataclasses",
            "datetime",
            "enum",
            "fnmatch",
            "functools",
        ),
        *("hashlib", "heapq", "itertools", "math", "operator", "re", "string", "types", "typing"),
    }
)
"""Of the standard library, what does no IO, reads no clock, draws no chance and keeps no time."""

IMPURE_CALLS = frozenset(
    {
        *("datetime.now", "datetime.utcnow", "datetime.today", "date.today"),
        *("open", "print", "input", "breakpoint", "exec", "eval"),
    }
)

LIBRARIES: Mapping[str, tuple[str, ...]] = {
    "aiohttp": ("connector.tiktok.client", "connector.admin", "connector.sandbox"),
    "aiokafka": ("connector.kafka",),
    "confluent_kafka": ("connector.sandbox",),
    "jmespath": ("connector.formats.paths",),
    "msgspec": (
        "connector.core",
        "connector.formats",
        "connector.replay.letters",
        "connector.sandbox",
    ),
    "orjson": (
        "connector.admin",
        "connector.core",
        "connector.formats",
        "connector.tiktok",
        "connector.telemetry",
        "connector.sandbox",
    ),
    "phonenumbers": (
        "connector.core.normal_forms",
        "connector.settings",
        "connector.sandbox.digests",
    ),
    "prometheus_client": ("connector.telemetry", "connector.admin", "connector.sandbox"),
    "pydantic": ("connector.settings",),
    "rich": ("connector.sandbox",),
    "structlog": ("connector.telemetry",),
    "yaml": ("connector.settings",),
}
"""Where each library may be imported: behind one seam, so that it can be replaced there."""

SHARED_BY_FORMATS = ("connector.formats.membership", "connector.formats.paths")

MOST_LINES = 400
MOST_FUNCTION_LINES = 60
MOST_CLASS_LINES = 200

EMPTY_NAMES = frozenset(
    f"{name}{plural}"
    for name in ("util", "helper", "common", "manager", "handler", "base", "misc")
    for plural in ("", "s")
)


class Module(NamedTuple):
    """One file: its dotted name, its path from the root, its text and its syntax tree."""

    name: str
    path: str
    text: str
    tree: ast.Module

    @property
    def package(self) -> str:
        return self.name if self.path.endswith("__init__.py") else self.name.rpartition(".")[0]


class Import(NamedTuple):
    """One imported module, wherever in the file it is imported."""

    line: int
    target: str


Rule = Callable[[Sequence[Module]], Iterator[str]]


def module(path: str, text: str) -> Module:
    name = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    return Module(name, path, text, ast.parse(text, path))


def modules(folder: str) -> list[Module]:
    files = sorted((ROOT / folder).rglob("*.py"))
    return [module(file.relative_to(ROOT).as_posix(), file.read_text("utf-8")) for file in files]


CODE = modules("connector")
TESTS = modules("tests")


def imports(one: Module) -> Iterator[Import]:
    """All imports, those within functions included. `from a import b` is an import of a.b."""
    for node in ast.walk(one.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(node.lineno, alias.name)
        elif isinstance(node, ast.ImportFrom):
            parts = one.package.split(".")
            above = parts[: len(parts) - node.level + 1] if node.level else []
            source = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                yield Import(node.lineno, f"{source}.{alias.name}")


def is_within(name: str, part: str) -> bool:
    return name == part or name.startswith(f"{part}.")


def part_of(name: str) -> str:
    """The part of ALLOWED that a module, or a name in one, belongs to: the longest that fits."""
    return max((part for part in ALLOWED if is_within(name, part)), key=len)


def goes_downward(some: Sequence[Module]) -> Iterator[str]:
    for one in some:
        mine = part_of(one.name)
        for line, target in imports(one):
            if not is_within(target, "connector"):
                continue
            theirs = part_of(target)
            if theirs == "connector" and target not in {"connector", "connector.__version__"}:
                yield (
                    f"{one.path}:{line}: {target} belongs to no part that ALLOWED knows:"
                    " give it a line there and one in ARCHITECTURE.md"
                )
            elif not _may_import(mine, theirs):
                allowed = ", ".join(sorted(ALLOWED[mine])) or "nothing"
                yield (
                    f"{one.path}:{line}: {mine} must not import {target}. It may import {allowed}:"
                    " move the code down, or declare a small Protocol of what is needed"
                )


def _may_import(mine: str, theirs: str) -> bool:
    """A part may import itself, a purer corner of itself, and what its line in ALLOWED names."""
    if mine == theirs or (mine != "connector" and is_within(theirs, mine)):
        return True
    return any(
        theirs == other or (other != "connector" and is_within(theirs, other))
        for other in ALLOWED[mine]
    )


def has_a_place(some: Sequence[Module]) -> Iterator[str]:
    for one in some:
        if part_of(one.name) == "connector" and one.name != "connector":
            yield (
                f"{one.path}:1: this module belongs to no part that ALLOWED knows:"
                " give it a line there and one in ARCHITECTURE.md"
            )


def has_no_cycles(some: Sequence[Module]) -> Iterator[str]:
    known = {one.name: one for one in some}
    edges = {
        one.name: {
            found: line
            for line, target in imports(one)
            if (found := target if target in known else target.rpartition(".")[0]) in known
            and found != one.name
        }
        for one in some
    }
    settled: set[str] = set()
    while free := [name for name in known if name not in settled and edges[name].keys() <= settled]:
        settled.update(free)
    for name in sorted(known.keys() - settled):
        for target, line in edges[name].items():
            if target not in settled and _reaches(edges, target, name):
                yield (
                    f"{known[name].path}:{line}: {target} leads back to {name}: move what both need"
                    " into a module below"
                )


def _reaches(edges: Mapping[str, Mapping[str, int]], start: str, goal: str) -> bool:
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if name == goal:
            return True
        if name not in seen:
            seen.add(name)
            waiting.extend(edges[name])
    return False


def keeps_formats_apart(some: Sequence[Module]) -> Iterator[str]:
    for one in some:
        if not is_within(one.name, "connector.formats"):
            continue
        for line, target in imports(one):
            is_shared = any(is_within(target, one) for one in SHARED_BY_FORMATS)
            if is_within(target, "connector.formats") and not is_shared:
                yield (
                    f"{one.path}:{line}: formats do not import each other ({target}): what two of them"
                    " need goes into formats/membership.py or formats/paths.py"
                )


def imports_only_pure_things(some: Sequence[Module]) -> Iterator[str]:
    for one in some:
        if not any(is_within(one.name, part) for part in PURE):
            continue
        for line, target in imports(one):
            top = target.partition(".")[0]
            if top in sys.stdlib_module_names and top not in PURE_STANDARD_LIBRARY:
                yield (
                    f"{one.path}:{line}: this module is pure and must not import {top}: take time, chance"
                    " or bytes as an argument, and let the caller do the rest"
                )


def calls_only_pure_things(some: Sequence[Module]) -> Iterator[str]:
    for one in some:
        if not any(is_within(one.name, part) for part in PURE):
            continue
        for node in ast.walk(one.tree):
            if isinstance(node, ast.AsyncFunctionDef):
                yield f"{one.path}:{node.lineno}: this module is pure: make {node.name} a plain function"
            elif isinstance(node, ast.Call) and (name := ast.unparse(node.func)) in IMPURE_CALLS:
                yield f"{one.path}:{node.lineno}: this module is pure and must not call {name}()"


def keeps_libraries_in_place(some: Sequence[Module]) -> Iterator[str]:
    for one in some:
        for line, target in imports(one):
            top = target.partition(".")[0]
            if top in sys.stdlib_module_names or top == "connector":
                continue
            if top not in LIBRARIES:
                yield (
                    f"{one.path}:{line}: nothing says where {top} may be imported: add it to LIBRARIES,"
                    " to pyproject.toml, and to the record of dependencies in docs/decisions"
                )
            elif not any(is_within(one.name, place) for place in LIBRARIES[top]):
                yield f"{one.path}:{line}: {top} may be imported only in {', '.join(LIBRARIES[top])}"


def has_no_mocks(some: Sequence[Module]) -> Iterator[str]:
    for one in some:
        for line, target in imports(one):
            if is_within(target, "unittest.mock") or is_within(target, "mock"):
                yield f"{one.path}:{line}: no mocks: write a fake of the seam in tests/fakes"


def has_short_modules(some: Sequence[Module]) -> Iterator[str]:
    for one in some:
        if (lines := len(one.text.splitlines())) > MOST_LINES:
            yield f"{one.path}:1: {lines} lines, more than {MOST_LINES}: find the second concept in it"


def has_short_functions(some: Sequence[Module]) -> Iterator[str]:
    yield from _too_long(some, (ast.FunctionDef, ast.AsyncFunctionDef), MOST_FUNCTION_LINES)


def has_short_classes(some: Sequence[Module]) -> Iterator[str]:
    yield from _too_long(some, (ast.ClassDef,), MOST_CLASS_LINES)


def _too_long(
    some: Sequence[Module],
    kinds: tuple[type[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef], ...],
    most: int,
) -> Iterator[str]:
    for one in some:
        for node in ast.walk(one.tree):
            if isinstance(node, kinds):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > most:
                    yield f"{one.path}:{node.lineno}: {node.name} has {lines} lines, more than {most}: split it"


def has_telling_names(some: Sequence[Module]) -> Iterator[str]:
    for one in some:
        for word in one.name.split("."):
            if word.lower().strip("_") in EMPTY_NAMES:
                yield f"{one.path}:1: the name {word} says nothing: call it after the concept it owns"


def has_docstrings(some: Sequence[Module]) -> Iterator[str]:
    for one in some:
        is_empty = one.path.endswith("__init__.py") and not one.text.strip()
        if not is_empty and not ast.get_docstring(one.tree):
            yield f"{one.path}:1: no docstring: say what the module owns and what it must not know"


def _hold(rule: Rule, some: Sequence[Module]) -> None:
    complaints = list(rule(some))
    assert not complaints, "\n" + "\n".join(complaints)


def test_the_table_of_directions_itself_goes_downward() -> None:
    parts = list(ALLOWED)
    upward = [
        f"{part} may import {other}, which stands above it or nowhere"
        for number, part in enumerate(parts)
        for other in ALLOWED[part]
        if other not in parts[number + 1 :]
    ]
    assert not upward, "\n".join(upward)


def test_imports_go_downward_only() -> None:
    _hold(goes_downward, CODE)


def test_every_module_has_a_place_in_the_table() -> None:
    _hold(has_a_place, CODE)


def test_no_two_modules_need_each_other() -> None:
    _hold(has_no_cycles, CODE)


def test_formats_do_not_import_each_other() -> None:
    _hold(keeps_formats_apart, CODE)


def test_the_pure_parts_import_nothing_impure() -> None:
    _hold(imports_only_pure_things, CODE)


def test_the_pure_parts_call_nothing_impure() -> None:
    _hold(calls_only_pure_things, CODE)


def test_each_library_stays_in_its_place() -> None:
    _hold(keeps_libraries_in_place, CODE)


def test_there_are_no_mocks() -> None:
    _hold(has_no_mocks, [*CODE, *TESTS])


def test_modules_are_short() -> None:
    _hold(has_short_modules, CODE)


def test_functions_are_short() -> None:
    _hold(has_short_functions, CODE)


def test_classes_are_short() -> None:
    _hold(has_short_classes, CODE)


def test_names_say_something() -> None:
    _hold(has_telling_names, [*CODE, *TESTS])


def test_modules_say_what_they_own() -> None:
    _hold(has_docstrings, CODE)


DOC = '"""Owns nothing."""\n'

BREAKS: Sequence[tuple[Rule, Sequence[tuple[str, str]], int]] = (
    (
        goes_downward,
        [("connector/core/lane.py", "from connector.telemetry.events import Telemetry")],
        1,
    ),
    (goes_downward, [("connector/delivery/probes.py", "\nfrom connector.tiktok import client")], 2),
    (
        goes_downward,
        [("connector/formats/native.py", "def f():\n    import connector.telemetry")],
        2,
    ),
    (goes_downward, [("connector/sandbox/demo.py", "from connector import settings")], 1),
    (goes_downward, [("connector/tiktok/protocol.py", "from connector.tiktok.client import X")], 1),
    (goes_downward, [("connector/intake.py", "from .kafka import source")], 1),
    (goes_downward, [("connector/core/lane.py", "from connector.nowhere import X")], 1),
    (has_a_place, [("connector/nowhere.py", DOC)], 1),
    (
        has_no_cycles,
        [
            ("connector/core/one.py", "from connector.core.two import X"),
            ("connector/core/two.py", "import re\nimport connector.core.one"),
        ],
        1,
    ),
    (
        keeps_formats_apart,
        [("connector/formats/native.py", "from connector.formats import segment")],
        1,
    ),
    (imports_only_pure_things, [("connector/core/retry.py", "import re\nimport random")], 2),
    (imports_only_pure_things, [("connector/tiktok/protocol.py", "from asyncio import sleep")], 1),
    (calls_only_pure_things, [("connector/core/letter.py", "x = datetime.now(UTC)")], 1),
    (calls_only_pure_things, [("connector/formats/native.py", "\nasync def f(): ...")], 2),
    (keeps_libraries_in_place, [("connector/intake.py", "import aiokafka")], 1),
    (keeps_libraries_in_place, [("connector/core/lane.py", "import phonenumbers")], 1),
    (keeps_libraries_in_place, [("connector/app.py", "def f():\n    import requests")], 2),
    (has_no_mocks, [("tests/test_x.py", "from unittest import mock")], 1),
    (has_no_mocks, [("tests/test_x.py", "from unittest.mock import Mock")], 1),
    (has_short_modules, [("connector/core/lane.py", "x = 1\n" * 401)], 1),
    (has_short_functions, [("connector/core/lane.py", "def f():\n" + "    x = 1\n" * 60)], 1),
    (has_short_classes, [("connector/core/lane.py", "class C:\n" + "    x = 1\n" * 200)], 1),
    (has_telling_names, [("connector/core/utils.py", DOC)], 1),
    (has_telling_names, [("tests/helpers/lane.py", DOC)], 1),
    (has_docstrings, [("connector/core/lane.py", "import re")], 1),
    (has_docstrings, [("connector/core/__init__.py", "import re")], 1),
)


@pytest.mark.parametrize(("rule", "files", "line"), BREAKS)
def test_each_rule_can_fail(rule: Rule, files: Sequence[tuple[str, str]], line: int) -> None:
    complaints = list(rule([module(path, text) for path, text in files]))

    assert complaints
    assert complaints[0].startswith(f"{files[0][0]}:{line}: ")


def test_the_rules_leave_alone_what_is_right() -> None:
    right = [
        module(
            "connector/tiktok/client.py",
            f"{DOC}from connector.tiktok import protocol\nimport aiohttp",
        ),
        module("connector/tiktok/protocol.py", f"{DOC}from connector.core.batch import Batch"),
        module("connector/telemetry/events.py", f"{DOC}from connector import __version__"),
        module(
            "connector/formats/native.py", f"{DOC}from connector.formats.membership import Decode"
        ),
        module("connector/core/__init__.py", ""),
    ]
    rules = {rule for rule, _, _ in BREAKS}

    assert [complaint for rule in rules for complaint in rule(right)] == []
