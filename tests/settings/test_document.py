"""Files that are no configuration at all."""

from pathlib import Path

import pytest

from connector.errors import SettingsError
from connector.settings.load import load
from tests.settings.test_load import SMALLEST
from tests.settings.trees import TOKENS, load_text


def refused(folder: Path, text: str | bytes) -> list[str]:
    with pytest.raises(SettingsError) as error:
        load_text(folder, text)
    return error.value.problems


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is empty"),
        ("# a comment\n", "is empty"),
        ("- a\n- b\n", "must be a mapping"),
        ("hunter2", "must be a mapping"),
        ("kafka: [hunter2\n", "(line 2, column 1)"),
        ("kafka:\n  hunter2: x: y\n", "mapping values are not allowed here (line 2, column 13)"),
        ("kafka:\n\thunter2: 1\n", "a tab cannot indent, use spaces (line 2, column 1)"),
        ("kafka: *hunter2\n", "is not YAML: this cannot be read (line 1, column 8)"),
        ("kafka: !hunter2 x\n", "a tag (!…) that is not known here (line 1, column 8)"),
        ("kafka: !!python/object:hunter2 x\n", "a tag (!…) that is not known here (line 1"),
        ("kafka: 'hunter2\n", "found unexpected end of stream (line 2, column 1)"),
        ('kafka: "\\hunter2"\n', "this cannot be read (line 1, column 10)"),
        ("a: 1\nkafka: 2024-13-45\n", "put quotes around it (line 2, column 8)"),
        (f"kafka: {'9' * 5000}\n", "put quotes around it (line 1, column 8)"),
        ("kafka: 1\n--- \nhunter2: 1\n", "but found another document (line 2, column 1)"),
        ("? [a]\n: 1\n", "found unhashable key (line 1, column 3)"),
        ("a: \x07hunter2\n", "holds a character that YAML does not allow (line 1, column 4)"),
        ("[" * 5000, "is nested too deeply"),
        (b"a: 1\nb: caf\xe9 hunter2\n", "is not text in UTF-8 (line 2, column 7)"),
        ("a: 1".encode("utf-16"), "is not text in UTF-8 (line 1, column 1)"),
    ],
)
def test_one_problem_with_its_place(tmp_path: Path, text: str | bytes, problem: str) -> None:
    (found,) = refused(tmp_path, text)
    assert found.startswith(f"{tmp_path / 'connector.yaml'}: ")
    assert problem in found
    assert "hunter2" not in found
    assert found.isprintable()


def test_keys_that_stand_twice(tmp_path: Path) -> None:
    text = SMALLEST + "log: {level: info, format: json, level: debug}\nroutes: []\n"
    found = refused(tmp_path, text)
    assert [problem.partition(": ")[2] for problem in found[:2]] == [
        "the key level stands twice (line 11, column 34)",
        "the key routes stands twice (line 12, column 1)",
    ]
    # The rest of the file is judged as well.
    assert found[2:] == ["routes: must have at least one entry"]


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    assert load_text(tmp_path, b"\xef\xbb\xbf" + SMALLEST.encode()).routes[0].segment == "gold"


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as error:
        load(tmp_path / "nowhere.yaml", TOKENS)
    (problem,) = error.value.problems
    assert problem.startswith(f"{tmp_path / 'nowhere.yaml'}: there is no such file; name one with")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="is a directory"):
        load(tmp_path, TOKENS)


def test_a_path_that_cannot_be_opened(tmp_path: Path) -> None:
    loop = tmp_path / "loop.yaml"
    loop.symlink_to(loop)
    for path in (loop, Path("nul\0")):
        with pytest.raises(SettingsError, match="cannot be read"):
            load(path, TOKENS)
