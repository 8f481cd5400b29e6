"""What a server holds at a time: memory and open files of each of its processes, and the memory they share."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import psutil

from face_bench.process_tree import pss

T = TypeVar("T")

# A line of /proc/PID/maps: the last column is the file, if there is one.
_SHARED = re.compile(r"\s(/dev/shm/\S+)", re.MULTILINE)

# Where Triton's Python backend names the instance that a stub runs, such as `mtcnn_0_0`.
_STUB, _INSTANCE = "triton_python_backend_stub", 8


@dataclass(frozen=True)
class ProcessUse:
    """name: of the program, or of the model's instance. started: seconds since 1970. Bytes; rss counts pages that
    processes share in each of them, pss divides them up."""

    name: str
    pid: int
    started: float
    rss: int
    pss: int
    open_files: int


@dataclass(frozen=True)
class ServerState:
    """shared_memory: bytes of the files in /dev/shm that the server's processes have mapped."""

    processes: tuple[ProcessUse, ...]
    shared_memory: int

    @property
    def rss(self) -> int:
        return sum(process.rss for process in self.processes)

    @property
    def pss(self) -> int:
        return sum(process.pss for process in self.processes)

    @property
    def open_files(self) -> int:
        return sum(process.open_files for process in self.processes)


def server_state(pid: int) -> ServerState:
    """Of a process and all its children, now. One that ends meanwhile is left out; so is all, if the first has."""
    try:
        root = psutil.Process(pid)
        processes = [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        processes = []
    uses = [_use(process) for process in processes]
    return ServerState(tuple(use for use in uses if use), _shared_memory(process.pid for process in processes))


def _use(process: psutil.Process) -> ProcessUse | None:
    try:
        with process.oneshot():
            return ProcessUse(
                name=_name(process),
                pid=process.pid,
                started=process.create_time(),
                rss=process.memory_info().rss,
                pss=pss(process.pid),
                open_files=process.num_fds(),
            )
    except psutil.NoSuchProcess:
        return None


def _name(process: psutil.Process) -> str:
    words = process.cmdline()
    is_stub = len(words) > _INSTANCE and words[0].endswith(_STUB)
    return words[_INSTANCE] if is_stub else process.name()


def _shared_memory(pids: Iterable[int]) -> int:
    """Each file once. Blocks, not sizes: a file has no memory where nobody has written."""
    maps = [_or_none(Path(f"/proc/{pid}/maps").read_text) for pid in pids]
    files = {file for text in maps if text for file in _SHARED.findall(text)}
    found = [_or_none(Path(file).stat) for file in files]
    return sum(stat.st_blocks * 512 for stat in found if stat)


def _or_none(read: Callable[[], T]) -> T | None:
    try:
        return read()
    except OSError:
        return None
