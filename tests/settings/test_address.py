"""The address that is read by itself is the one that the whole reading finds, or none."""

from pathlib import Path
from typing import Any

import pytest

from connector.errors import SettingsError
from connector.settings import address
from connector.settings.load import load
from tests.settings.trees import TOKENS, changed, load_tree

HOST = {"CONNECTOR_ADMIN__HOST": " 127.0.0.3 "}
PORT = {"CONNECTOR_ADMIN__PORT": "9191"}


@pytest.mark.parametrize("environ", [{}, HOST, PORT, {**HOST, **PORT}])
@pytest.mark.parametrize(
    "admin",
    [
        ...,
        {},
        {"host": "127.0.0.2"},
        {"port": 9090},
        {"port": "9090"},
        {"host": "::", "port": 65_535, "protect_metrics": False},
    ],
)
def test_a_sound_configuration_is_read_as_the_whole_reading_does(
    admin: Any, environ: dict[str, str], tmp_path: Path
) -> None:
    settings = load_tree(tmp_path, changed({"admin": admin}), {**TOKENS, **environ})

    found = address.read(tmp_path / "connector.yaml", environ)
    assert found == (settings.admin.host, settings.admin.port)


@pytest.mark.parametrize(
    "admin",
    ["8080", [8080], {"port": "many"}, {"port": True}, {"port": -1}, {"port": 65_536}, {"host": 1}],
)
def test_what_is_no_address_is_left_to_the_whole_reading(admin: Any, tmp_path: Path) -> None:
    with pytest.raises(SettingsError):
        load_tree(tmp_path, changed({"admin": admin}))

    assert address.read(tmp_path / "connector.yaml", {}) is None


@pytest.mark.parametrize("text", ["", "- a list", "admin: [", "a: &b [*b]\nadmin:\n", "\x00", "é"])
def test_what_is_no_configuration_is_left_to_the_whole_reading(text: str, tmp_path: Path) -> None:
    path = tmp_path / "connector.yaml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(SettingsError):
        load(path, TOKENS)

    assert address.read(path, {}) is None


def test_a_free_port_is_not_known_beforehand(tmp_path: Path) -> None:
    load_tree(tmp_path, changed({"admin.port": 0}))

    assert address.read(tmp_path / "connector.yaml", {}) is None


def test_there_is_no_file(tmp_path: Path) -> None:
    assert address.read(tmp_path / "none.yaml", {}) is None
