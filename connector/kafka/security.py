"""How to reach brokers that ask for encryption or a login, and keeping that fresh.

Owns the TLS context and the client's keyword arguments. Knows no settings file; it is told where secrets lie.
"""

import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from connector.errors import KafkaUnavailable

_Stamp = tuple[int, int, int, int] | None


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
    _stamps: tuple[_Stamp, ...] = field(default=(), init=False, repr=False)

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
        """Give a running client the present password and certificates: its next connection uses them.

        aiokafka keeps them in attributes and has no way to change them; a client that lost the attributes
        is an error, not a secret that is silently never renewed.
        """
        present: dict[str, Any] = {"_ssl_context": self._context}
        if self.password is not None:
            present["_sasl_plain_password"] = self.password()
        for attribute, value in present.items():
            if not hasattr(client, attribute):
                raise RuntimeError("aiokafka's client keeps its secrets elsewhere in this version")
            setattr(client, attribute, value)

    def refresh(self) -> bool:
        """Read certificate files that changed; whether any had. `renew` gives them to the clients.

        Files that do not fit together, as in the middle of being replaced, are looked at again next time. They
        are read into a new TLS context: the old one would go on trusting an authority that was taken out.
        """
        if self._context is None:
            return False
        stamps = self._stamp()
        if stamps == self._stamps:
            return False
        try:
            self._context = self._load()
        except (OSError, ssl.SSLError):
            return False
        self._stamps = stamps
        return True

    def _tls(self) -> ssl.SSLContext:
        if self._context is None:
            stamps = self._stamp()  # before the files are read: a change from then on will be seen
            try:
                self._context = self._load()
            except (OSError, ssl.SSLError) as error:
                raise KafkaUnavailable(
                    "kafka.security: ca_file, cert_file or key_file cannot be used: "
                    f"{getattr(error, 'reason', None) or error.strerror}"
                ) from None
            self._stamps = stamps
        return self._context

    def _load(self) -> ssl.SSLContext:
        cafile = None if self.ca_file is None else str(self.ca_file)
        context = ssl.create_default_context(cafile=cafile)
        if self.cert_file is not None:
            context.load_cert_chain(str(self.cert_file), self.key_file and str(self.key_file))
        return context

    def _stamp(self) -> tuple[_Stamp, ...]:
        files = (self.ca_file, self.cert_file, self.key_file)
        return tuple(_stamp(file) for file in files if file is not None)


def _stamp(file: Path) -> _Stamp:
    """What changes when a file is written, replaced, or its link set to another: times alone are too coarse."""
    try:
        now = file.stat()
    except OSError:
        return None
    return now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns
