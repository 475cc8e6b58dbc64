"""The tokens of the HTTP side: which are taken, which are refused at the start, and what is shown of it all."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from connector.settings.credentials import resolve_secrets
from connector.settings.schema import json_schema
from connector.settings.shown import without_secrets
from tests.settings.trees import TOKENS, changed, load_tree, problems_of, put

GOOD, OTHER = "a-token-of-its-own-1", "a-token-of-its-own-2"


def entry(folder: Path, name: str, role: str = "view", token: str | None = None) -> dict[str, str]:
    """An entry of admin.tokens, with its file."""
    file = folder / f"{name}.token"
    file.write_text(f"a-token-of-{name}-alone\n" if token is None else token)
    return {"name": name, "role": role, "token_file": str(file)}


def test_tokens_are_read_from_their_files_and_trimmed(tmp_path: Path) -> None:
    entries = [entry(tmp_path, "grafana"), entry(tmp_path, "on-call", "operate")]
    settings = load_tree(tmp_path, changed({"admin.tokens": entries}))
    secrets = resolve_secrets(settings, TOKENS)

    assert [(one.name, one.role) for one in settings.admin.tokens] == [
        ("grafana", "view"),
        ("on-call", "operate"),
    ]
    assert {name: one.value() for name, one in secrets.admin_tokens.items()} == {
        "grafana": "a-token-of-grafana-alone",
        "on-call": "a-token-of-on-call-alone",
    }
    assert "alone" not in repr(secrets)


@pytest.mark.parametrize("tokens", [[], None, ...])
def test_there_may_be_no_tokens(tmp_path: Path, tokens: Any) -> None:
    tree = changed({} if tokens is ... else {"admin.tokens": tokens})
    settings = load_tree(tmp_path, tree)

    assert settings.admin.tokens == ()
    assert resolve_secrets(settings, TOKENS).admin_tokens == {}


def test_metrics_cannot_be_protected_by_no_token(tmp_path: Path) -> None:
    (problem,) = problems_of(tmp_path, changed({"admin.protect_metrics": True}))
    assert problem == "admin.protect_metrics: needs a token: name one in admin.tokens"

    entries = [entry(tmp_path, "prometheus")]
    tree = changed({"admin.protect_metrics": True, "admin.tokens": entries})
    assert load_tree(tmp_path, tree).admin.protect_metrics


@pytest.mark.parametrize(
    ("token", "problem"),
    [
        ("fifteen-letters", "the token has fewer than 16 characters"),
        ("  fifteen-letters \n", "the token has fewer than 16 characters"),
        ("", "the secret is empty"),
        ("two-lines-of-a-\ntoken-are-not-one", "the secret has several lines"),
    ],
)
def test_a_token_that_could_be_guessed_is_refused(tmp_path: Path, token: str, problem: str) -> None:
    entries = [entry(tmp_path, "a"), entry(tmp_path, "b", token=token)]
    (found,) = problems_of(tmp_path, changed({"admin.tokens": entries}))

    assert found.startswith(f"admin.tokens[1].token_file: {problem}")
    assert "letters" not in found


def test_sixteen_characters_are_enough(tmp_path: Path) -> None:
    load_tree(tmp_path, changed({"admin.tokens": [entry(tmp_path, "a", token="x" * 16)]}))


def test_two_names_cannot_have_one_token(tmp_path: Path) -> None:
    entries = [entry(tmp_path, "a", token=GOOD), entry(tmp_path, "b", token=f"{GOOD}\n")]
    (found,) = problems_of(tmp_path, changed({"admin.tokens": entries}))

    assert found == "admin.tokens[1].token_file: holds the same token as that of admin.tokens[0]"


def test_two_tokens_cannot_have_one_name(tmp_path: Path) -> None:
    entries = [entry(tmp_path, "a", token=GOOD), {**entry(tmp_path, "b", token=OTHER), "name": "a"}]
    (found,) = problems_of(tmp_path, changed({"admin.tokens": entries}))

    assert found == "admin.tokens[1].name: is the name of admin.tokens[0] too"


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("role", "admin", "must be one of view, operate"),
        ("role", ..., "is required"),
        ("name", "", "must not be empty"),
        ("token_file", "nowhere", "there is no such file"),
        ("token_file", ..., "is required"),
        ("token", GOOD, "a secret must not stand in the file: use token_file"),
    ],
)
def test_a_wrong_entry(tmp_path: Path, key: str, value: Any, problem: str) -> None:
    tree = changed({"admin.tokens": [entry(tmp_path, "a")]})
    put(tree, f"admin.tokens[0].{key}", value)
    (found,) = problems_of(tmp_path, tree)

    assert found.startswith(f"admin.tokens[0].{key}: {problem}")
    assert GOOD not in found


# What is shown


def test_the_configuration_is_shown_without_its_secrets(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("hunter2-of-kafka")
    tree = changed(
        {
            "admin.tokens": [entry(tmp_path, "on-call", "operate")],
            "destinations[0].access_token_file": str(tmp_path / "password"),
            "kafka.security": {
                "protocol": "SASL_PLAINTEXT",
                "sasl_mechanism": "PLAIN",
                "username": "the-login",
                "password_file": str(tmp_path / "password"),
            },
        }
    )
    shown = without_secrets(load_tree(tmp_path, tree))
    text = yaml.safe_dump(shown)

    assert shown["admin"]["tokens"] == [{"name": "on-call", "role": "operate", "token_file": "set"}]
    assert [one["access_token_file"] for one in shown["destinations"]] == ["set", "not set"]
    assert shown["kafka"]["security"]["username"] == "set"
    assert shown["kafka"]["security"]["ca_file"] == "not set"
    assert shown["delivery"]["max_rows"] == 1000
    for covered in (str(tmp_path), "hunter2", "the-login", "token-of-emea"):
        assert covered not in text


def test_nothing_that_holds_a_path_or_a_login_is_shown_by_its_value() -> None:
    """A key that is added must end in _file, or be named here with a reason why it may be shown."""
    definitions = json_schema()["$defs"]
    keys = {key for one in definitions.values() for key in one.get("properties", {})}
    suspicious = {
        key
        for key in keys
        if any(word in key for word in ("secret", "password", "token", "key", "user", "cert"))
    }

    assert {key for key in suspicious if not key.endswith("_file")} == {"tokens", "username"}
