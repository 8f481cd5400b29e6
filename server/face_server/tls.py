"""Encryption of the gRPC endpoint. Triton has none for HTTP."""

import ssl
from dataclasses import dataclass
from pathlib import Path

from face_server.errors import SetupError


@dataclass(frozen=True)
class ServerTls:
    """Files in PEM format.

    certificate, key: the server's own; the certificates of those who vouch for it may follow its own.
    client_authority: only clients come in for whom one of these vouches; None lets in everybody.
    """

    certificate: Path
    key: Path
    client_authority: Path | None = None

    def check(self) -> None:
        """Triton would start with files that do not fit, and refuse every connection.

        Raises:
            SetupError: a file cannot be read, is none, or the key is not the certificate's.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            # Without a password: nobody is there to type one.
            context.load_cert_chain(self.certificate, self.key, password="")
        except (OSError, ValueError) as error:
            found = f"{self.certificate} and {self.key}"
            raise SetupError(f"tls: {found} are no certificate and its key: {error}") from error
        if self.client_authority is not None:
            try:
                context.load_verify_locations(self.client_authority)
            except OSError as error:
                raise SetupError(f"tls: {self.client_authority} holds no certificate: {error}") from error

    def arguments(self) -> list[str]:
        """Those of tritonserver."""
        own = [
            "--grpc-use-ssl=true",
            f"--grpc-server-cert={self.certificate}",
            f"--grpc-server-key={self.key}",
        ]
        if self.client_authority is None:
            return own
        return [*own, "--grpc-use-ssl-mutual=true", f"--grpc-root-cert={self.client_authority}"]
