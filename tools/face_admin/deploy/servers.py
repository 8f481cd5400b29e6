"""The servers that a deployment switches: each with its model control, and a client that asks it alone."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from face_admin.deploy.errors import ControlError
from face_admin.deploy.switching import Control
from face_client import FaceClient
from face_client._sync.transport import GrpcTransport
from face_client.endpoints import Server, addresses
from face_client.errors import ServerUnavailable
from face_client.names import find
from face_client.tls import Tls


@dataclass(frozen=True)
class Replica:
    """One of the servers, which all read one model repository."""

    control: Control
    client: FaceClient

    @property
    def url(self) -> str:
        return self.control.url


class Fleet:
    """All servers that a url names, also "dns:///host:port". Use `with`: their connections are closed at its end.

    key: opens the model control of each. timeout: seconds for one picture.
    """

    def __init__(self, url: str, key: str, tls: Tls | None, timeout: float) -> None:
        self._targets = addresses(url)
        self._key, self._tls, self._timeout = key, tls, timeout
        self._known: set[Server] = set()
        self._open = ExitStack()

    def __enter__(self) -> "Fleet":
        return self

    def __exit__(self, *exception: object) -> None:
        self._open.close()

    def newcomers(self) -> list[Replica]:
        """Those that have come since the last time; at first all. Each is there, takes the key, and serves the cascade.

        Raises ControlError where one does not, or a name has no address.
        """
        servers = _servers(self._targets)
        new = [self._replica(server) for server in servers if server not in self._known]
        for replica in new:
            replica.control.check()
        self._known.update(servers)
        return new

    def _replica(self, server: Server) -> Replica:
        control = self._open.enter_context(Control(server.url, self._key, self._tls, server.name))
        transport = GrpcTransport(server.url, self._tls, server.name)
        client = FaceClient(server.url, timeout=self._timeout, transport=transport)
        return Replica(control, self._open.enter_context(client))


def switched_to(url: str, tls: Tls | None) -> Iterator[tuple[str, dict[str, int] | ControlError]]:
    """Of each server that a url names its own url and `Control.switched_to`, or what that raised.

    Raises ControlError where a name has no address.
    """
    for server in _servers(addresses(url)):
        with Control(server.url, "", tls, server.name) as control:
            try:
                yield server.url, control.switched_to()
            except ControlError as error:
                yield server.url, error


def _servers(targets: Sequence[str]) -> list[Server]:
    try:
        return find(targets)
    except ServerUnavailable as error:
        raise ControlError(str(error)) from error
