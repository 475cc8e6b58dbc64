"""Where the HTTP side of this machine's service listens, read by itself.

For who asks every few seconds: reading and checking the whole takes a quarter of a second of CPU. It knows two keys,
and judges nothing: of what is not plainly an address the whole reading has to tell what is wrong.
"""

from collections.abc import Mapping
from pathlib import Path

import yaml

from connector.settings.document import path_of

DEFAULT_HOST = "0.0.0.0"
DEFAULT_PORT = 8080

HOST_VARIABLE = "CONNECTOR_ADMIN__HOST"
PORT_VARIABLE = "CONNECTOR_ADMIN__PORT"

_MOST_PORT = 65_535

# Ten times as fast as the loader in Python; the library may have been built without it.
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read(path: Path | None, environ: Mapping[str, str]) -> tuple[str, int] | None:
    """Host and port: the environment's, else the file's, else the default; None where that is not plain to see.

    Args:
        path: as `document.path_of` takes it.
    """
    admin = _admin(path_of(path, environ))
    if admin is None:
        return None
    host = environ.get(HOST_VARIABLE, admin.get("host", DEFAULT_HOST))
    port = environ.get(PORT_VARIABLE, admin.get("port", DEFAULT_PORT))
    if isinstance(port, str) and port.isascii() and port.isdecimal():
        port = int(port)
    if isinstance(host, str) and type(port) is int and 0 < port <= _MOST_PORT:
        return host.strip(), port
    return None


def _admin(path: Path) -> Mapping[object, object] | None:
    """What the file says under `admin`; None where that cannot be read."""
    try:
        with path.open("rb") as file:
            tree = yaml.load(file, _Loader)  # noqa: S506  one of the two safe ones
    except (OSError, ValueError, yaml.YAMLError, RecursionError):
        return None
    admin = tree.get("admin", {}) if isinstance(tree, dict) else None
    return admin if isinstance(admin, dict) else None
