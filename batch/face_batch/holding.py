"""One run at a time on a target: a file in it that its holder writes again and again.

Whoever finds it watches it: one that does not change for a while has no holder any more. On the holder's own machine
nobody needs to wait: whether the process lives can be seen. Two that took the target in the same moment would write the
same bytes; it is the report that would count wrong.
"""

import json
import os
import secrets
import socket
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil

from face_batch.errors import StoreUnavailable, TargetRefused
from face_batch.manifest import STATE, Target

BEAT_S = 5.0
"""Between two writings."""

_DEAD_AFTER_BEATS = 4
_NAME = f"{STATE}/holder.json"


class Held:
    """Holds a target while the `with` block lasts. Raises TargetRefused where another run does."""

    def __init__(self, target: Target, beat_s: float = BEAT_S) -> None:
        self._place = target.place / _NAME
        self._beat_s = beat_s
        self._token = secrets.token_hex(8)
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="holder", daemon=True)

    def __enter__(self) -> "Held":
        there = self._read()
        if there is not None and self._is_alive(there):
            who = f"process {there['process']} on {there['host'].partition('/')[0]}"
            raise TargetRefused(f"another run is at work there: {who} holds {self._place.address}")
        self._write(0)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end.set()
        self._thread.join()
        there = self._read()
        if there is not None and there["token"] == self._token:
            self._place.delete()

    def _read(self) -> dict[str, Any] | None:
        try:
            told = json.loads(self._place.read())
        except (FileNotFoundError, ValueError):
            # ValueError: it was cut off in the middle.
            return None
        return told if isinstance(told, dict) else None

    def _is_alive(self, there: dict[str, Any]) -> bool:
        if there["host"] == _host():
            return psutil.pid_exists(there["process"]) and _started(there["process"]) == there["started"]
        deadline = time.monotonic() + _DEAD_AFTER_BEATS * there["beat_s"]
        while time.monotonic() < deadline:
            time.sleep(min(1.0, there["beat_s"]))
            now = self._read()
            if now != there:
                return now is not None
        return False

    def _write(self, beats: int) -> None:
        told = {
            "host": _host(),
            "process": os.getpid(),
            "started": _started(os.getpid()),
            "token": self._token,
            "beat_s": self._beat_s,
            "beats": beats,
        }
        self._place.write(json.dumps(told).encode())

    def _beat(self) -> None:
        beats = 0
        while not self._end.wait(self._beat_s):
            beats += 1
            try:
                self._write(beats)
            except StoreUnavailable:
                # The shards will say so; the next beat may go through.
                continue


def _host() -> str:
    """Of the machine since it was started: containers may share a name, and process numbers begin anew."""
    boot = Path("/proc/sys/kernel/random/boot_id")
    return f"{socket.gethostname()}/{boot.read_text().strip() if boot.exists() else ''}/{_namespace()}"


def _namespace() -> str:
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""


def _started(process: int) -> float | None:
    try:
        return psutil.Process(process).create_time()
    except psutil.NoSuchProcess:
        return None
