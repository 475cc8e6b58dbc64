"""The brokers' security: which keys go together, and which files must be there."""

from pathlib import Path
from typing import Any

import pytest

from connector.settings.credentials import resolve_secrets
from connector.settings.load import load
from tests.settings.trees import TOKENS, changed, load_tree, problems_of

PASSWORD = "CONNECTOR_KAFKA__SECURITY__PASSWORD"
WITH_PASSWORD = {**TOKENS, PASSWORD: "hunter2"}
SASL = {"protocol": "SASL_SSL", "sasl_mechanism": "SCRAM-SHA-512", "username": "connector"}
WHERE = "kafka.security"


@pytest.mark.parametrize(
    ("security", "environ", "problems"),
    [
        ({"protocol": "SASL_PLAINTEXT"}, TOKENS, ["sasl_mechanism", "username", "password_file"]),
        ({**SASL, "username": None}, WITH_PASSWORD, ["username"]),
        ({**SASL, "sasl_mechanism": "GSSAPI"}, WITH_PASSWORD, ["sasl_mechanism"]),
        (SASL, TOKENS, ["password_file"]),
        ({**SASL, "protocol": "SSL"}, TOKENS, ["sasl_mechanism", "username"]),
        ({"username": "x"}, TOKENS, ["username"]),
        ({"password_file": "/nowhere"}, TOKENS, ["password_file"]),
        ({**SASL, "password_file": "/nowhere"}, TOKENS, ["password_file"]),
        ({"ca_file": "/etc/passwd"}, TOKENS, ["ca_file"]),
        ({"protocol": "SSL", "ca_file": "/nowhere"}, TOKENS, ["ca_file"]),
        ({"protocol": "SSL", "ca_file": "/dev/null"}, TOKENS, ["ca_file"]),
        ({"protocol": "SSL", "ca_file": "/etc"}, TOKENS, ["ca_file"]),
        ({"protocol": "SSL", "cert_file": "/etc/passwd"}, TOKENS, ["key_file"]),
        ({"protocol": "SSL", "key_file": "/etc/passwd"}, TOKENS, ["cert_file"]),
        ({"protocol": "SASL"}, TOKENS, ["protocol"]),
    ],
)
def test_refused(
    tmp_path: Path, security: dict[str, Any], environ: dict[str, str], problems: list[str]
) -> None:
    found = problems_of(tmp_path, changed({WHERE: security}), environ)
    assert [problem.partition(": ")[0] for problem in found] == [
        f"{WHERE}.{problem}" for problem in problems
    ]


def test_a_password_that_no_login_asks_for(tmp_path: Path) -> None:
    (problem,) = problems_of(tmp_path, changed({}), WITH_PASSWORD)
    assert problem.startswith(f"{PASSWORD}: means nothing with protocol PLAINTEXT")


def test_tls_with_a_login(tmp_path: Path) -> None:
    for name in ("ca", "cert", "key", "password"):
        (tmp_path / name).write_text(f" {name} of the broker \n")
    files = {f"{name}_file": str(tmp_path / name) for name in ("ca", "cert", "key", "password")}

    settings = load_tree(tmp_path, changed({WHERE: {**SASL, **files}}))

    assert settings.kafka.security.ca_file == tmp_path / "ca"
    password = resolve_secrets(settings, TOKENS).kafka_password
    assert password
    assert password.value() == "password of the broker"
    # The environment wins.
    password = resolve_secrets(settings, WITH_PASSWORD).kafka_password
    assert password
    assert password.value() == "hunter2"


def test_the_environment_alone_can_set_it(tmp_path: Path) -> None:
    environ = {
        **WITH_PASSWORD,
        "CONNECTOR_KAFKA__SECURITY__PROTOCOL": "SASL_PLAINTEXT",
        "CONNECTOR_KAFKA__SECURITY__SASL_MECHANISM": "PLAIN",
        "CONNECTOR_KAFKA__SECURITY__USERNAME": "connector",
    }
    settings = load_tree(tmp_path, changed({WHERE: None}), environ)
    assert settings.kafka.security.protocol == "SASL_PLAINTEXT"
    assert load(tmp_path / "connector.yaml", environ) == settings
