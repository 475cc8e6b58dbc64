"""From a file and an environment to settings, or to everything that is wrong with them.

Owns the order: the file's text, the environment over it, each key by itself, the policy, the rules between keys, the
secrets.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

from connector.errors import SettingsError
from connector.settings import checks, credentials, document, policy
from connector.settings.draft import Reader
from connector.settings.environment import Override, overlay, overrides
from connector.settings.model import Settings
from connector.settings.problems import Problem


def load(path: Path | None, environ: Mapping[str, str]) -> Settings:
    """The settings of a file, with the environment's values over the file's.

    Args:
        path: as `document.path_of` takes it.
        environ: the process's environment.

    Raises:
        SettingsError: with every problem at once. None shows a value, but for the names of what a policy denies.
    """
    hint = "; name one with --config or CONNECTOR_CONFIG"
    tree, problems = document.read(document.path_of(path, environ), hint)
    if tree is None:
        raise SettingsError([str(problem) for problem in problems])
    found, unknown = overrides(Settings, environ)
    reader = Reader(Settings)
    draft = reader.read(overlay(tree, found))
    denied = policy.apply(draft)
    wrong = [*reader.problems, *checks.check(draft), *denied, *credentials.check(draft, environ)]
    problems = [*problems, *unknown, *_naming_variables(wrong, found)]
    if problems:
        raise SettingsError([str(problem) for problem in problems])
    return Settings.model_validate(draft.plain())


def _naming_variables(problems: Iterable[Problem], found: list[Override]) -> Iterable[Problem]:
    variables = {override.path: override.variable for override in found}
    for problem in problems:
        # An entry of a list comes from the list's variable.
        if variable := variables.get(problem.path.partition("[")[0]):
            yield Problem(f"{variable} ({problem.path})", problem.text)
        else:
            yield problem
