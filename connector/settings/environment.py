"""The environment's part in the configuration: which variable sets which key.

Knows nothing of what values mean: they go into the tree as text, and are read there like the file's.
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from connector.settings.draft import item_model_of, keys_of, model_of
from connector.settings.problems import Problem, nearest
from connector.settings.refused import NOT_YET

PREFIX = "CONNECTOR_"
TOKEN_PREFIX = "CONNECTOR_ACCESS_TOKEN_"  # noqa: S105 - the name of a variable
KAFKA_PASSWORD = "CONNECTOR_KAFKA__SECURITY__PASSWORD"  # noqa: S105 - the name of a variable


class Override(NamedTuple):
    """A key's value from the environment."""

    variable: str
    path: str
    value: str | list[str]


def overrides(
    model: type[BaseModel], environ: Mapping[str, str]
) -> tuple[list[Override], list[Problem]]:
    """What the environment sets, and which of its variables set nothing that exists.

    Only names with `__` count: a Kubernetes Service named connector brings CONNECTOR_PORT and the like.
    """
    keys = keys_of(model)
    paths = {_variable(path): path for path, field in keys.items() if _is_settable(field)}
    found, problems = [], []
    for variable in sorted(environ):
        if not variable.startswith(PREFIX) or "__" not in variable:
            continue
        if variable == KAFKA_PASSWORD or variable.startswith(TOKEN_PREFIX):
            continue
        if path := paths.get(variable):
            value = environ[variable].strip()
            is_list = get_origin(keys[path].annotation) is tuple
            entries = [entry.strip() for entry in value.split(",")]
            found.append(Override(variable, path, entries if is_list else value))
        else:
            problems.append(Problem(variable, _why_not(variable, keys, list(paths))))
    return found, problems


def overlay(tree: object, found: list[Override]) -> object:
    """The tree with these values in place of the file's. The tree itself stays as it is."""
    for override in found:
        tree = _with(tree, override.path.split("."), override.value)
    return tree


def _with(tree: object, steps: list[str], value: object) -> object:
    if not steps:
        return value
    if tree is not None and not isinstance(tree, Mapping):
        return tree  # Nothing can be set below a scalar; reading the tree will complain of it.
    here: Mapping[Any, Any] = tree or {}
    return {**here, steps[0]: _with(here.get(steps[0]), steps[1:], value)}


def _variable(path: str) -> str:
    return PREFIX + path.replace(".", "__").upper()


def _is_settable(field: FieldInfo) -> bool:
    return model_of(field) is None and item_model_of(field) is None


def _why_not(variable: str, keys: Mapping[str, FieldInfo], settable: list[str]) -> str:
    # CONNECTOR_ROUTES__0__SEGMENT is about `routes`: each beginning of the path counts.
    beginnings = {variable[: at.start()] for at in re.finditer("__", variable)} | {variable}
    if beginnings & {_variable(path) for path in NOT_YET}:
        return "is not supported yet"
    for path, field in keys.items():
        if _variable(path) in beginnings and (item_model_of(field) or _variable(path) == variable):
            return f"{path} holds mappings, which the environment cannot set: use the file"
    # Without the prefix, which makes all alike.
    near = nearest(variable.removeprefix(PREFIX), [name.removeprefix(PREFIX) for name in settable])
    return f"sets no key{f'; did you mean {PREFIX}{near}?' if near else ''}"
