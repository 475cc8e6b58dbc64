"""Secrets: where they come from, when they change, and that they never show."""

from pathlib import Path
from typing import Any

import pytest

from connector.errors import SettingsError
from connector.secret import Secret, SecretUnreadable
from connector.settings.credentials import resolve_secrets, token_variable
from connector.settings.load import load
from tests.settings.trees import TOKENS, changed, load_tree, problems_of, right

MARK = "hunter2"
TOKEN_OF_APAC = "CONNECTOR_ACCESS_TOKEN_APAC"


def mount(folder: Path, version: str, content: str | None) -> Path:
    """What Kubernetes does: a new folder, then one atomic swap of the symlink to it."""
    (folder / version).mkdir(parents=True)
    if content is not None:
        (folder / version / "token").write_text(content)
    (folder / "..data_tmp").symlink_to(version)
    (folder / "..data_tmp").replace(folder / "..data")
    link = folder / "token"
    if not link.is_symlink():
        link.symlink_to("..data/token")
    return link


def test_a_file_is_read_again_when_it_is_swapped(tmp_path: Path) -> None:
    secret = Secret.from_file(mount(tmp_path, "..1", " first\n"))
    assert secret.value() == "first"
    assert not secret.refresh()

    mount(tmp_path, "..2", "second\n")
    assert secret.value() == "first"
    assert secret.refresh()
    assert secret.value() == "second"
    assert not secret.refresh()


@pytest.mark.parametrize("content", [None, "", " \n", "two\nlines", "x" * 70_000])
def test_the_old_value_stays_while_the_new_one_is_unusable(
    tmp_path: Path, content: str | None
) -> None:
    secret = Secret.from_file(mount(tmp_path, "..1", "first"))
    mount(tmp_path, "..2", content)
    assert not secret.refresh()
    assert secret.value() == "first"
    mount(tmp_path, "..3", "third")
    assert secret.refresh()
    assert secret.value() == "third"


def test_a_constant_never_changes() -> None:
    secret = Secret.constant(f" {MARK}\n")
    assert secret.value() == MARK
    assert not secret.refresh()


@pytest.mark.parametrize("text", ["", " \n", "two\nlines", "null\0"])
def test_what_is_no_secret(text: str) -> None:
    with pytest.raises(SecretUnreadable):
        Secret.constant(text)


