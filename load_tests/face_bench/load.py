"""Closed-loop clients: each sends its next request when it has the answer to the last.

Clients are threads of this process. All that they do in Python is to hand bytes to gRPC and read a small answer,
a fraction of a millisecond a request; the rest runs in gRPC's own threads or waits. Processes would each bring an
interpreter to two cores that the server needs. What this process used of the processor is reported beside what the
server used, so that a load generator in the way would be seen.
"""

import itertools
import threading
import time
from collections import Counter
from collections.abc import Sequence
from types import TracebackType

import grpc

from face_bench.errors import BenchError
from face_bench.wire import WireClient, WireRequest

WRONG_ANSWER = "other number of faces than alone"

# A server that refuses at once must not be asked a thousand times a second.
_PAUSE_AFTER_ERROR_S = 0.05
_JOIN_TIMEOUT_S = 90.0


class ClosedLoop:
    """`clients` clients at work on a mix of requests, in one order for all, from entering the block to leaving it.

    Args:
        expected: faces in the answer to each request of the mix; another number counts as an error.
        limit: stop after so many requests; None for no limit but the block's end.
    """

    def __init__(
        self, url: str, requests: Sequence[WireRequest], expected: Sequence[int], clients: int, limit: int | None = None
    ) -> None:
        self._requests = requests
        self._expected = expected
        self._limit = limit
        self._turns = itertools.count()
        self._stopping = threading.Event()
        # (time of the answer, seconds it took): appended to by all threads, which lists allow.
        self.answers: list[tuple[float, float]] = []
        self.errors: list[tuple[float, str]] = []
        self._clients = [WireClient(url) for _ in range(clients)]
        self._threads = [threading.Thread(target=self._work, args=(client,), daemon=True) for client in self._clients]

    def __enter__(self) -> "ClosedLoop":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Waits for the requests in flight."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(_JOIN_TIMEOUT_S)
        for client in self._clients:
            client.close()

    @property
    def done(self) -> int:
        """Requests that have come to an end, good or bad."""
        return len(self.answers) + len(self.errors)

    @property
    def running(self) -> bool:
        return any(thread.is_alive() for thread in self._threads)

    def between(self, start: float, end: float) -> tuple[list[float], Counter[str]]:
        """Seconds of each good answer, and errors by kind, that came within a time of `time.perf_counter`."""
        seconds = [took for at, took in list(self.answers) if start <= at < end]
        return seconds, Counter(kind for at, kind in list(self.errors) if start <= at < end)

    def _work(self, client: WireClient) -> None:
        while not self._stopping.is_set():
            turn = next(self._turns)
            if self._limit is not None and turn >= self._limit:
                return
            self._send(client, turn % len(self._requests))

    def _send(self, client: WireClient, index: int) -> None:
        started = time.perf_counter()
        try:
            faces = client.faces(self._requests[index])
        except grpc.RpcError as error:
            self.errors.append((time.perf_counter(), error.code().name))
            self._stopping.wait(_PAUSE_AFTER_ERROR_S)
            return
        ended = time.perf_counter()
        if faces == self._expected[index]:
            self.answers.append((ended, ended - started))
        else:
            self.errors.append((ended, WRONG_ANSWER))


def faces_alone(url: str, requests: Sequence[WireRequest]) -> list[int]:
    """The number of faces in the answer to each request, sent by one client. Raises BenchError."""
    client = WireClient(url)
    try:
        return [client.faces(request) for request in requests]
    except grpc.RpcError as error:
        raise BenchError(f"the server failed a request of one client: {error.details()}") from error
    finally:
        client.close()
