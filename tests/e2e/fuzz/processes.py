"""The server's processes while it is being fuzzed: which live, and what memory they hold."""

import statistics
from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import psutil

_MIB = 1024 * 1024

TAKES = 20
"""So many times in a run to look at the memory."""

GROWTH = 3 * _MIB
"""A process that grows by more than this from one look to the next, as often as not, leaks. A single step does not
count: what a process needed for its largest request so far, it keeps (a damaged header may say 49 megapixels)."""


@dataclass(frozen=True)
class Take:
    """After so many requests: bytes of private memory by process, and who lives."""

    sent: int
    memory: dict[str, int]
    pids: set[int]


class Census:
    """Of one tritonserver and its stubs, by the server's process id."""

    def __init__(self, server: int) -> None:
        self.server = server
        self.takes: list[Take] = []

    def take(self, sent: int) -> None:
        self.takes.append(Take(sent, memory(self.server), pids(self.server)))

    @property
    def middle(self) -> Take:
        return self.takes[len(self.takes) // 2]

    def died(self) -> set[int]:
        """Processes that were there at first and are not any more."""
        return self.takes[0].pids - self.takes[-1].pids

    def grown(self) -> list[str]:
        """Processes that went on growing through the second half."""
        later = [take.memory for take in self.takes[len(self.takes) // 2 :]]
        return [name for name in later[0] if _steady_growth([held.get(name, 0) for held in later]) > GROWTH]


def _steady_growth(held: list[int]) -> float:
    """The median of the differences from one to the next."""
    return statistics.median(after - before for before, after in pairwise(held)) if len(held) > 1 else 0


def memory(server: int) -> dict[str, int]:
    """Private resident bytes of tritonserver and, together, of each model's processes; and what they share."""
    process = psutil.Process(server)
    held: dict[str, int] = defaultdict(int)
    for member in (process, *process.children()):
        info = member.memory_info()
        held[_name(member)] += info.rss - info.shared
    held["shared memory"] = sum(path.stat().st_blocks * 512 for path in Path("/dev/shm").glob(_regions(process)))
    return dict(held)


def pids(server: int) -> set[int]:
    """Of the server and its stubs: a new one stands for one that died."""
    process = psutil.Process(server)
    return {server, *(child.pid for child in process.children() if child.status() != psutil.STATUS_ZOMBIE)}


def _name(process: psutil.Process) -> str:
    words = process.cmdline()
    return Path(words[1]).parents[1].name if words[0].endswith("triton_python_backend_stub") else "tritonserver"


def _regions(server: psutil.Process) -> str:
    option = "shm-region-prefix-name="
    return next(word.partition(option)[2] for word in server.cmdline() if option in word) + "*"
