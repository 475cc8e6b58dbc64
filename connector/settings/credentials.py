"""Which secrets the settings ask for, where each comes from, and whether every named file is there.

Owns the precedence: the environment, then the file. Nothing here shows a value or a file's path: people put the
token itself where a path belongs.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from connector.errors import SettingsError
from connector.secret import LEAST_TOKEN_CHARACTERS, Secret, SecretUnreadable
from connector.settings.draft import Part
from connector.settings.environment import KAFKA_PASSWORD, TOKEN_PREFIX
from connector.settings.model import Settings
from connector.settings.problems import Problem


@dataclass(frozen=True, slots=True)
class Secrets:
    """Every secret that the settings ask for.

    Attributes:
        tokens: each destination's access token, by the destination's name.
        kafka_password: None where the brokers ask for none.
        admin_tokens: the tokens of the HTTP side, by their names.
    """

    tokens: Mapping[str, Secret]
    kafka_password: Secret | None
    admin_tokens: Mapping[str, Secret]


def token_variable(destination: str) -> str:
    """The environment variable that may hold this destination's token."""
    return TOKEN_PREFIX + re.sub(r"[^A-Z0-9]", "_", destination.upper())


def resolve_secrets(settings: Settings, environ: Mapping[str, str]) -> Secrets:
    """Read every secret. Raises SettingsError, with a line for each that is not to be had."""
    problems: list[Problem] = []
    tokens = {
        one.name: _token(
            one.name, one.access_token_file, f"destinations[{index}].access_token_file", environ
        )
        for index, one in enumerate(settings.destinations)
    }
    admin_tokens = {
        one.name: _admin_token(one.token_file, f"admin.tokens[{index}].token_file")
        for index, one in enumerate(settings.admin.tokens)
    }
    passwords: dict[str, Secret | Problem] = {}
    security = settings.kafka.security
    if security.protocol.startswith("SASL_"):
        path = "kafka.security.password_file"
        passwords["kafka"] = _obtain(KAFKA_PASSWORD, security.password_file, path, environ)
    secrets = Secrets(
        _had(tokens, problems), _had(passwords, problems).get("kafka"), _had(admin_tokens, problems)
    )
    if problems:
        raise SettingsError([str(problem) for problem in problems])
    return secrets


def _had(
    found: Mapping[str, Secret | Problem], problems: list[Problem]
) -> MappingProxyType[str, Secret]:
    """Those that are to be had; what keeps the others goes to the problems."""
    problems += [one for one in found.values() if isinstance(one, Problem)]
    return MappingProxyType({name: one for name, one in found.items() if isinstance(one, Secret)})


def check(root: Part, environ: Mapping[str, str]) -> Iterator[Problem]:
    """Every secret that is not to be had, and every other file that is not there."""
    yield from _check_tokens(root, environ)
    yield from _check_security(root.section("kafka").section("security"), environ)
    yield from _check_admin(root.section("admin"))


def _check_tokens(root: Part, environ: Mapping[str, str]) -> Iterator[Problem]:
    variables: dict[str, Part] = {}
    for destination in root.entries("destinations"):
        name, path = destination.get("name"), destination.at("access_token_file")
        if destination.is_wrong("access_token_file"):
            continue
        # Without its name, only the file can be looked at.
        found = _token(name or "", destination.get("access_token_file"), path, environ)
        if isinstance(found, Problem) and (name or destination.get("access_token_file")):
            yield found
        if name is None:
            continue
        earlier = variables.setdefault(token_variable(name), destination)
        if earlier.get("name") != name:
            yield Problem(
                destination.at("name"),
                f"would take its token from the same environment variable as {earlier.path}:"
                " names must differ in more than capitals and signs",
            )


def _check_security(security: Part, environ: Mapping[str, str]) -> Iterator[Problem]:
    protocol = security.get("protocol")
    if protocol is None:
        return
    if protocol.startswith("SASL_"):
        if not security.is_wrong("password_file"):
            path = security.at("password_file")
            found = _obtain(KAFKA_PASSWORD, security.get("password_file"), path, environ)
            if isinstance(found, Problem):
                yield found
    elif environ.get(KAFKA_PASSWORD, "").strip():
        yield Problem(KAFKA_PASSWORD, f"means nothing with protocol {protocol}: unset it")
    if protocol.endswith("SSL"):
        for key in ("ca_file", "cert_file", "key_file"):
            if problem := _unreadable(security.get(key)):
                yield Problem(security.at(key), problem)


def _check_admin(admin: Part) -> Iterator[Problem]:
    """Tokens that cannot be had or can be guessed, and two of one value: which of them it is would be anybody's."""
    first: dict[str, Part] = {}
    for token in admin.entries("tokens"):
        if (file := token.get("token_file")) is None:
            continue
        found = _admin_token(file, token.at("token_file"))
        if isinstance(found, Problem):
            yield found
            continue
        earlier = first.setdefault(found.value(), token)
        if earlier is not token:
            yield Problem(token.at("token_file"), f"holds the same token as that of {earlier.path}")


def _admin_token(file: Path, path: str) -> Secret | Problem:
    try:
        secret = Secret.from_file(file)
    except SecretUnreadable as error:
        return Problem(path, str(error))
    if len(secret.value()) < LEAST_TOKEN_CHARACTERS:
        return Problem(path, f"the token has fewer than {LEAST_TOKEN_CHARACTERS} characters")
    return secret


def _token(
    destination: str, file: Path | None, path: str, environ: Mapping[str, str]
) -> Secret | Problem:
    return _obtain(token_variable(destination), file, path, environ)


def _obtain(
    variable: str, file: Path | None, path: str, environ: Mapping[str, str]
) -> Secret | Problem:
    # An empty variable is one that a template left empty, and not a secret.
    if text := environ.get(variable, "").strip():
        try:
            return Secret.constant(text)
        except SecretUnreadable as error:
            return Problem(variable, str(error))
    if file is None:
        return Problem(path, f"is required, or the environment's {variable}")
    try:
        return Secret.from_file(file)
    except SecretUnreadable as error:
        return Problem(path, str(error))


def _unreadable(file: Path | None) -> str | None:
    if file is None:
        return None
    try:
        with file.open("rb") as content:
            return None if content.read(1) else "the file is empty"
    except FileNotFoundError:
        return "there is no such file"
    except (OSError, ValueError):  # ValueError: a path that no system call takes
        return "the file cannot be read"
