"""Machine code kept on disk between processes: a file a function, in a folder that its user alone can write.

What lies there runs with the user's rights, so others must not have put it there. The folder is opened, and what was
opened is judged, not its name: who owns it and who may write it cannot change behind our back, whatever happens to the
folders above. Where it cannot be used, everything goes on without: `trouble` tells why.
"""

import errno
import fcntl
import hashlib
import os
import secrets
import stat
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

VARIABLE = "TRITON_FACES_CODE_CACHE"
"""The folder, or `off`."""

OFF = "off"

# Name of the format. Another one is another name.
_MAGIC = b"triton-faces code 1\n"

_SUFFIX, _UNFINISHED = ".code", ".part"

# A set is 8 files and 1 MB; a release or a kind of processor makes another.
_MOST_FILES = 400

# So long another process may compile the same, which takes seconds. Then this one does, too.
_PATIENCE_SECONDS = 60.0
_POLL_SECONDS = 0.02
_ABANDONED_SECONDS = 3600.0

_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH


class Unusable(OSError):
    """The message says why, about the folder."""


def user_cache(environment: Mapping[str, str]) -> Path:
    """Where a user's caches of ours lie: `triton-faces` in `$XDG_CACHE_HOME`, else in `~/.cache`.

    Raises RuntimeError for a user without a home.
    """
    # The XDG specification says to ignore a relative path here.
    shared = Path(environment.get("XDG_CACHE_HOME", ""))
    base = shared if shared.is_absolute() else Path.home() / ".cache"
    return base / "triton-faces"


def folder_of(environment: Mapping[str, str]) -> Path | None:
    """The folder of machine code; None for none. Raises Unusable where there is no such place."""
    told = environment.get(VARIABLE, "")
    if told == OFF:
        return None
    if told:
        if not Path(told).is_absolute():
            raise Unusable(f"{VARIABLE} is {told!r}, which is neither an absolute path nor {OFF!r}")
        return Path(told)
    try:
        folder = user_cache(environment) / "code"
    except RuntimeError:
        raise Unusable(f"this user has no home folder, and {VARIABLE} names no other") from None
    if not folder.is_absolute():
        raise Unusable(f"this user's home folder is {str(Path.home())!r}, and {VARIABLE} names no other")
    return folder


