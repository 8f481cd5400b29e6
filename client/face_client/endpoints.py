"""Which of several servers to ask. No I/O: the transports do the asking, and `names` the looking up."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Callable, NamedTuple

from face_client.errors import DeadlineExceeded, FaceError, InvalidInput, ServerUnavailable
from face_client.forks import renew_in_children

# For so long a server that failed is left alone, twice as long each time until it has answered a request again.
_FIRST_PAUSE_S = 0.25
_LONGEST_PAUSE_S = 5.0

_LAST_PORT = 65_535

DNS = "dns:///"
"""Before host:port: all addresses that this name has, as they come and go."""

PROBE_TIMEOUT_S = 1.0
"""A server that was left alone has so long to say that it is there."""


def addresses(url: str | Sequence[str]) -> list[str]:
    """The endpoints that a URL names: one "host:port" or "dns:///host:port", several with commas between them, or a
    list of such.

    Raises InvalidInput where there is none, or one has another scheme or no port.
    """
    if not isinstance(url, str) and (not isinstance(url, Sequence) or not all(isinstance(text, str) for text in url)):
        raise InvalidInput(f"url is {url!r}; it must be host:port, or several of them with commas between or as a list")
    texts = [url] if isinstance(url, str) else url
    found = [address.strip() for text in texts for address in text.split(",")]
    if not found or "" in found:
        raise InvalidInput(f"url is {url!r}; it must be host:port, or several of them with commas between")
    for address in found:
        _check_address(address)
    return found


def _check_address(address: str) -> None:
    if address.startswith("unix:"):
        return
    name = address[len(DNS) :] if address.startswith(DNS) else None
    if "://" in address and (name is None or "/" in name):
        raise InvalidInput(
            f"url is {address!r}; it must be host:port of the gRPC endpoint, without a scheme, or {DNS}host:port "
            "for all addresses of a name"
        )
    # gRPC would ask port 443, where Triton hardly is.
    host, _, port = (name or address).rpartition(":")
    if not host or not port.isdecimal() or not 1 <= int(port) <= _LAST_PORT:
        raise InvalidInput(f"url is {address!r}; it must be host:port, with the port of the gRPC endpoint, often 8001")
    if name is not None:
        _check_name(host, address)
    elif ":" in host and not host.startswith(("[", "dns:", "ipv4:", "ipv6:")):
        raise InvalidInput(f"url is {address!r}; it must be host:port, an IPv6 address in brackets, as [::1]:8001")


def _check_name(host: str, address: str) -> None:
    try:
        # What getaddrinfo does first.
        host.encode("idna")
    except UnicodeError:
        host = ""
    if not host or set(host) & set("[]:%, "):
        raise InvalidInput(f"url is {address!r}; it must be host:port behind {DNS}, with a host name")


def time_left(deadline: float) -> float:
    """Seconds until a point of the monotonic clock. Raises DeadlineExceeded where it has passed."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise DeadlineExceeded("no server answered within the timeout")
    return left


class Server(NamedTuple):
    """url: "host:port", or what else gRPC connects to. name: the "host:port" whose address that is, if it was found."""

    url: str
    name: str | None = None


class Choice(NamedTuple):
    """probe: first see whether the server is there; then say so to `Endpoints.probed`."""

    server: Server
    probe: bool


class Attempt(NamedTuple):
    """A request to a server, and when it was sent."""

    server: Server
    started: float


class Gone(Exception):
    """A server was chosen, and forgotten before it was asked."""


@dataclass
class _State:
    in_flight: int = 0
    failures: int = 0
    # When it may be tried again; None for one that serves.
    aside_until: float | None = None
    probing: bool = False
    last_answer: float = 0.0
    # Which choice was the last of it; 0 for none.
    chosen: int = 0
    listed: bool = True


