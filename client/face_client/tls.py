"""Encrypted connections: whom to trust, and as whom to come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from face_client.errors import InvalidInput

TLS_VARIABLE = "TRITON_FACES_TLS"
"""Set to anything but 0: connections are encrypted, and the system's certificates are trusted."""

CA_VARIABLE = "TRITON_FACES_TLS_CA"
"""Connections are encrypted, and this file's certificates are trusted instead."""

CERT_VARIABLE = "TRITON_FACES_TLS_CERT"
KEY_VARIABLE = "TRITON_FACES_TLS_KEY"
"""The client's own certificate and its key, for servers that ask for one."""


@dataclass(frozen=True)
class Tls:
    """Files in PEM format.

    root_certificates: of those who may vouch for the server; the system's where there is none.
    private_key, certificate_chain: the client's own, for servers that ask for one. The key may stand in the same file.
    """

    root_certificates: str | None = None
    private_key: str | None = None
    certificate_chain: str | None = None

    def __post_init__(self) -> None:
        if self.private_key is not None and self.certificate_chain is None:
            raise InvalidInput("tls has a private key and no certificate; it must have both or neither")

    def connection_arguments(self) -> dict[str, object]:
        """Those of tritonclient's clients. Raises InvalidInput where a file cannot be read."""
        key = self.private_key if self.private_key is not None else self.certificate_chain
        files = {
            "root_certificates": self.root_certificates,
            "private_key": key,
            "certificate_chain": self.certificate_chain,
        }
        for path in files.values():
            if path is not None:
                _check_readable(path)
        return {"ssl": True, **files}


def check_tls(tls: object) -> None:
    """Raises InvalidInput for what says nothing of a connection, such as True."""
    if tls is not None and not isinstance(tls, Tls):
        raise InvalidInput(
            f"tls is {tls!r}; it must be a Tls, such as Tls() or Tls(root_certificates='ca.pem'), or None"
        )


def tls_of(tls: bool, ca: str | None, cert: str | None, key: str | None) -> Tls | None:
    """The settings of a command line; None where connections are not encrypted. Any file asks for encryption."""
    return Tls(ca, key, cert) if tls or ca or cert or key else None


def tls_from_environment(environment: Mapping[str, str]) -> Tls | None:
    """What the four variables say; None where connections are not encrypted. Empty counts as unset."""
    ca, cert, key = (environment.get(name) or None for name in (CA_VARIABLE, CERT_VARIABLE, KEY_VARIABLE))
    # Read when this package is imported, which must not fail: a key alone is left out.
    return tls_of(environment.get(TLS_VARIABLE, "0") not in ("", "0"), ca, cert, key if cert else None)


def _check_readable(path: str) -> None:
    try:
        with Path(path).open("rb"):
            pass
    except OSError as error:
        raise InvalidInput(f"tls file {path} cannot be read: {error.strerror}") from error
