"""What the documents say, held to the code; and what no file of the repository may hold.

Each test compares two things that would otherwise drift apart, and its message says which one to mend.
"""

import ast
import contextlib
import importlib
import io
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from connector.cli.main import main
from connector.core.identity import DROP_REASONS
from connector.core.letter import BLOCKED, REJECTED, UNREADABLE_RECORD
from connector.core.outcome import Delivered, Halted, Outcome, Rejected, Retryable
from connector.formats.membership import MALFORMED_TIMESTAMP
from connector.settings.refused import NOT_YET
from connector.settings.schema import json_schema
from connector.telemetry import document
from connector.tiktok import protocol

ROOT = Path(__file__).parent.parent
CODE = sorted((ROOT / "connector").rglob("*.py"))
LOCKS = tuple(
    f"requirements{group}.lock" for group in ("", "-dev", "-deploy", "-build", "-fuzz", "-bench")
)

MADE_BY_TOOLS = frozenset(
    {".venv", ".git", ".cache", ".hypothesis", ".coverage", "__pycache__", "dist", "build"}
)

# In two pieces, or this file would be the first to name them.
REGISTRIES = re.compile(
    "|".join(
        f"{name}{rest}"
        for name, rest in (
            ("pypi", r"\.org"),
            ("python", r"hosted\.org"),
            ("test.", r"pypi\."),
            ("registry", r"\.npmjs"),
            ("registry-1", r"\.docker"),
            ("repo1?", r"\.maven"),
            ("proxy", r"\.golang"),
            ("deb", r"\.debian\.org"),
            ("index", r"-url\s*[=:]\s*\S"),
            ("trusted", r"-host\s*[=:]\s*\S"),
            ("find", r"-links\s*[=:]\s*\S"),
        )
    )
)
DEVELOPERS_PATH = re.compile(
    r"(?<![\w.:/])/(?:home|Users|root|work|workspace|mnt)" + r"/[\w.-]+|[A-Z]:\\Users"
)

BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
CODE_SPAN = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
KEY = re.compile(
    r"(?:kafka|tiktok|governance|delivery|admin|log)\.[a-z_.\[\]]+"
    r"|(?:destinations|identities|routes|segments)\[\]\.[a-z_]+"
)


def files() -> Iterator[Path]:
    """All files of the repository: neither caches nor what tools made."""
    for path in sorted(ROOT.rglob("*")):
        parts = path.relative_to(ROOT).parts
        if path.is_file() and not any(_is_made_by_tools(part) for part in parts):
            yield path


def _is_made_by_tools(name: str) -> bool:
    return name in MADE_BY_TOOLS or name.endswith(("_cache", ".egg-info"))


def text_of(path: Path | str) -> str:
    return (ROOT / path).read_text("utf-8")


def documents() -> list[Path]:
    return [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]


def at(path: Path, text: str, position: int) -> str:
    return f"{path.relative_to(ROOT)}:{text.count(chr(10), 0, position) + 1}"


def matches(pattern: re.Pattern[str]) -> list[str]:
    found = []
    for path in files():
        try:
            text = path.read_text("utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{at(path, text, one.start())}: {one[0]}" for one in pattern.finditer(text)]
    return found


# What no file may hold


def test_no_file_names_a_package_registry() -> None:
    found = matches(REGISTRIES)

    assert not found, "where packages come from is each machine's own setting:\n" + "\n".join(found)


def test_no_file_holds_a_path_of_somebodys_machine() -> None:
    found = matches(DEVELOPERS_PATH)

    assert not found, "write the path relative to the repository:\n" + "\n".join(found)


@pytest.mark.parametrize(
    "bad", ["https://pypi" + ".org/simple", "--extra-index" + "-url=https://x"]
)
def test_a_registry_would_be_seen(bad: str) -> None:
    assert REGISTRIES.search(bad)


@pytest.mark.parametrize(
    "bad", ["cd /ho" + "me/jane/x", '"/wo' + 'rk/main"', "C:" + r"\Users\jane"]
)
def test_a_path_of_a_machine_would_be_seen(bad: str) -> None:
    assert DEVELOPERS_PATH.search(bad)


@pytest.mark.parametrize(
    "good", ["/run/secrets/x", "https://a.example/home/x", "docs/work/x", "./home/x"]
)
def test_other_paths_are_left_alone(good: str) -> None:
    assert not DEVELOPERS_PATH.search(good)


# Locks and licence


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_holds_versions_and_hashes_and_no_addresses(name: str) -> None:
    text = text_of(name)
    blocks = re.split(r"\n(?=[A-Za-z0-9])", text.strip())

    assert "://" not in text, f"{name} holds an address: make it again with make lock"
    assert not re.search(r"^\s*-(?!-hash=sha256:)", text, re.MULTILINE), f"{name} holds an option"
    for block in blocks:
        first = block.splitlines()[0]
        assert re.match(r"[A-Za-z0-9._-]+==\S+", first), f"{name}: {first} names no exact version"
        assert "--hash=sha256:" in block, (
            f"{name}: {first} has no hash: make it again with make lock"
        )


def test_the_locks_hold_every_dependency() -> None:
    project = tomllib.loads(text_of("pyproject.toml"))
    wanted = [
        *project["project"]["dependencies"],
        *(one for some in project["project"]["optional-dependencies"].values() for one in some),
    ]
    groups = project["dependency-groups"]
    dev = [*wanted, *groups["dev"]]
    of_each = (wanted, dev, groups["deploy"], groups["build"], groups["fuzz"], groups["bench"])
    for lock, some in zip(LOCKS, of_each, strict=True):
        locked = set(re.findall(r"^([A-Za-z0-9._-]+)==", text_of(lock), re.MULTILINE))
        names = {re.split(r"[<>=\[; ]", one)[0].lower() for one in some}
        assert names <= {name.lower() for name in locked}, (
            f"{lock} is older than pyproject.toml: make lock"
        )


def test_each_dependency_has_its_reason() -> None:
    project = tomllib.loads(text_of("pyproject.toml"))["project"]
    record = text_of("docs/decisions/2026-11-21-dependencies.md").lower()
    for one in (*project["dependencies"], *project["optional-dependencies"]["sandbox"]):
        name = re.split(r"[<>=\[; ]", one)[0].lower()
        assert f"| {name} " in record, f"docs/decisions: say in a sentence why it is {name}"


def test_the_licence_is_the_one_that_is_declared() -> None:
    assert tomllib.loads(text_of("pyproject.toml"))["project"]["license"] == "Apache-2.0"
    assert "Apache License" in text_of("LICENSE")
    assert "END OF TERMS AND CONDITIONS" in text_of("LICENSE")


# Commands, targets, links


def commands_in(path: Path) -> Iterator[tuple[str, str]]:
    """Every command line in a document, with where it stands."""
    text = path.read_text("utf-8")
    for block in BLOCK.finditer(text):
        if block[1] == "console":
            lines = block[2].replace("\\\n", " ").splitlines()
            for line in (one[2:] for one in lines if one.startswith("$ ")):
                for part in re.split(r"&&|\|", line.partition("#")[0]):
                    yield at(path, text, block.start()), part.strip()
    for span in CODE_SPAN.finditer(BLOCK.sub(lambda block: "\n" * block[0].count("\n"), text)):
        yield at(path, text, span.start()), span[1]


def help_of(command: str) -> str:
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown), contextlib.suppress(SystemExit):
        main([command, "--help"])
    return shown.getvalue()


def test_every_make_target_in_a_document_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", text_of("Makefile"), re.MULTILINE))
    for path in documents():
        for where, line in commands_in(path):
            # Variables may stand before the target: KAFKA_BOOTSTRAP_SERVERS=… make test
            if wanted := re.fullmatch(r"(?:\w+=\S+ )*make ((?:\w+=\S+ )*)([a-z-]+)", line):
                assert wanted[2] in targets, f"{where}: the Makefile has no target {wanted[2]}"


def test_the_document_for_contributors_names_every_target() -> None:
    text = text_of("CONTRIBUTING.md")
    for target in re.findall(r"^([a-z-]+):.*## ", text_of("Makefile"), re.MULTILINE):
        assert f"`make {target}`" in text, f"CONTRIBUTING.md: say what make {target} does"


def test_every_command_in_a_document_exists() -> None:
    for path in documents():
        for where, line in commands_in(path):
            words = line.removeprefix(".venv/bin/").split()
            if words[:1] != ["connector"] or len(words) == 1 or words[1].startswith("-"):
                continue
            shown = help_of(words[1])
            assert shown, f"{where}: there is no command connector {words[1]}"
            for option in (word for word in words[2:] if word.startswith("--")):
                assert option in shown, f"{where}: connector {words[1]} has no option {option}"


def test_every_command_stands_in_the_readme() -> None:
    shown = help_of("--help")
    commands = [
        path.stem for path in CODE if path.parent.name == "cli" and f"\n    {path.stem} " in shown
    ]
    assert {"run", "check"} <= set(commands)
    for command in commands:
        assert f"`connector {command}`" in text_of("README.md"), (
            f"README.md does not tell of connector {command}"
        )