class Endpoints:
    """Serving ones take turns: first the one with the fewest requests in flight, of equals the one chosen longest ago.

    One that failed is put aside for all requests, and probed before it is asked again. Only what is the server's own
    failure counts: it could not be reached, it refused, or it let a time pass in which another one answered. A model
    that it does not have, or a caller without patience, says nothing of that kind.
    Any number of threads may call this. clock: seconds that never go back.
    """

    def __init__(self, servers: Iterable[Server] = (), clock: Callable[[], float] = time.monotonic) -> None:
        self._states = {server: _State() for server in servers}
        self._choices = 0
        self._clock = clock
        self._lock = threading.Lock()
        renew_in_children(self)

    def renew(self) -> None:
        """In a forked process: what its parent knows of the servers holds, but its requests are not in flight here."""
        self._lock = threading.Lock()
        for state in self._states.values():
            state.in_flight, state.probing = 0, False

    def update(self, servers: Collection[Server]) -> list[Server]:
        """From now on these are chosen among, and no others. What is known of those that stay holds.

        Returns those that are forgotten: no longer listed, now or before, and with no request in flight.
        """
        with self._lock:
            for server in servers:
                self._states.setdefault(server, _State())
            for server, state in self._states.items():
                state.listed = server in servers
            gone = [
                server
                for server, state in self._states.items()
                if not (state.listed or state.in_flight or state.probing)
            ]
            for server in gone:
                del self._states[server]
        return gone

    def choose(self, tried: Collection[Server] = ()) -> Choice:
        """The server to ask next, one that this request has not tried unless it has tried all.

        Where all are aside, the one that may come back first is asked all the same.
        """
        with self._lock:
            now = self._clock()
            serving = []
            candidates = self._untried(tried) or self._untried()
            for server, state in candidates.items():
                if state.aside_until is None:
                    serving.append(server)
                elif state.aside_until <= now and not state.probing:
                    state.probing = True
                    return Choice(server, True)
            if serving:
                return Choice(self._next_of(serving), False)
            return Choice(min(candidates, key=lambda each: candidates[each].aside_until or 0.0), False)

    def _next_of(self, serving: list[Server]) -> Server:
        # At first by chance, so that clients that start together do not begin at the same server.
        states = self._states
        server = min(serving, key=lambda each: (states[each].in_flight, states[each].chosen, random.random()))
        self._choices += 1
        states[server].chosen = self._choices
        return server

    def untried(self, tried: Collection[Server] = ()) -> list[Server]:
        """The servers that a request may still go to."""
        with self._lock:
            return list(self._untried(tried))

    def _untried(self, tried: Collection[Server] = ()) -> dict[Server, _State]:
        return {server: state for server, state in self._states.items() if state.listed and server not in tried}

    def share(self, left: float, tried: Collection[Server]) -> float:
        """Of the seconds that a request has left, those for the attempt that it begins: half where a serving one is
        still untried, so that a server that hangs does not use them up; else all."""
        with self._lock:
            others = any(state.aside_until is None for state in self._untried(tried).values())
        return left / 2 if others else left

    def probed(self, server: Server, is_there: bool | None) -> None:
        """What came of a probe; None for nothing, and somebody else may try soon.

        One that is there serves again; it is trusted when it has answered a request.
        """
        with self._lock:
            state = self._states[server]
            state.probing = False
            if is_there is None:
                state.aside_until = self._clock() + _FIRST_PAUSE_S
            elif is_there:
                state.aside_until = None
            else:
                self._put_aside(state)

    @contextmanager
    def asking(self, server: Server) -> Iterator[Attempt]:
        """Around a request to a server: counts it, and learns from how it ends. Raises Gone where it is forgotten."""
        with self._lock:
            if server not in self._states:
                raise Gone
            state = self._states[server]
            state.in_flight += 1
        try:
            yield Attempt(server, self._clock())
        except DeadlineExceeded:
            # Whose fault it is shows when the next one is asked; see `outrun`.
            raise
        except ServerUnavailable as error:
            if error.of_endpoint:
                self._failed(state)
            else:
                self._answered(state)
            raise
        except FaceError:
            self._answered(state)
            raise
        else:
            self._answered(state)
        finally:
            with self._lock:
                state.in_flight -= 1

    def outrun(self, late: Iterable[Attempt]) -> None:
        """A request was answered after these attempts had run out of time. It was no more than a server can do: those
        that have answered nobody since are at fault."""
        for attempt in late:
            state = self._states.get(attempt.server)
            if state is not None and state.last_answer < attempt.started:
                self._failed(state)

    def _answered(self, state: _State) -> None:
        with self._lock:
            state.failures, state.aside_until, state.last_answer = 0, None, self._clock()

    def _failed(self, state: _State) -> None:
        with self._lock:
            # Many requests fail together when a server goes; that is one failure.
            if state.aside_until is None:
                self._put_aside(state)

    def _put_aside(self, state: _State) -> None:
        state.aside_until = self._clock() + min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2**state.failures)
        state.failures += 1
