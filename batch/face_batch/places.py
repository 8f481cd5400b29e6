"""Folders on disks and in object stores: one way to list, read and write both, through pyarrow's file systems."""

import io
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
from pyarrow import fs

from face_batch.addresses import bucket_of, check_address, filesystem, is_remote, split_query, store_of, words
from face_batch.errors import DiskFailed, StoreUnavailable

T = TypeVar("T")

_TRIES = 5
_FIRST_PAUSE_S = 0.5
# What asking again does not mend. A request without an answer's body, as for a file's size, says ACCESS_DENIED for all.
_FINAL = (
    *("ACCESS_DENIED", "NO_SUCH_BUCKET", "INVALID_ACCESS_KEY_ID", "SIGNATURE_DOES_NOT_MATCH", "ExpiredToken"),
    # Azure's.
    *("AuthenticationFailed", "AuthorizationFailure"),
)
# Of the one file: an archive would have to bring it back first.
_ARCHIVED = ("INVALID_OBJECT_STATE", "InvalidObjectState")
# Nobody has such a folder.
_NOWHERE = ".faces-batch-nowhere"
# Of a local file that was not finished.
_PART = ".part"


@dataclass(frozen=True)
class Entry:
    """A file as a listing has it. path: in its file system. modified: nanoseconds since 1970, 0 where nobody knows."""

    path: str
    size: int
    modified: int

    @property
    def version(self) -> str:
        """Another one when the file was written again."""
        return f"{self.size}-{self.modified}"