def test_every_module_to_run_in_a_document_exists() -> None:
    for path in documents():
        for where, line in commands_in(path):
            if wanted := re.match(r"(?:\S*python\S* )-m (connector[\w.]*)", line):
                name = wanted[1] if "." in wanted[1] else f"{wanted[1]}.__main__"
                path_of_it = ROOT / f"{name.replace('.', '/')}.py"
                assert path_of_it.is_file(), f"{where}: there is no module {wanted[1]}"


def test_links_lead_somewhere() -> None:
    for path in documents():
        text = BLOCK.sub("", path.read_text("utf-8"))
        for target in LINK.findall(text):
            file, _, anchor = target.partition("#")
            if "://" in target:
                continue
            goal = (path.parent / file).resolve() if file else path
            assert goal.exists(), f"{path.relative_to(ROOT)}: {target} leads nowhere"
            if anchor:
                assert anchor in anchors(goal), (
                    f"{path.relative_to(ROOT)}: {target}: no such heading"
                )


def anchors(path: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", BLOCK.sub("", path.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in headings}


def test_decisions_are_dated() -> None:
    for path in (ROOT / "docs" / "decisions").iterdir():
        date = re.match(r"\d{4}-\d\d-\d\d", path.name)
        assert date, f"{path.name}: a record's name begins with its date"
        assert date[0] in path.read_text("utf-8"), f"{path.name}: the record does not say when"


# The picture of the code


def modules_in_picture() -> set[str]:
    named: set[str] = set()
    folder = None
    for line in text_of("ARCHITECTURE.md").splitlines():
        if heading := re.match(r"#+ (?:`(connector/[\w/]*)`)?", line):
            folder = heading[1]
        elif folder and (row := re.match(r"\| `(\w+\.py)` \|", line)):
            named.add(folder + row[1])
    return named


def test_the_picture_names_every_module_and_no_other() -> None:
    named = modules_in_picture()
    there = {path.relative_to(ROOT).as_posix() for path in CODE}

    assert not there - named, (
        f"ARCHITECTURE.md does not name {sorted(there - named)}: give each its line"
    )
    assert not named - there, f"ARCHITECTURE.md names what is not there: {sorted(named - there)}"


def test_paths_in_the_picture_exist() -> None:
    for span in CODE_SPAN.findall(text_of("ARCHITECTURE.md")):
        if re.fullmatch(r"[\w/]+/[\w./]*|\w+\.(py|md|yaml)", span) and not span.startswith("/"):
            places = (ROOT / span, ROOT / "connector" / span, *(ROOT / "connector").rglob(span))
            assert any(place.exists() for place in places), f"ARCHITECTURE.md: there is no {span}"


# Reasons


def rows(path: str, heading: str) -> list[list[str]]:
    """The cells of the tables below a heading, down to the next one."""
    below = text_of(path).split(f"\n{heading}\n", 1)[1]
    below = re.split(r"^#", below, maxsplit=1, flags=re.MULTILINE)[0]
    lines = [line for line in below.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split(" |")] for line in lines]


def first_words(path: str, heading: str) -> list[str]:
    return [word for row in rows(path, heading) for word in CODE_SPAN.findall(row[0])]


def raised_reasons() -> set[str]:
    """The reasons of all InvalidRecord in the code, by name or in letters."""
    reasons = set()
    for path in CODE:
        if "sandbox" in path.parts:
            continue
        module = path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "InvalidRecord":
                reason: Any = node.args[0]
                if isinstance(reason, ast.Constant):
                    reasons.add(str(reason.value))
                else:
                    reasons.add(getattr(importlib.import_module(module), ast.unparse(reason)))
    return reasons


def counted_reasons() -> set[str]:
    """The reasons that telemetry counts by itself, in letters."""
    text = text_of("connector/telemetry/events.py")
    return set(re.findall(r'record_errors\.add\(1, [\w.]+, "(\w+)"\)', text))


def outcomes() -> Iterator[Outcome]:
    """Every outcome there is: of all codes, of HTTP statuses without an envelope, and of no answer."""
    for code in range(70_100):
        yield protocol.classify(200, b'{"code":%d}' % code)
    yield protocol.classify(200, b'{"code":40002,"message":"audience is processing"}')
    for status in (200, 302, 400, 401, 404, 413, 429, 500, 503):
        yield protocol.classify(status, b"")
    yield from (protocol.timed_out(), protocol.disconnected(sent=True), protocol.unusable_token())


@pytest.fixture(scope="module")
def reasons() -> Mapping[type[Outcome], set[str]]:
    found: dict[type[Outcome], set[str]] = {
        Delivered: set(),
        Rejected: set(),
        Retryable: set(),
        Halted: set(),
    }
    for one in outcomes():
        reason = one.warning if isinstance(one, Delivered) else one.reason
        if reason is not None:
            found[type(one)].add(reason)
    return found


