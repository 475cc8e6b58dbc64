"""What the configuration refuses by name: options to come, and secrets in plain. Data, and nothing else."""

import re
from collections.abc import Mapping

_ANY = re.compile("")

# Each key, and which of its values. The options are documented, so people try them: refused, never ignored.
NOT_YET: Mapping[str, re.Pattern[str]] = {
    "routes[].audience_name": _ANY,
    "routes[].audience_type": _ANY,
    "routes[].cadence_seconds": _ANY,
    "routes[].create": _ANY,
    "routes[].segment": re.compile(r".*[*?\[]", re.DOTALL),
    "tiktok.app_id": _ANY,
    "tiktok.app_secret": _ANY,
    "tiktok.app_secret_file": _ANY,
}

# The keys under which people write a secret itself, by what to use instead. One with a path is meant there alone.
_INSTEAD = {
    "use access_token_file, or the environment's CONNECTOR_ACCESS_TOKEN_<NAME>": (
        "access_token",
        "api_key",
        "token",
    ),
    "use app_secret_file, which is not supported yet": ("app_secret", "client_secret"),
    "use password_file, or the environment's CONNECTOR_KAFKA__SECURITY__PASSWORD": (
        "password",
        "sasl_password",
        "sasl_plain_password",
    ),
    "use the key that ends in _file": ("secret",),
    "use token_file": ("admin.tokens[].token",),
}

PLAIN_SECRETS: Mapping[str, str] = {key: use for use, keys in _INSTEAD.items() for key in keys}


def is_not_yet(template: str, value: object = None) -> bool:
    """Whether this value at this key (`routes[].create`: list positions left out) belongs to a later version."""
    pattern = NOT_YET.get(template)
    if pattern is None:
        return False
    return pattern is _ANY or (isinstance(value, str) and pattern.match(value) is not None)
