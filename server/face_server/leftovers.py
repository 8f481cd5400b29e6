"""What a server has on this machine outside of its process: a directory of backends, and shared memory.

A server that stops takes both along. One that was killed cannot, so the next one that starts looks for such leftovers.
Each directory holds a locked file, open in the launcher, the server and its stubs: the system ends the lock with the
last of them, whatever ended them.
"""

import fcntl
import shutil
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

PREFIX = "triton-faces-"

_LOCK = "lock"

# Where the Python backend's memory lies, named for the server's directory.
_SHARED_MEMORY = Path("/dev/shm")


@dataclass(frozen=True)
class Workplace:
    """The directory of one server. lock: to be inherited by the server."""

    path: Path
    lock: IO[str]

    @classmethod
    def make(cls) -> "Workplace":
        """A new one. Removes what servers that were killed left behind."""
        remove_leftovers()
        path = Path(tempfile.mkdtemp(prefix=PREFIX))
        # Another launcher must not find it before it is locked.
        unlocked = path / f"{_LOCK}.new"
        lock = unlocked.open("w")
        fcntl.flock(lock, fcntl.LOCK_EX)
        unlocked.rename(path / _LOCK)
        return cls(path, lock)

    def remove(self) -> None:
        """Removes the directory and the shared memory, once no process of the server is left."""
        _remove(self.path)
        self.lock.close()


def remove_leftovers(temporary: Path | None = None) -> list[Path]:
    """Removes what servers that were killed left behind; returns their directories. Other users' are left alone.

    temporary: where the directories lie, the machine's usual place if not given.
    """
    removed = []
    for lock in Path(temporary or tempfile.gettempdir()).glob(f"{PREFIX}*/{_LOCK}"):
        try:
            with lock.open("r+") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _remove(lock.parent)
        except OSError:
            # Locked by a server that lives, somebody else's, or removed by another launcher in this moment.
            continue
        removed.append(lock.parent)
    return removed


def _remove(directory: Path) -> None:
    for region in _SHARED_MEMORY.glob(f"{directory.name}*"):
        region.unlink(missing_ok=True)
    with suppress(FileNotFoundError):
        # A cleaner of temporary files may have been here.
        shutil.rmtree(directory)
