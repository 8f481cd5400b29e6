"""Downloads against a real server in a thread: whole, resumed, broken off, wrong, refused."""

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from face_export import published as download
from face_export.errors import DownloadError
from face_export.published import fetch

CONTENT = bytes(range(256)) * 4096
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """Serves CONTENT; what it does wrong, its server's attributes say."""

    server: "Server"

    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        self.server.ranges.append(asked)
        if self.server.status:
            self.send_error(self.server.status)
            return
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and self.server.resumes else 0
        if start >= len(CONTENT):
            self.send_error(416)
            return
        body = CONTENT[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: self.server.cut])

    def log_message(self, *args: object) -> None:
        """Stay quiet in the test's output."""


class Server(ThreadingHTTPServer):
    status: int | None = None
    resumes = True
    cut: int | None = None

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.ranges: list[str | None] = []
        self.url = f"http://127.0.0.1:{self.server_port}/weights.pt"


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def test_fetches_once_and_reports_progress(server, tmp_path):
    target = tmp_path / "cache" / "weights.pt"
    seen: list[tuple[int, int | None]] = []
    assert fetch(server.url, SHA256, target, lambda done, total: seen.append((done, total))) == target
    assert target.read_bytes() == CONTENT
    assert seen[0] == (0, len(CONTENT))
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert len(seen) > 2
    fetch(server.url, SHA256, target)
    assert server.ranges == [None]
    assert [path.name for path in target.parent.iterdir()] == ["weights.pt"]


def test_goes_on_after_breaking_off(server, tmp_path):
    target = tmp_path / "weights.pt"
    server.cut = 300_000
    with pytest.raises(DownloadError, match=r"broke off after 300,000 of 1,048,576 bytes \(run again"):
        fetch(server.url, SHA256, target)
    assert not target.exists()
    server.cut = None
    seen: list[tuple[int, int | None]] = []
    fetch(server.url, SHA256, target, lambda done, total: seen.append((done, total)))
    assert server.ranges == [None, "bytes=300000-"]
    assert seen[0] == (300_000, len(CONTENT))
    assert target.read_bytes() == CONTENT


def test_starts_over_where_the_server_cannot_resume(server, tmp_path):
    (tmp_path / "weights.pt.part").write_bytes(CONTENT[:1000])
    server.resumes = False
    assert fetch(server.url, SHA256, tmp_path / "weights.pt").read_bytes() == CONTENT


def test_starts_over_where_the_part_is_already_too_long(server, tmp_path):
    (tmp_path / "weights.pt.part").write_bytes(CONTENT + b"more")
    assert fetch(server.url, SHA256, tmp_path / "weights.pt").read_bytes() == CONTENT
    assert server.ranges[-1] is None


def test_wrong_checksum_is_refused_and_deleted(server, tmp_path):
    with pytest.raises(DownloadError, match=f"weights.pt arrived with SHA-256 {SHA256} instead of 0000"):
        fetch(server.url, "0" * 64, tmp_path / "weights.pt")
    assert list(tmp_path.iterdir()) == []


def test_damaged_cache_is_fetched_again(server, tmp_path):
    target = tmp_path / "weights.pt"
    target.write_bytes(b"damaged")
    assert fetch(server.url, SHA256, target).read_bytes() == CONTENT


def test_server_says_no(server, tmp_path):
    server.status = 404
    with pytest.raises(DownloadError, match="the server answered 404 Not Found"):
        fetch(server.url, SHA256, tmp_path / "weights.pt")


def test_nobody_listens(tmp_path):
    with Server() as closed:
        url = closed.url
    with pytest.raises(DownloadError, match=r"cannot be reached \(Connection refused\)"):
        fetch(url, SHA256, tmp_path / "weights.pt")


def test_server_that_hangs(tmp_path, monkeypatch):
    monkeypatch.setattr(download, "TIMEOUT_S", 0.1)
    with Server() as deaf, pytest.raises(DownloadError, match="timed out"):
        fetch(deaf.url, SHA256, tmp_path / "weights.pt")


def test_cache_that_cannot_be_written(server, tmp_path):
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.raises(DownloadError, match=r"cannot keep weights\.pt in .*cache"):
        fetch(server.url, SHA256, tmp_path / "cache" / "weights.pt")
