"""How to reach brokers that ask for encryption or a login, and keeping that fresh.

Owns the TLS context and the client's keyword arguments. Knows no settings file; it is told where secrets lie.
"""

import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from connector.errors import KafkaUnavailable


@dataclass(slots=True)
class Security:
    """What `kafka.security` says, as aiokafka's clients want it.

    Attributes:
        protocol: PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL.
        mechanism: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512, with a SASL protocol.
        password: returns the present one.
    """

    protocol: str = "PLAINTEXT"
    mechanism: str | None = None
    username: str | None = None
    password: Callable[[], str] | None = None
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    _context: ssl.SSLContext | None = field(default=None, init=False, repr=False)
    _stamps: tuple[float, ...] = field(default=(), init=False, repr=False)

    def arguments(self) -> dict[str, Any]:
        """Keyword arguments for any aiokafka client. Raises KafkaUnavailable for files that are no certificates."""
        arguments: dict[str, Any] = {"security_protocol": self.protocol}
        if self.protocol.endswith("SSL"):
            arguments["ssl_context"] = self._tls()
        if self.protocol.startswith("SASL"):
            arguments["sasl_mechanism"] = self.mechanism
            arguments["sasl_plain_username"] = self.username
            arguments["sasl_plain_password"] = self.password() if self.password else None
        return arguments

    def renew(self, client: Any) -> None:
        """Give a running client the present password: its next connection logs in with it.

        aiokafka keeps the password in an attribute and has no way to change it; a client that lost the attribute
        is an error, not a password that is silently never renewed.
        """
        if self.password is None:
            return
        if not hasattr(client, "_sasl_plain_password"):
            raise RuntimeError("aiokafka's client keeps its password elsewhere in this version")
        client._sasl_plain_password = self.password()  # noqa: SLF001

    def refresh(self) -> bool:
        """Read changed certificate files into the TLS context, which new connections use; whether any had changed."""
        if self._context is None:
            return False
        stamps = self._stamp()
        if stamps == self._stamps:
            return False
        try:
            self._load(self._context)
        except (OSError, ssl.SSLError):
            return False  # in the middle of being replaced: look again later
        self._stamps = stamps
        return True

    def _tls(self) -> ssl.SSLContext:
        if self._context is None:
            try:
                cafile = None if self.ca_file is None else str(self.ca_file)
                context = ssl.create_default_context(cafile=cafile)
                self._load(context)
            except (OSError, ssl.SSLError) as error:
                raise KafkaUnavailable(
                    "kafka.security: ca_file, cert_file or key_file cannot be used: "
                    f"{getattr(error, 'reason', None) or error.strerror}"
                ) from error
            self._context = context
            self._stamps = self._stamp()
        return self._context

    def _load(self, context: ssl.SSLContext) -> None:
        if self.ca_file is not None:
            context.load_verify_locations(cafile=str(self.ca_file))
        if self.cert_file is not None:
            context.load_cert_chain(str(self.cert_file), self.key_file and str(self.key_file))

    def _stamp(self) -> tuple[float, ...]:
        files = (self.ca_file, self.cert_file, self.key_file)
        return tuple(_changed_at(file) for file in files if file is not None)


def _changed_at(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except OSError:
        return 0.0
