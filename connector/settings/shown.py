"""The settings as they may be shown to whoever may see the status: every key, and no way to a secret.

Owns which values are covered. The settings hold no secret, but say where each is; and people put the token itself
where a path belongs. So of a file is shown only whether one is named. Pure.
"""

from typing import Any

from connector.settings.model import Settings

_COVERED = frozenset({"username"})


def without_secrets(settings: Settings) -> dict[str, Any]:
    """The effective configuration, defaults and the environment's values included, as plain JSON values.

    In place of each `*_file`, and of a login's name, stands "set" or "not set".
    """
    shown: dict[str, Any] = _shown(settings.model_dump(mode="json"))
    return shown


def _shown(node: Any, key: str = "") -> Any:
    if key.endswith("_file") or key in _COVERED:
        return "set" if node is not None else "not set"
    if isinstance(node, dict):
        return {name: _shown(below, name) for name, below in node.items()}
    if isinstance(node, list):
        return [_shown(below) for below in node]
    return node