def test_it_never_shows(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(MARK)
    for secret in (Secret.constant(MARK), Secret.from_file(tmp_path / "token")):
        assert MARK not in f"{secret} {secret!r} {[secret]}"


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("of-the-file\n")
    files = {
        f"destinations[{index}].access_token_file": str(tmp_path / "token") for index in (0, 1)
    }
    environ = {"CONNECTOR_ACCESS_TOKEN_EMEA": " of-the-environment ", TOKEN_OF_APAC: " "}

    secrets = resolve_secrets(load_tree(tmp_path, changed(files), environ), environ)

    assert {name: token.value() for name, token in secrets.tokens.items()} == {
        "emea": "of-the-environment",
        "apac": "of-the-file",
    }
    assert secrets.kafka_password is None
    assert "of-the" not in repr(secrets)


@pytest.mark.parametrize(
    ("name", "variable"),
    [
        ("emea", "CONNECTOR_ACCESS_TOKEN_EMEA"),
        ("EMEA brand-1", "CONNECTOR_ACCESS_TOKEN_EMEA_BRAND_1"),
        ("été", "CONNECTOR_ACCESS_TOKEN__T_"),
    ],
)
def test_the_variable_of_a_destination(name: str, variable: str) -> None:
    assert token_variable(name) == variable


@pytest.mark.parametrize(
    ("file", "content", "problem"),
    [
        (None, None, f"is required, or the environment's {TOKEN_OF_APAC}"),
        ("nowhere", None, "there is no such file"),
        ("", None, "this is a directory"),
        ("token", b" \n", "the secret is empty"),
        ("token", b"two\nlines", "the secret has several lines"),
        ("token", b"\xff\xfe", "the file is not text"),
        ("x" * 300, None, "the file cannot be read"),
    ],
)
def test_a_token_that_is_not_to_be_had(
    tmp_path: Path, file: str | None, content: bytes | None, problem: str
) -> None:
    if file and content is not None:
        (tmp_path / file).write_bytes(content)
    changes = {} if file is None else {"destinations[1].access_token_file": str(tmp_path / file)}
    environ = {"CONNECTOR_ACCESS_TOKEN_EMEA": "x"}

    (found,) = problems_of(tmp_path, changed(changes), environ)

    assert found.startswith(f"destinations[1].access_token_file: {problem}")


def test_a_broken_token_in_the_environment(tmp_path: Path) -> None:
    (found,) = problems_of(tmp_path, right(), {**TOKENS, TOKEN_OF_APAC: f"{MARK}\n{MARK}"})
    assert found == f"{TOKEN_OF_APAC}: the secret has several lines or control characters"


def test_secrets_that_went_away_after_loading(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("x")
    login = {
        "protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "PLAIN",
        "username": "u",
        "password_file": str(tmp_path / "password"),
    }
    settings = load_tree(tmp_path, changed({"kafka.security": login}))
    (tmp_path / "password").unlink()
    with pytest.raises(SettingsError) as error:
        resolve_secrets(settings, {})
    assert [problem.partition(": ")[0] for problem in error.value.problems] == [
        "destinations[0].access_token_file",
        "destinations[1].access_token_file",
        "kafka.security.password_file",
    ]


EVERY_PLACE = [
    "kafka",
    "kafka.bootstrap_servers",
    "kafka.group_id",
    "kafka.auto_offset_reset",
    "kafka.topics",
    "kafka.topics[0]",
    "kafka.topics[0].name",
    "kafka.topics[0].format",
    "kafka.dead_letter_topic",
    "kafka.security",
    "kafka.security.protocol",
    "kafka.security.sasl_mechanism",
    "kafka.security.username",
    "kafka.security.password",
    "kafka.security.password_file",
    "kafka.security.ca_file",
    "tiktok.base_url",
    "tiktok.app_secret",
    "tiktok.app_secret_file",
    "tiktok.rate_limit.tier",
    "tiktok.rate_limit.share",
    "destinations[0].name",
    "destinations[0].advertiser_id",
    "destinations[0].access_token",
    "destinations[0].access_token_file",
    "identities[0].source",
    "identities[0].target",
    "identities[0].strip_plus",
    "identities[1].default_region",
    "routes[0].segment",
    "routes[0].destination",
    "routes[0].audience_id",
    "routes[0].identities",
    "delivery.max_rows",
    "admin.host",
    "admin.port",
    "admin.tokens",
    "log.level",
    "somewhere.else",
]


@pytest.mark.parametrize("value", [MARK, f"https://{MARK}/", f" {MARK}\n", [MARK], {"x": MARK}])
@pytest.mark.parametrize("path", EVERY_PLACE)
def test_no_message_shows_a_value(tmp_path: Path, path: str, value: Any) -> None:
    tree = changed({"somewhere": {}, path: value})  # `somewhere`: so that every place is refused
    assert MARK not in "\n".join(problems_of(tmp_path, tree, {}))


@pytest.mark.parametrize("place", ["ADMIN__PORT", "LOG__LEVEL", "TIKTOK__BASE_URL", "A__B"])
def test_no_message_shows_a_variable(tmp_path: Path, place: str) -> None:
    environ = {**TOKENS, f"CONNECTOR_{place}": MARK}
    assert MARK not in "\n".join(problems_of(tmp_path, right(), environ))


def test_an_error_keeps_no_value_in_its_context(tmp_path: Path) -> None:
    tree = changed({"destinations[0].advertiser_id": MARK, "admin.port": MARK})
    (tmp_path / "connector.yaml").write_text(str(tree))
    with pytest.raises(SettingsError) as error:
        load(tmp_path / "connector.yaml", TOKENS)
    assert error.value.__cause__ is None
    assert error.value.__context__ is None
