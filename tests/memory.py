"""A process that is short of memory, for as long as a `with` block lasts."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

_BLOCK = 2**20


@contextmanager
def little_memory(more: int) -> Iterator[None]:
    """This process may have so many bytes more than it uses, at most: what asks for more gets a MemoryError."""
    has = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (has, before[1]))
    # What earlier tests have freed lies in the heap, and would do for large arrays: it is taken.
    held = []
    try:
        while True:
            held.append(np.empty(_BLOCK, np.uint8))
    except MemoryError:
        resource.setrlimit(resource.RLIMIT_AS, (has + more, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
        held.clear()
