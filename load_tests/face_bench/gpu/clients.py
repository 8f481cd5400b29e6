"""Clients in processes of their own: at a thousand images a second one interpreter would be the bottleneck."""

import multiprocessing
from collections import Counter
from collections.abc import Sequence
from multiprocessing.connection import Connection
from types import TracebackType

from face_bench import BenchError
from face_bench.many_clients import ClosedLoop
from face_bench.processes import cpu_seconds
from face_bench.wire import Request

_START_TIMEOUT_S = 60.0
_ANSWER_TIMEOUT_S = 60.0
_STOP_TIMEOUT_S = 90.0

CLIENTS_A_PROCESS = 4
"""From so many on it takes one more process, until these have a quarter of the cores."""


def processes_for(clients: int, cores: int) -> int:
    return max(1, min(clients // CLIENTS_A_PROCESS, cores // 4))


def shares(clients: int, processes: int) -> list[int]:
    """How many clients each process has: as equal as can be."""
    return [clients // processes + (n < clients % processes) for n in range(processes)]


class Clients:
    """A closed loop of `clients` clients over some processes, at work from entering the block to leaving it."""

    def __init__(self, url: str, requests: Sequence[Request], clients: int, processes: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipes: list[Connection] = []
        self._processes = []
        for n, share in enumerate(shares(clients, processes)):
            ours, theirs = context.Pipe()
            # Each begins elsewhere: they would all ask for the same picture at the same time.
            start = n * len(requests) // processes
            turned = [*requests[start:], *requests[:start]]
            self._pipes.append(ours)
            self._processes.append(context.Process(target=_work, args=(theirs, url, turned, share), daemon=True))

    def __enter__(self) -> "Clients":
        """Returns when all are at work."""
        for process in self._processes:
            process.start()
        for pipe in self._pipes:
            self._read(pipe, _START_TIMEOUT_S)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for pipe in self._pipes:
            pipe.close()
        for process in self._processes:
            process.join(_STOP_TIMEOUT_S)
            process.kill()

    def between(self, start: float, end: float) -> tuple[list[float], dict[str, int]]:
        """As `ClosedLoop.between`, of all: processes of a machine share that clock."""
        latencies: list[float] = []
        errors: Counter[str] = Counter()
        for pipe in self._pipes:
            pipe.send((start, end))
        for pipe in self._pipes:
            more, wrong = self._read(pipe, _ANSWER_TIMEOUT_S)
            latencies += more
            errors.update(wrong)
        return latencies, dict(errors)

    def cpu_seconds(self) -> float:
        return sum(cpu_seconds(process.pid) for process in self._processes if process.pid)

    @staticmethod
    def _read(pipe: Connection, timeout: float) -> tuple[list[float], dict[str, int]]:
        try:
            if pipe.poll(timeout):
                answer: tuple[list[float], dict[str, int]] = pipe.recv()
                return answer
        except (EOFError, OSError):
            pass
        raise BenchError("a process of the load generator ended or does not answer")


def _work(pipe: Connection, url: str, requests: Sequence[Request], clients: int) -> None:
    with ClosedLoop(url, requests, clients) as loop:
        pipe.send(([], {}))
        while True:
            try:
                start, end = pipe.recv()
            except (EOFError, OSError):
                return
            pipe.send(loop.between(start, end))
