"""The error tree. Libraries' errors are mapped to these once, at the boundary that knows the library.

Each class says who can act on it; the command line maps it to an exit code (connector.cli).
"""


class ConnectorError(Exception):
    """The root: a run-time failure with a cause the user can act on. Its text says what and what to do."""


class SettingsError(ConnectorError):
    """The configuration is wrong. Holds every problem found, each a line with its path."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class KafkaUnavailable(ConnectorError):  # noqa: N818
    """The broker cannot be reached, or refuses us, or lacks a topic."""


class InvalidRecord(Exception):  # noqa: N818
    """A record that does not have its topic's shape, with a reason of the closed list.

    The detail says what is wrong and where, and never quotes a value of the record.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
