"""A secret as a value that can change under a running process and cannot be printed by accident.

Owns reading and trimming. Knows nothing of which secrets exist or what they open.
"""

from pathlib import Path

from connector.errors import ConnectorError

# Tokens and passwords are short; the bound keeps a path to a device or a dump from filling the memory.
_MAX_BYTES = 65_536

LEAST_TOKEN_CHARACTERS = 16
"""A token that we ourselves ask for has at least so many: shorter ones can be guessed by trying."""


class SecretUnreadable(ConnectorError):  # noqa: N818
    """The text is no usable secret, or its file cannot be read. Says why, and never what was read or where."""


class Secret:
    """A token or a password, from a file or constant. `repr` and `str` never show it.

    Made by `Secret.constant` or `Secret.from_file`. A file is read again only by `refresh`.
    """

    __slots__ = ("_path", "_value")

    def __init__(self, value: str, path: Path | None = None) -> None:
        self._value = value
        self._path = path

    @classmethod
    def constant(cls, text: str) -> "Secret":
        """A secret that never changes, such as one from the environment. Raises SecretUnreadable."""
        return cls(_usable(text))

    @classmethod
    def from_file(cls, path: Path) -> "Secret":
        """The secret that the file holds now. Raises SecretUnreadable."""
        return cls(_read(path), path)

    def value(self) -> str:
        """The secret itself, without the white space around it."""
        return self._value

    def refresh(self) -> bool:
        """Read the file again; True when the secret changed.

        While the file is missing, empty or unreadable, as in the middle of a swap, the old value stays.
        """
        if self._path is None:
            return False
        try:
            value = _read(self._path)
        except SecretUnreadable:
            return False
        changed = value != self._value
        self._value = value
        return changed

    def __repr__(self) -> str:
        return "Secret(***)"


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except FileNotFoundError:
        raise SecretUnreadable("there is no such file") from None
    except IsADirectoryError:
        raise SecretUnreadable("this is a directory, not a file") from None
    except PermissionError:
        raise SecretUnreadable("the file may not be read by this user") from None
    except (OSError, ValueError):  # ValueError: a path that no system call takes
        raise SecretUnreadable("the file cannot be read") from None
    if len(content) > _MAX_BYTES:
        raise SecretUnreadable("the file is too large for a secret")
    try:
        return _usable(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise SecretUnreadable("the file is not text in UTF-8") from None


def _usable(text: str) -> str:
    value = text.strip()
    if not value:
        raise SecretUnreadable("the secret is empty")
    # A line break would end a header early, and is always the mark of a wrong file.
    if not value.isprintable():
        raise SecretUnreadable("the secret has several lines or control characters")
    return value
