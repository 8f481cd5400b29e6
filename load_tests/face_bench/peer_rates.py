"""A peer's throughput, the machine filled as its users would: as many processes as cores, each with one thread."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from face_bench.many_clients import SweepStep
from face_bench.output import Table
from face_bench.peers import Peer, PeerProcess
from face_bench.pictures import Picture
from face_bench.processes import OtherLoad

CALLERS = 8
"""Of ours, whose throughput stands beside the peer's; the most that were measured, where these were not."""


@dataclass(frozen=True)
class PeerRate:
    """images: of all processes. other_cores: what everything else on the machine used, which should be next to
    nothing."""

    contender: str
    processes: int
    images: int
    images_per_second: float
    other_cores: float


def peer_rate(peer: Peer, python: Path, pictures: Sequence[Picture], processes: int, seconds: float) -> PeerRate:
    """The rates of the processes at work at once, added up; about so many seconds. Raises PeerError."""
    with ExitStack() as stack:
        workers = [stack.enter_context(closing(PeerProcess(peer, python, threads=1))) for _ in range(processes)]
        pool = stack.enter_context(ThreadPoolExecutor(processes))
        for _ in pool.map(lambda worker: _passes(worker, pictures, 0), workers):
            pass
        others = OtherLoad()
        took = list(pool.map(lambda worker: _passes(worker, pictures, seconds), workers))
        return PeerRate(peer.name, processes, sum(map(len, took)), added_up(took), others.cores())


def _passes(worker: PeerProcess, pictures: Sequence[Picture], seconds: float) -> list[float]:
    """Seconds of each detection. Whole passes over the pictures, one at least, so that every process has the mix."""
    end = time.monotonic() + seconds
    took: list[float] = []
    while not took or time.monotonic() < end:
        took += [worker.detect(picture).seconds for picture in pictures]
    return took


def added_up(took: Sequence[Sequence[float]]) -> float:
    """Images a second of processes that took so many seconds for each of their images. How they got their pixels is
    off the clock, as it is with one client's latency."""
    return sum(len(each) / sum(each) for each in took)


def table(rates: Sequence[PeerRate], sweep: Sequence[SweepStep]) -> Table:
    """Beside ours with CALLERS clients; empty where no peer was measured."""
    title, header = "Throughput of the whole machine", ("who", "as", "images/s", "× ours")
    if not rates:
        return Table(title, header, ())
    ours = next((step for step in sweep if step.clients == CALLERS), None) or max(sweep, key=lambda s: s.clients)
    rows = [(f"ours, {ours.clients} clients", "1 server", f"{ours.images_per_second:.1f}", "")]
    for rate in rates:
        ratio = ours.images_per_second / rate.images_per_second
        processes = f"{rate.processes} processes of one thread"
        rows.append((rate.contender, processes, f"{rate.images_per_second:.1f}", f"{ratio:.2f}"))
    notes = [f"everything else used {rate.other_cores:.2f} cores while {rate.contender} was at work" for rate in rates]
    same = "the same pictures; ours decodes every other one from a JPEG, the peer gets arrays in its own process"
    return Table(title, header, tuple(rows), labels=2, notes=(same, *notes))
