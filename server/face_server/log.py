"""Reads the server's log while it runs."""

import re
import threading
from collections import deque
from collections.abc import Callable
from typing import IO

_KEPT_LINES = 5000

# glog's prefix: severity, date, time, process, source line, then `]`.
_PREFIX = re.compile(r'^[EWIV]\d{4} [\d:.]+ \d+ [\w./]+:\d+\] "?')


class LogReader:
    """Pumps a process's output, line by line, to `sink` and into memory.

    Somebody must read the pipe as long as the server lives, else it blocks when the pipe is full.
    """

    def __init__(self, stream: IO[str], sink: Callable[[str], None] | None) -> None:
        self._stream = stream
        self._sink = sink
        self._lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self._thread = threading.Thread(target=self._pump, name="triton-log", daemon=True)
        self._thread.start()

    def _pump(self) -> None:
        for line in self._stream:
            line = line.rstrip("\n")
            self._lines.append(line)
            if self._sink:
                self._sink(line)

    def join(self) -> None:
        """Waits until the process has closed its output."""
        self._thread.join(timeout=5)

    @property
    def lines(self) -> list[str]:
        """The latest lines, oldest first."""
        return list(self._lines)

    def reason(self) -> str:
        """Why Triton gave up, in its own words: its error lines, or the last of any kind."""
        errors = [_PREFIX.sub("", line).rstrip('"') for line in self.lines if line.startswith("E")]
        # Machines without a GPU cause errors that stop nothing: a model that did not load comes first.
        loads = [line for line in errors if line.startswith("failed to load")]
        told = list(dict.fromkeys(loads or errors)) or self.lines[-5:]
        return "\n".join(told[:10]) or "it wrote nothing"
