"""A peer's throughput, the machine filled as its users would: as many processes as cores, each with one thread."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from face_bench.output import Table
from face_bench.peers import Peer, PeerProcess
from face_bench.pictures import Picture
from face_bench.processes import OtherLoad

CALLERS = 8
"""Of ours, whose throughput is measured beside the peer's."""

TURNS = 5


@dataclass(frozen=True)
class PeerRate:
    """Medians of turns, in each of which ours was at work and then the peer: machines are faster at one minute than at
    another.

    images: of all processes in all turns. ratio: of ours, with CALLERS clients, by the peer. other_cores: what
    everything else on the machine used while the peer was at work, which should be next to nothing.
    """

    contender: str
    processes: int
    turns: int
    images: int
    images_per_second: float
    ours_per_second: float
    ratio: float
    other_cores: float


def peer_rate(
    peer: Peer,
    python: Path,
    pictures: Sequence[Picture],
    processes: int,
    seconds: float,
    ours: Callable[[], float],
    progress: Callable[[int], None],
    turns: int = TURNS,
) -> PeerRate:
    """The rates of the processes at work at once, added up; about so many seconds a turn. Raises PeerError.

    ours: measures our images a second. progress: is told of each turn that is done.
    """
    with ExitStack() as stack:
        workers = [stack.enter_context(closing(PeerProcess(peer, python, threads=1))) for _ in range(processes)]
        pool = stack.enter_context(ThreadPoolExecutor(processes))
        for _ in pool.map(lambda worker: _passes(worker, pictures, 0), workers):
            pass
        of_ours, of_peer, of_others, images = [], [], [], 0
        for turn in range(turns):
            of_ours.append(ours())
            others = OtherLoad()
            took = list(pool.map(lambda worker: _passes(worker, pictures, seconds), workers))
            of_others.append(others.cores())
            of_peer.append(added_up(took))
            images += sum(map(len, took))
            progress(turn + 1)
    ratio = median(one / other for one, other in zip(of_ours, of_peer, strict=True))
    return PeerRate(
        contender=peer.name,
        processes=processes,
        turns=turns,
        images=images,
        images_per_second=median(of_peer),
        ours_per_second=median(of_ours),
        ratio=ratio,
        other_cores=median(of_others),
    )


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


def table(rates: Sequence[PeerRate]) -> Table:
    """Beside ours; empty where no peer was measured."""
    rows: list[tuple[str, ...]] = []
    notes = ["the same pictures; ours decodes every other one from a JPEG, the peer gets arrays in its own process"]
    for rate in rates:
        processes = f"{rate.processes} processes of one thread"
        rows.append((f"ours, {CALLERS} clients", "1 server", f"{rate.ours_per_second:.1f}", ""))
        rows.append((rate.contender, processes, f"{rate.images_per_second:.1f}", f"{rate.ratio:.2f}"))
        notes.append(f"medians of {rate.turns} turns, ours and then {rate.contender}")
        notes.append(f"everything else used {rate.other_cores:.2f} cores while {rate.contender} was at work")
    header = ("who", "as", "images/s", "× ours")
    return Table("Throughput of the whole machine", header, tuple(rows), labels=2, notes=tuple(notes) if rows else ())