def test_every_reason_of_a_dead_letter_is_documented() -> None:
    documented = {
        word for row in rows("docs/dead-letters.md", "## Reasons") for word in [row[0].strip("`")]
    }
    causes = {
        row[0].strip("`") for row in rows("docs/dead-letters.md", "## Reasons") if len(row) == 3
    }

    assert documented - causes == raised_reasons() | {UNREADABLE_RECORD, REJECTED, BLOCKED}


def test_every_cause_of_a_rejection_is_documented(
    reasons: Mapping[type[Outcome], set[str]],
) -> None:
    causes = {
        row[0].strip("`") for row in rows("docs/dead-letters.md", "## Reasons") if len(row) == 3
    }

    assert causes == reasons[Rejected] | {"too_many_ids"}


def test_every_reason_that_is_only_counted_is_documented() -> None:
    documented = set(first_words("docs/dead-letters.md", "## Counted, not set aside"))

    assert documented == counted_reasons() | {MALFORMED_TIMESTAMP}


def test_every_reason_to_retry_or_halt_is_documented(
    reasons: Mapping[type[Outcome], set[str]],
) -> None:
    documented = first_words("docs/dead-letters.md", "## What is not a dead letter")
    text = text_of("docs/dead-letters.md")

    assert set(documented) == reasons[Retryable] | reasons[Halted]
    assert all(f"`{warning}`" in text for warning in reasons[Delivered])


def test_every_reason_to_drop_an_identifier_is_documented() -> None:
    found = first_words("docs/events.md", "## Identities")

    assert [word for word in found if word in DROP_REASONS] == list(DROP_REASONS)


# Metrics


def test_the_table_of_metrics_is_the_catalogues() -> None:
    assert document.table() in text_of("docs/metrics.md"), (
        "docs/metrics.md: paste what python -m connector.telemetry.document prints"
    )


def test_every_metric_in_a_document_exists() -> None:
    known = set(re.findall(r"`(tiktok_connector_\w+)`", document.table()))
    for path in documents():
        text = path.read_text("utf-8")
        for found in re.finditer(r"\btiktok_connector_\w+", text):
            assert found[0] in known, (
                f"{at(path, text, found.start())}: there is no metric {found[0]}"
            )


# Configuration


def keys(node: Mapping[str, Any] | None = None, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every key's path and its default: "required" or None where there is none."""
    schema = json_schema()
    node = node or schema
    for name, field in node["properties"].items():
        here = f"{path}.{name}" if path else name
        below = field.get("$ref") or field.get("items", {}).get("$ref")
        if below:
            inner = f"{here}[]" if "items" in field else here
            yield from keys(schema["$defs"][below.rpartition("/")[2]], inner)
        else:
            yield here, "required" if name in node.get("required", ()) else field.get("default")


def in_words(default: Any) -> str:
    if default in ("required", None, ""):
        return {"required": "required", None: "none", "": "empty"}[default]
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    return f"`{default:g}`" if isinstance(default, float) else f"`{default}`"


def test_every_key_is_documented_with_its_default() -> None:
    table = {}
    for line in text_of("docs/configuration.md").splitlines():
        if row := re.match(r"\| `([a-z_.\[\]]+)` \| ([^|]+) \|", line):
            table[row[1]] = row[2].strip()

    assert table == {path: in_words(default) for path, default in keys()}


def test_every_key_in_a_document_exists() -> None:
    known = {path for path, _ in keys()}
    sections = {path.rpartition(".")[0] for path in known}
    sections |= {path.removesuffix("[]") for path in sections}
    for path in documents():
        for where, span in commands_in(path):
            name = span.partition(":")[0]
            if KEY.fullmatch(name):
                assert name in known | sections | NOT_YET.keys() or name.endswith(".py"), (
                    f"{where}: there is no key {name}"
                )


def test_every_variable_in_a_document_sets_something() -> None:
    known = {
        f"CONNECTOR_{path.replace('.', '__').upper()}" for path, _ in keys() if "[]" not in path
    }
    known |= {"CONNECTOR_KAFKA__SECURITY__PASSWORD"}
    for path in documents():
        text = path.read_text("utf-8")
        for found in re.finditer(r"CONNECTOR_\w+__\w+", text):
            assert found[0] in known, f"{at(path, text, found.start())}: {found[0]} sets nothing"


def test_what_is_not_supported_yet_is_said() -> None:
    text = text_of("docs/configuration.md")
    for key, pattern in NOT_YET.items():
        if not pattern.pattern:
            assert f"`{key}`" in text, f"docs/configuration.md: say that {key} is not supported yet"
