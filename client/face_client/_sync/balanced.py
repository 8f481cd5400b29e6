# Written by client/unasync.py from face_client/_async: change it there.

"""Several servers as one: requests are spread over them, and go to the others when one is gone."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from face_client._sync.transport import GrpcTransport, Transport
from face_client._threads import finished
from face_client.endpoints import PROBE_TIMEOUT_S, Attempt, Endpoints, Gone, Server, time_left
from face_client.errors import Cancelled, DeadlineExceeded, FaceError, ServerUnavailable
from face_client.forks import renew_in_children
from face_client.messages import Request, Response
from face_client.names import Names
from face_client.tls import Tls


class BalancedTransport:
    """One transport a server: of those that stand behind the names among the targets, those that do so now.

    A request goes on to the next server here where the last one let its share of the time pass, or could not take it
    for a reason that is not its own, such as a model that it does not have. Any other failure is the client's matter,
    whose retries choose anew.
    """

    def __init__(self, targets: Sequence[str], tls: Tls | None = None) -> None:
        if tls is not None:
            # Files that cannot be read are told of now, not when a server is found.
            tls.connection_arguments()
        self._tls = tls
        self._names = Names(targets)
        self._endpoints = Endpoints()
        self._transports: dict[Server, Transport] = {}
        self._closed = False
        self._lock = threading.Lock()
        self._update()
        renew_in_children(self)

    def renew(self) -> None:
        """In a forked process: a thread that is not there may have held the lock."""
        self._lock = threading.Lock()

    def infer(self, request: Request, timeout: float) -> Response:
        deadline = time.monotonic() + timeout
        tried: set[Server] = set()
        late: list[Attempt] = []
        while True:
            self._look_up(deadline)
            server = self._choose(request.model, deadline, tried)
            seconds = self._endpoints.share(time_left(deadline), tried)
            try:
                with self._endpoints.asking(server) as attempt:
                    response = self._transports[server].infer(request, seconds)
            except Gone:
                continue
            except ServerUnavailable as error:
                if error.of_endpoint:
                    self._names.refresh(soon=True)
                if error.of_endpoint or not self._endpoints.untried(tried):
                    raise
            except DeadlineExceeded:
                self._names.refresh(soon=True)
                if not self._endpoints.untried(tried):
                    raise
                late.append(attempt)
            else:
                self._endpoints.outrun(late)
                return response
            finally:
                self._close(self._update(connect=False))

    def is_ready(self, model: str, timeout: float) -> bool:
        """Whether the model takes requests on any server."""
        deadline = time.monotonic() + timeout
        self._look_up(deadline)
        with self._lock:
            transports = [self._transports[server] for server in self._endpoints.untried()]
        failure: FaceError | None = None
        share = time_left(deadline) / len(transports)
        for transport in transports:
            try:
                if transport.is_ready(model, share):
                    return True
            except FaceError as error:
                failure = error
        if failure is not None:
            raise failure
        return False

    def close(self) -> None:
        with self._lock:
            self._closed = True
            transports = list(self._transports.values())
        self._names.close()
        self._close(transports)

    def _look_up(self, deadline: float) -> None:
        """Brings the servers up to date. Raises ServerUnavailable where none is known."""
        waiting = self._names.refresh()
        if waiting is not None:
            lookup, patience = waiting
            finished(lookup, min(patience, time_left(deadline)))
        self._close(self._update())
        if self._closed:
            raise Cancelled("the client is closed")
        if not self._endpoints.untried():
            raise ServerUnavailable(self._names.why_none())

    def _close(self, transports: Sequence[Transport]) -> None:
        for transport in transports:
            transport.close()

    def _update(self, connect: bool = True) -> list[Transport]:
        """Takes over the servers that are known now. Returns the transports of those that have left and have answered
        what they were asked.

        connect: new ones take part too. That reads TLS files, whose loss is no reason to lose an answer.
        """
        with self._lock:
            if self._closed:
                return []
            servers = self._names.servers()
            if connect:
                for server in servers:
                    if server not in self._transports:
                        self._transports[server] = GrpcTransport(server.url, self._tls, server.name)
            connected = [server for server in servers if server in self._transports]
            return [self._transports.pop(server) for server in self._endpoints.update(connected)]

    def _choose(self, model: str, deadline: float, tried: set[Server]) -> Server:
        """A server that serves, if any does, and from now on is tried."""
        while True:
            left = time_left(deadline)
            server, probe = self._endpoints.choose(tried)
            tried.add(server)
            if not probe or self._is_there(server, model, left):
                return server

    def _is_there(self, server: Server, model: str, left: float) -> bool:
        """Whether a server answers at all; what it says of the model is another matter."""
        # Who has little time leaves half of it for another server, and learns nothing if that was not enough.
        timeout = min(PROBE_TIMEOUT_S, left / 2)
        is_there: bool | None = None
        try:
            self._transports[server].is_ready(model, timeout)
            is_there = True
        except DeadlineExceeded:
            is_there = False if timeout == PROBE_TIMEOUT_S else None
        except FaceError:
            is_there = False
        finally:
            # Also where the task is cancelled: somebody else must be able to probe.
            self._endpoints.probed(server, is_there)
        return bool(is_there)
