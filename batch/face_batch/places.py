"""Folders on disks and in object stores: one way to list, read and write both, through pyarrow's file systems.

Credentials come from where the stores' own tools have them (environment, configuration files, the machine's role), and
never from an address: addresses are written into manifests, tables and logs.
"""

import io
import os
import re
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlencode

import pyarrow as pa
from pyarrow import fs

from face_batch.errors import BadSource, StoreUnavailable, TargetRefused

T = TypeVar("T")

SCHEMES = ("s3", "gs", "az")

_WITHOUT_SECRETS = {
    "s3": ("endpoint_override", "region", "scheme"),
    "gs": ("endpoint_override", "scheme", "anonymous", "retry_limit_seconds"),
    "az": (),
}
"""What an address may say after its `?`, as pyarrow reads it."""

_BUCKET = re.compile(r"[\w.$-]+")
# What follows this is a query: `=` is seldom in the part of a path that follows the `?` of a pattern.
_QUERY = re.compile(r"\?(?=[^/?]*=)")

_TRIES = 5
_FIRST_PAUSE_S = 0.5
# What asking again does not mend. A request without an answer's body, as for a file's size, says ACCESS_DENIED for all.
_FINAL = ("ACCESS_DENIED", "NO_SUCH_BUCKET", "INVALID_ACCESS_KEY_ID", "SIGNATURE_DOES_NOT_MATCH", "ExpiredToken")
# Of the one file: an archive would have to bring it back first.
_ARCHIVED = ("INVALID_OBJECT_STATE", "InvalidObjectState")
# Nobody has such a folder.
_NOWHERE = ".faces-batch-nowhere"
# Of a local file that was not finished.
_PART = ".part"


def is_remote(address: str) -> bool:
    """Whether an address is of an object store."""
    return address.partition("://")[0] in SCHEMES


def store_of(address: str) -> str:
    """Scheme and bucket, which one connection is for: another bucket may lie elsewhere. Nothing for this machine."""
    return f"{address.partition('://')[0]}://{_bucket(address)}" if is_remote(address) else ""


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
        return cls(_filesystem(scheme, _bucket(bare), query), path.rstrip("/"), f"{scheme}://")

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
        info = self._retried(lambda: self.filesystem.get_file_info([self.path])[0])
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
                return bytes(file.read_at(size, offset))

        return self._retried(part)

    def write(self, data: bytes | memoryview | pa.Buffer) -> None:
        """Writes the file whole or not at all, in place of what was there. Raises StoreUnavailable."""
        try:
            if self.is_local:
                _write_local(Path(self.path), data)
            else:
                self._retried(lambda: self._put(data))
        except OSError as error:
            raise StoreUnavailable(f"{self.address} cannot be written: {words(error)}") from error

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
        data = self._place._retried(lambda: self._file.read_at(len(buffer), self._at))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()


def words(error: Exception) -> str:
    """An error in one line. pyarrow's own go on for pages, and name the file once more."""
    number = error.errno if isinstance(error, OSError) else None
    text = str(error) if number is None else os.strerror(number)
    return " ".join(text.split())[:300]


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


def split_query(address: str) -> tuple[str, str]:
    """An address without what it says of its store, and that."""
    begin = _QUERY.search(address) if is_remote(address) else None
    return (address[: begin.start()], address[begin.end() :]) if begin else (address, "")


def check_address(address: str) -> None:
    """Raises TargetRefused for an address that nothing reads, that must not be written down, or says what none does."""
    if not is_remote(address):
        if "://" in address:
            raise TargetRefused(f"{_shown(address)} is no address that is read: a path, s3://, gs:// or az:// is")
        return
    scheme = address.partition("://")[0]
    bare, query = split_query(address)
    if _credentials(address):
        raise TargetRefused(
            f"{_shown(address)} holds credentials, which would be written into the manifest: give them in the "
            "environment, as the store's own tools read them"
        )
    if not _BUCKET.fullmatch(_bucket(bare)):
        raise TargetRefused(f"{bare} names no bucket")
    for name, _ in parse_qsl(query, keep_blank_values=True):
        if name not in _WITHOUT_SECRETS[scheme]:
            known = ", ".join(_WITHOUT_SECRETS[scheme]) or "nothing"
            raise TargetRefused(f"{bare} says {name}= of its store; it may say {known}")


def _bucket(address: str) -> str:
    return address.partition("://")[2].partition("/")[0]


def _credentials(address: str) -> bool:
    # A secret may hold anything, so that what follows a name and a colon cannot be told from it.
    bare, query = split_query(address)
    return "@" in query or not {"@", ":"}.isdisjoint(_bucket(bare))


def _shown(address: str) -> str:
    """Without what may be secret."""
    return f"{address.partition('://')[0]}://…" if _credentials(address) else address.partition("?")[0]


def _filesystem(scheme: str, bucket: str, query: str) -> Any:
    try:
        if scheme == "az":
            return _azure()
        options = dict(parse_qsl(query))
        if scheme == "s3":
            return _s3(bucket, options)
        # As pyarrow has it for Google's.
        user = "anonymous@" if options.pop("anonymous", "") == "true" else ""
        return fs.FileSystem.from_uri(f"{scheme}://{user}{bucket}?{urlencode(options)}")[0]
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError, OSError) as error:
        raise BadSource(f"{scheme}://{bucket} cannot be opened: {words(error)}") from error


def _s3(bucket: str, told: dict[str, str]) -> Any:
    endpoints = (told.get("endpoint_override"), *map(os.environ.get, ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")))
    if "region" not in told and not any(endpoints):
        told["region"] = fs.resolve_s3_region(bucket)
    # A Place tries again by itself, and knows what cannot help; ten attempts of the store's library take minutes.
    retries = fs.AwsStandardS3RetryStrategy(max_attempts=2)
    return fs.S3FileSystem(
        **told,
        retry_strategy=retries,
        connect_timeout=10,
        request_timeout=60,
        # Small files in one request, which leaves no parts behind in the store where it is cut off.
        allow_delayed_open=True,
    )


def _azure() -> Any:
    """Account and key, or nothing for the machine's identity, as Azure's own tools name them."""
    account = os.environ.get("AZURE_STORAGE_ACCOUNT", "")
    if not account:
        raise ValueError("AZURE_STORAGE_ACCOUNT must name the account")
    options = {}
    if key := os.environ.get("AZURE_STORAGE_KEY"):
        options["account_key"] = key
    if emulator := os.environ.get("AZURE_STORAGE_AUTHORITY"):
        # HOST:PORT. It speaks HTTP, and answers for both of Azure's services.
        for service in ("blob", "dfs"):
            options |= {f"{service}_storage_authority": emulator, f"{service}_storage_scheme": "http"}
    return fs.AzureFileSystem(account_name=account, **options)
