"""Which of several servers to ask. No I/O: the transports do the asking."""

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

PROBE_TIMEOUT_S = 1.0
"""A server that was left alone has so long to say that it is there."""


def addresses(url: str | Sequence[str]) -> list[str]:
    """The endpoints that a URL names: one "host:port", several with commas between them, or a list of such.

    Raises InvalidInput where there is none, or one has a scheme or no port.
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
    if "://" in address:
        raise InvalidInput(f"url is {address!r}; it must be host:port of the gRPC endpoint, without a scheme")
    # gRPC would ask port 443, where Triton hardly is.
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or not 1 <= int(port) <= _LAST_PORT:
        raise InvalidInput(f"url is {address!r}; it must be host:port, with the port of the gRPC endpoint, often 8001")
    if ":" in host and not host.startswith(("[", "dns:", "ipv4:", "ipv6:")):
        raise InvalidInput(f"url is {address!r}; it must be host:port, an IPv6 address in brackets, as [::1]:8001")


def time_left(deadline: float) -> float:
    """Seconds until a point of the monotonic clock. Raises DeadlineExceeded where it has passed."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise DeadlineExceeded("no server answered within the timeout")
    return left


class Choice(NamedTuple):
    """server: which, by its index. probe: first see whether it is there; then say so to `Endpoints.probed`."""

    server: int
    probe: bool


class Attempt(NamedTuple):
    """A request to a server, by the server's index, and when it was sent."""

    server: int
    started: float


@dataclass
class _State:
    in_flight: int = 0
    failures: int = 0
    # When it may be tried again; None for one that serves.
    aside_until: float | None = None
    probing: bool = False
    last_answer: float = 0.0


class Endpoints:
    """Serving ones take turns, the one with the fewest requests in flight first; equals by chance.

    One that failed is put aside for all requests, and probed before it is asked again. Only what is the server's own
    failure counts: it could not be reached, it refused, or it let a time pass in which another one answered. A model
    that it does not have, or a caller without patience, says nothing of that kind.
    Any number of threads may call this. clock: seconds that never go back.
    """

    def __init__(self, count: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._states = [_State() for _ in range(count)]
        self._clock = clock
        self._lock = threading.Lock()
        renew_in_children(self)

    def renew(self) -> None:
        """In a forked process: what its parent knows of the servers holds, but its requests are not in flight here."""
        self._lock = threading.Lock()
        for state in self._states:
            state.in_flight, state.probing = 0, False

    def choose(self, tried: Collection[int] = ()) -> Choice:
        """The server to ask next, one that this request has not tried unless it has tried all.

        Where all are aside, the one that may come back first is asked all the same.
        """
        with self._lock:
            now = self._clock()
            serving = []
            candidates = self.untried(tried) or range(len(self._states))
            for index in candidates:
                state = self._states[index]
                if state.aside_until is None:
                    serving.append(index)
                elif state.aside_until <= now and not state.probing:
                    state.probing = True
                    return Choice(index, True)
            if serving:
                return Choice(min(serving, key=lambda i: (self._states[i].in_flight, random.random())), False)
            return Choice(min(candidates, key=lambda i: self._states[i].aside_until or 0.0), False)

    def untried(self, tried: Collection[int]) -> list[int]:
        """The servers that a request may still go to."""
        return [index for index in range(len(self._states)) if index not in tried]

    def share(self, left: float, tried: Collection[int]) -> float:
        """Of the seconds that a request has left, those for the attempt that it begins: half where a serving one is
        still untried, so that a server that hangs does not use them up; else all."""
        others = any(self._states[index].aside_until is None for index in self.untried(tried))
        return left / 2 if others else left

    def probed(self, index: int, is_there: bool | None) -> None:
        """What came of a probe; None for nothing, and somebody else may try soon.

        One that is there serves again; it is trusted when it has answered a request.
        """
        with self._lock:
            state = self._states[index]
            state.probing = False
            if is_there is None:
                state.aside_until = self._clock() + _FIRST_PAUSE_S
            elif is_there:
                state.aside_until = None
            else:
                self._put_aside(state)

    @contextmanager
    def asking(self, index: int) -> Iterator[Attempt]:
        """Around a request to a server: counts it, and learns from how it ends."""
        state = self._states[index]
        with self._lock:
            state.in_flight += 1
        try:
            yield Attempt(index, self._clock())
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
            state = self._states[attempt.server]
            if state.last_answer < attempt.started:
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