@dataclass(frozen=True)
class Place:
    """A folder or a file. filesystem: pyarrow's. path: in it, without a slash at its end.

    prefix: `s3://`, or nothing.
    """

    filesystem: Any
    path: str
    prefix: str

    @classmethod
    def at(cls, address: str) -> "Place":
        """Of an address: a path, or s3://, gs:// or az:// and bucket and path. What may follow a `?` tells
        where the store is, `endpoint_override` say; `address` is without it.

        Raises TargetRefused where the address holds credentials or is none that pyarrow reads.
        """
        check_address(address)
        if not is_remote(address):
            return cls(fs.LocalFileSystem(), str(Path(address).absolute()), "")
        # A pattern is no URI: what stands behind the bucket is taken as it is.
        bare, query = split_query(address)
        scheme, _, path = bare.partition("://")
        return cls(filesystem(scheme, bucket_of(bare), query), path.rstrip("/"), f"{scheme}://")

    @property
    def address(self) -> str:
        return f"{self.prefix}{self.path}"

    @property
    def store(self) -> str:
        """See store_of."""
        return store_of(self.address)

    @property
    def is_local(self) -> bool:
        return not self.prefix

    def __truediv__(self, name: str) -> "Place":
        return self.sibling(f"{self.path.rstrip('/')}/{name}")

    def sibling(self, path: str) -> "Place":
        """Another path in the same file system."""
        return Place(self.filesystem, path, self.prefix)

    def info(self) -> Entry | None:
        """The file that is here; None where there is none, or a folder."""
        info = self._retried(lambda: self.filesystem.get_file_info([self.path])[0])
        return _entry(info) if info.type == fs.FileType.File else None

    def is_folder(self) -> bool:
        try:
            info = self._retried(lambda: self.filesystem.get_file_info([self.path])[0])
        except PermissionError:
            return any(True for _ in self.files())
        return bool(info.type == fs.FileType.Directory)

    def files(self, recursive: bool = True) -> Iterator[Entry]:
        """All files below, in no order; none where there is no such folder."""
        selector = fs.FileSelector(self.path, allow_not_found=True, recursive=recursive)
        for info in self._retried(lambda: self.filesystem.get_file_info(selector)):
            if info.type == fs.FileType.File:
                yield _entry(info)

    def open(self) -> Any:
        """The file for reading from any place of it, to be closed. It raises as `read` does."""
        file = self._retried(lambda: self.filesystem.open_input_file(self.path))
        return file if self.is_local else _Steady(file, self)

    def read(self) -> bytes:
        """The whole file. Raises FileNotFoundError, PermissionError; of a store StoreUnavailable after some tries, of
        a disk OSError."""

        def whole() -> bytes:
            with self.filesystem.open_input_stream(self.path) as stream:
                return bytes(stream.read())

        return self._retried(whole)

    def read_part(self, offset: int, size: int) -> bytes:
        """So many bytes of it; fewer where it ends before."""

        def part() -> bytes:
            with self.filesystem.open_input_file(self.path) as file:
                # A store refuses to read behind its end.
                return bytes(file.read_at(size, offset)) if offset < file.size() else b""

        return self._retried(part)

    def write(self, data: bytes | memoryview | pa.Buffer) -> None:
        """Writes the file whole or not at all, in place of what was there. Raises StoreUnavailable, DiskFailed."""
        try:
            if self.is_local:
                _write_local(Path(self.path), data)
            else:
                self._retried(lambda: self._put(data))
        except OSError as error:
            failed = DiskFailed if self.is_local else StoreUnavailable
            raise failed(f"{self.address} cannot be written: {words(error)}") from error

    def _put(self, data: bytes | memoryview | pa.Buffer) -> None:
        # An object is there when its upload has ended, and whole.
        with self.filesystem.open_output_stream(self.path) as stream:
            stream.write(data)

    def delete(self) -> None:
        """Removes the file; nothing where there is none."""
        with suppress(FileNotFoundError):
            self._retried(lambda: self.filesystem.delete_file(self.path))

    def clean(self) -> None:
        """Removes what a process left that was killed while it wrote here, or in a folder of this one."""
        if self.is_local:
            for pattern in (f".*.????????{_PART}", f"*/.*.????????{_PART}"):
                for part in Path(self.path).glob(pattern):
                    part.unlink(missing_ok=True)

    def _retried(self, ask: Callable[[], T]) -> T:
        """What a store says that may be of the moment is asked again; a disk's word is final."""
        for tried in range(1, _TRIES + 1):
            try:
                return ask()
            except (FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError):
                raise
            except OSError as error:
                if self.is_local:
                    raise
                if self._is_of_this_file(error):
                    raise PermissionError(words(error)) from error
                if tried == _TRIES or any(word in str(error) for word in _FINAL):
                    raise StoreUnavailable(f"{self.address}: {words(error)}") from error
            time.sleep(_FIRST_PAUSE_S * 2 ** (tried - 1))
        raise AssertionError("the last try returns or raises")

    def _is_of_this_file(self, error: OSError) -> bool:
        """Whether the store refuses one file; where it lists nothing either, credentials are no longer taken."""
        if "ACCESS_DENIED" not in str(error):
            return any(word in str(error) for word in _ARCHIVED)
        nowhere = fs.FileSelector(f"{self.path.partition('/')[0]}/{_NOWHERE}", allow_not_found=True)
        try:
            self.filesystem.get_file_info(nowhere)
        except OSError:
            return False
        return True


class _Steady(io.RawIOBase):
    """A file of a store; each reading of it is asked again as those of its place are."""

    def __init__(self, file: Any, place: Place) -> None:
        self._file, self._place = file, place
        self._at, self._size = 0, file.size()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + (0, self._at, self._size)[whence]
        return self._at

    def readinto(self, buffer: Any) -> int:
        if self._at >= self._size:
            return 0
        data = self._place._retried(lambda: self._file.read_at(len(buffer), self._at))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()


def _entry(info: Any) -> Entry:
    return Entry(info.path, info.size or 0, info.mtime_ns or 0)


def _write_local(path: Path, data: bytes | memoryview | pa.Buffer) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Two machines may be at one file, in processes of one number.
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}{_PART}")
    try:
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            # A machine that loses its power must not leave a name with nothing in it.
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
