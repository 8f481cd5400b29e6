"""Names that stand for several servers: "dns:///faces:8001" is every address of "faces", looked up again and again.

gRPC looks a name up itself, but only when a connection breaks: what is added to a name it does not see.
"""

from __future__ import annotations

import math
import socket
import threading
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from typing import Callable

from face_client.endpoints import DNS, Server
from face_client.errors import ServerUnavailable
from face_client.forks import renew_in_children

PERIOD_S = 5.0
"""Between two lookups while requests are made."""

_SHORTEST_PERIOD_S = 0.5
"""Also where servers fail."""

_PATIENCE_S = 1.0
"""A request after a silence waits so long for a lookup: most addresses may be others by then."""

_EMPTY = "it has none"


def lookup(name: str) -> list[Server]:
    """All addresses of "host:port" that a way leads to, IPv4 and IPv6, each once. Raises OSError."""
    host, _, port = name.rpartition(":")
    found = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)
    # Where nothing can be reached, gRPC says why.
    usable = [place for place in found if _leads_there(place[0], place[4])] or found
    urls = (f"[{to[0]}]:{port}" if family == socket.AF_INET6 else f"{to[0]}:{port}" for family, *_, to in usable)
    return [Server(url, name) for url in dict.fromkeys(urls)]


def _leads_there(family: int, address: tuple[object, ...]) -> bool:
    """Whether this machine has a route; nothing is sent. Many have none for IPv6."""
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as unused:
            unused.connect(address)
            return True
    except OSError:
        return False


def find(targets: Sequence[str]) -> list[Server]:
    """The servers behind all targets (see `Names`) now, each once. Raises ServerUnavailable where a name has none."""
    found: list[Server] = []
    for target in targets:
        if not target.startswith(DNS):
            found.append(Server(target))
            continue
        try:
            servers = lookup(target[len(DNS) :])
        except OSError as error:
            raise ServerUnavailable(_none_known(target, error.strerror or str(error))) from error
        if not servers:
            raise ServerUnavailable(_none_known(target, _EMPTY))
        found += servers
    return _each_once(found)


def _each_once(servers: Iterable[Server]) -> list[Server]:
    """Two names, or a name and a url, may lead to the same one."""
    by_url: dict[str, Server] = {}
    for server in servers:
        by_url.setdefault(server.url, server)
    return list(by_url.values())


def _none_known(target: str, reason: str) -> str:
    return f"no address of {target} is known: {reason}; is it spelled right, and is a server of it ready?"


class Names:
    """The servers behind targets: those of "dns:///host:port" as they were found last; any other is one itself.

    A thread looks up, one at a time, so that nobody who knows addresses waits for slow name servers. A lookup that
    fails or finds nothing changes nothing. Any number of threads may call this.
    """

    def __init__(self, targets: Sequence[str], clock: Callable[[], float] = time.monotonic) -> None:
        self._names = [target[len(DNS) :] for target in targets if target.startswith(DNS)]
        self._given = [Server(target) for target in targets if not target.startswith(DNS)]
        self._clock = clock
        self._found: dict[str, list[Server]] = {}
        self._reasons: dict[str, str] = {}
        self._last: float | None = None
        self._running: Future[None] | None = None
        self._wait_until = 0.0
        self._closed = False
        self._lock = threading.Lock()
        renew_in_children(self)

    def renew(self) -> None:
        """In a forked process: the thread that looks up is not there."""
        self._lock = threading.Lock()
        self._running = None

    def servers(self) -> list[Server]:
        """Those that are known, each once."""
        with self._lock:
            found = [server for name in self._names for server in self._found.get(name, ())]
        return _each_once([*self._given, *found])

    def why_none(self) -> str:
        """A sentence for whoever has asked when no server is known."""
        name = self._names[0]
        reason = self._reasons.get(name, _EMPTY) if self._last is not None else "no name server has answered yet"
        return _none_known(DNS + name, reason)

    def refresh(self, soon: bool = False) -> tuple[Future[None], float] | None:
        """Begins a lookup if it is time for one. Returns it, and for how many seconds to wait for it; None for no
        waiting.

        soon: a server has failed, so that it is time earlier.
        """
        if not self._names:
            return None
        with self._lock:
            if self._closed:
                return None
            now = self._clock()
            if self._running is None:
                age = math.inf if self._last is None else now - self._last
                if age < (_SHORTEST_PERIOD_S if soon or not self._found else PERIOD_S):
                    return None
                self._wait_until = now + _PATIENCE_S if age > 2 * PERIOD_S else now
                self._running = Future()
                thread = threading.Thread(target=self._look_up, args=(self._running,), name="faces-dns", daemon=True)
                try:
                    thread.start()
                except RuntimeError:
                    # No room for a thread, or Python ends: what is known stays, and the next request tries again.
                    self._running = None
                    return None
            patience = self._wait_until - now if self._found or self._given else math.inf
            return (self._running, patience) if patience > 0 else None

    def close(self) -> None:
        """No more lookups, and whoever waits for one waits no more."""
        with self._lock:
            self._closed = True
            running, self._running = self._running, None
        if running is not None:
            running.set_result(None)

    def _look_up(self, running: Future[None]) -> None:
        found, reasons = {}, {}
        for name in self._names:
            try:
                found[name] = lookup(name)
            except OSError as error:
                reasons[name] = error.strerror or str(error)
        with self._lock:
            if self._running is not running:
                return
            self._found.update({name: servers for name, servers in found.items() if servers})
            self._reasons, self._last, self._running = reasons, self._clock(), None
        running.set_result(None)
