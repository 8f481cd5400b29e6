"""FaceNet weights that others have published: where they are, and how they are downloaded whole. Needs no torch."""

import hashlib
import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from face_cascade.code_cache import user_cache
from face_export.errors import DownloadError

CACHE_VARIABLE = "TRITON_FACES_CACHE"
RANDOM = "random"
NONE = "none"
RANDOM_NOTE = "random weights, for load tests only: its embeddings tell nobody apart"


@dataclass(frozen=True)
class Published:
    """A state dict of InceptionResnetV1 in facenet-pytorch's release v2.2.9 (MIT)."""

    file: str
    sha256: str
    classes: int

    @property
    def url(self) -> str:
        return f"https://github.com/timesler/facenet-pytorch/releases/download/v2.2.9/{self.file}"

    @property
    def source(self) -> str:
        return f"facenet-pytorch v2.2.9 {self.file}"


PUBLISHED = {
    "vggface2": Published(
        "20180402-114759-vggface2.pt",
        "281cebca8662831adb987a874bdcb36e73f5b1c6dc5ee5878f305e985625d99b",
        8631,
    ),
    "casia-webface": Published(
        "20180408-102900-casia-webface.pt",
        "7a67afdbbc995fce5e10128675e318799a70698c2f433ba75dd7eb9a2f096e7d",
        10575,
    ),
}
DEFAULT = "vggface2"


def cache_directory() -> Path:
    """`$TRITON_FACES_CACHE`, else where this user's caches lie."""
    own = os.environ.get(CACHE_VARIABLE)
    return Path(own) if own else user_cache(os.environ)


TIMEOUT_S = 15.0
"""For connecting and for each read; a download that moves may take as long as it needs."""

_CHUNK = 1 << 18

Progress = Callable[[int, int | None], None]
"""Called with the bytes held so far and the bytes expected, where the server says so."""


def fetch(url: str, sha256: str, target: Path, progress: Progress | None = None) -> Path:
    """Return `target`, downloading it unless it is there already with the right checksum.

    An interrupted download leaves `<target>.part`, which the next call goes on with. Raises `DownloadError`.
    """
    try:
        if target.exists():
            if file_sha256(target) == sha256:
                return target
            target.unlink()
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f"{target.name}.part")
        _download(url, part, progress or _silent)
        found = file_sha256(part)
        if found != sha256:
            part.unlink()
            raise DownloadError(f"{target.name} arrived with SHA-256 {found} instead of {sha256} and was deleted")
        part.replace(target)
    except OSError as error:
        raise DownloadError(f"cannot keep {target.name} in {target.parent}: {error.strerror or error}") from error
    return target


def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _download(url: str, part: Path, report: Progress) -> None:
    """Bring `part` to its full length, from where it stands if the server allows."""
    held = part.stat().st_size if part.exists() else 0
    with _open(url, held) as response:
        resumed = response.status == http.HTTPStatus.PARTIAL_CONTENT
        if not resumed:
            held = 0
        length = response.headers.get("Content-Length")
        total = held + int(length) if length and length.isdigit() else None
        with part.open("ab" if resumed else "wb") as file:
            report(held, total)
            for chunk in _chunks(response):
                file.write(chunk)
                held += len(chunk)
                report(held, total)
    if total is not None and held < total:
        raise DownloadError(f"the download broke off after {held:,} of {total:,} bytes (run again to go on from there)")


def _open(url: str, held: int) -> http.client.HTTPResponse:
    """Ask for the file from byte `held` on; a server that finds nothing there is asked for all of it."""
    request = urllib.request.Request(url, headers={"Range": f"bytes={held}-"} if held else {})
    try:
        response: http.client.HTTPResponse = urllib.request.urlopen(request, timeout=TIMEOUT_S)
    except urllib.error.HTTPError as error:
        error.close()
        if held and error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return _open(url, 0)
        raise DownloadError(f"the server answered {error.code} {error.reason}") from error
    except (OSError, http.client.HTTPException) as error:
        raise DownloadError(f"the server cannot be reached ({_reason(error)})") from error
    return response


def _chunks(response: http.client.HTTPResponse) -> Iterator[bytes]:
    while True:
        try:
            chunk = response.read(_CHUNK)
        except (OSError, http.client.HTTPException) as error:
            raise DownloadError(f"the download broke off: {_reason(error)} (run again to go on from there)") from error
        if not chunk:
            return
        yield chunk


def _silent(held: int, total: int | None) -> None:
    """Report to nobody."""


def _reason(error: Exception) -> str:
    """`Connection refused` rather than `<urlopen error [Errno 111] Connection refused>`."""
    cause = getattr(error, "reason", error)
    return getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
