"""Virtual environments of the peers, made once and kept in the checkout."""

import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from face_bench.errors import PeerError
from face_bench.peers.catalogue import Peer

_INSTALL_TIMEOUT_S = 3600.0
_STAMP = ".installed"
_LOG_LINES = 5


def ensure(peer: Peer, cache: Path, progress: Callable[[str], None]) -> Path:
    """The Python of the peer's environment, which is made where it is not there or holds something else.

    Args:
        cache: the folder of all peers' environments.
        progress: called with each line that pip writes.

    Raises:
        PeerError: with pip's last words.
    """
    folder = cache / peer.folder
    python = folder / "bin" / "python"
    stamp = folder / _STAMP
    # The stamp is written last, so an installation that was interrupted is done again.
    content = "\n".join([sys.version, *peer.requirements])
    if stamp.is_file() and stamp.read_text() == content and python.exists():
        return python
    shutil.rmtree(folder, ignore_errors=True)
    _run([sys.executable, "-m", "venv", str(folder)], peer, progress)
    # -I: what PYTHONPATH shows pip here, the worker will not see.
    pip = [str(python), "-I", "-m", "pip", "install", "--disable-pip-version-check", "--progress-bar", "off"]
    _run([*pip, *peer.requirements], peer, progress)
    stamp.write_text(content)
    return python


def _run(command: list[str], peer: Peer, progress: Callable[[str], None]) -> None:
    try:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
        )
    except OSError as error:
        raise PeerError(f"cannot install {peer.name}: {error}") from error
    assert process.stdout is not None
    limit = threading.Timer(_INSTALL_TIMEOUT_S, process.kill)
    limit.start()
    lines: list[str] = []
    try:
        for line in process.stdout:
            lines.append(line.strip())
            progress(lines[-1])
        status = process.wait()
    finally:
        # Not left behind when a person gives up.
        process.kill()
        process.wait()
        limit.cancel()
    if status:
        raise PeerError(f"cannot install {peer.name}: " + " / ".join(lines[-_LOG_LINES:]))