class CodeCache:
    """Code by key: any text that tells all that decides about the code.

    folder: is made when needed; None keeps nothing. trouble: why code is not read or kept, the latest reason; else "".
    """

    def __init__(self, folder: Path | None, trouble: str = "") -> None:
        self._folder = folder
        self._lock: int | None = None
        self.trouble = trouble

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> "CodeCache":
        try:
            return cls(folder_of(environment))
        except Unusable as error:
            return cls(None, str(error))

    def load(self, key: str) -> bytes | None:
        """What was stored; None where there is nothing, or not what was written under this key."""
        with self._noticing(), self._opened() as folder:
            if folder is None:
                return None
            try:
                file = os.open(_name(key), os.O_RDONLY, dir_fd=folder)
            except FileNotFoundError:
                return None
            with os.fdopen(file, "rb") as opened:
                _check(os.fstat(file), "a file in the folder")
                data = opened.read()
                # The oldest go first. A file system may be read-only.
                with suppress(OSError):
                    os.utime(file)
            payload = data[len(_MAGIC) + hashlib.sha256().digest_size :]
            return payload if data == _sealed(key, payload) else None
        return None

    def store(self, key: str, payload: bytes) -> None:
        """Puts it whole in its place, over what was there."""
        with self._noticing(), self._opened() as folder:
            if folder is None:
                return
            name = f"{_name(key)}.{secrets.token_hex(8)}{_UNFINISHED}"
            try:
                file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=folder)
                with os.fdopen(file, "wb") as opened:
                    opened.write(_sealed(key, payload))
                os.replace(name, _name(key), src_dir_fd=folder, dst_dir_fd=folder)
            except OSError:
                with suppress(OSError):
                    os.unlink(name, dir_fd=folder)
                raise
            # It is kept, whatever becomes of others.
            with suppress(OSError):
                _tidy(folder)

    @contextmanager
    def alone(self, key: str) -> Iterator[None]:
        """Waits while another process is here with the same key. Only saves work: with patience at its end, or where
        there are no locks, it goes on all the same."""
        place = int(hashlib.sha256(key.encode()).hexdigest()[:15], 16)
        lock = self._lock_file()
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while lock is not None:
            try:
                fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
                break
            except OSError as error:
                if error.errno not in (errno.EAGAIN, errno.EACCES) or time.monotonic() > deadline:
                    break
                time.sleep(_POLL_SECONDS)
        try:
            yield
        finally:
            if lock is not None:
                with suppress(OSError):
                    fcntl.lockf(lock, fcntl.LOCK_UN, 1, place)

    def _lock_file(self) -> int | None:
        """One file for all keys, each of which is a byte in it. Stays open: to close it would free all of them."""
        if self._lock is None:
            with suppress(OSError), self._opened() as folder:
                if folder is not None:
                    self._lock = os.open("lock", os.O_RDWR | os.O_CREAT, 0o600, dir_fd=folder)
        return self._lock

    @contextmanager
    def _opened(self) -> Iterator[int | None]:
        """The folder, judged. Raises OSError."""
        if self._folder is None:
            yield None
            return
        try:
            folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            _make(self._folder)
            folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            _check(os.fstat(folder), "it")
            yield folder
        finally:
            os.close(folder)

    @contextmanager
    def _noticing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            reason = str(error) if isinstance(error, Unusable) else f"{error.strerror}"
            self.trouble = f"{self._folder} cannot be used: {reason}"


@cache
def shared() -> CodeCache:
    """The one of this process."""
    return CodeCache.of(os.environ)


def _name(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:32] + _SUFFIX


def _sealed(key: str, payload: bytes) -> bytes:
    """As it lies on disk. The checksum is over the key, too: a file under another's name is not taken for its own."""
    return _MAGIC + hashlib.sha256(key.encode() + b"\0" + payload).digest() + payload


def _check(status: os.stat_result, what: str) -> None:
    """Raises Unusable unless it is this user's, and nobody else's to write."""
    if status.st_uid != os.geteuid():
        raise Unusable(f"{what} belongs to user {status.st_uid}, and this is user {os.geteuid()}")
    if status.st_mode & _WRITABLE_BY_OTHERS:
        raise Unusable(f"{what} can be written by others (mode {stat.S_IMODE(status.st_mode):o})")


def _make(folder: Path) -> None:
    """The folder and those above that are missing, this user's alone.

    Not in another user's folder, such as the home that `sudo` leaves in the environment: what root makes there is of no
    use to its owner. Raises OSError.
    """
    missing = [folder]
    while not missing[-1].parent.exists():
        missing.append(missing[-1].parent)
    above = missing[-1].parent
    if above.stat().st_uid not in (0, os.geteuid()):
        raise Unusable(f"{above}, where it would be made, belongs to user {above.stat().st_uid}")
    for path in reversed(missing):
        # Another process may be as far.
        path.mkdir(mode=0o700, exist_ok=True)


def _tidy(folder: int) -> None:
    """Removes what was not used for longest, and what processes left that were killed while they wrote."""
    used = []
    for name in os.listdir(folder):
        if name.endswith((_SUFFIX, _UNFINISHED)):
            with suppress(FileNotFoundError):
                used.append((os.stat(name, dir_fd=folder).st_mtime, name))
    used.sort(reverse=True)
    kept = [pair for pair in used if pair[1].endswith(_SUFFIX)][:_MOST_FILES]
    kept += [pair for pair in used if pair[1].endswith(_UNFINISHED) and pair[0] > time.time() - _ABANDONED_SECONDS]
    for _, name in set(used) - set(kept):
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=folder)
