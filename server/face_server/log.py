"""Reads the server's log while it runs."""

import contextlib
import datetime
import json
import re
import threading
from collections import deque
from collections.abc import Callable
from typing import IO

_KEPT_LINES = 5000

# glog's prefix: severity, date, time, process, source line, then `]`. What follows is often a string in quotes.
_PREFIX = re.compile(r'^([EWIV])\d{4} [\d:.]+ \d+ ([\w./]+:\d+)\] "?')

_LEVELS = {"E": "error", "W": "warning", "I": "info", "V": "debug"}


def json_line(line: str) -> str:
    """A line of the server's log as a JSON object: our models' own as they are, Triton's with time, level, source and
    message. The time is that of reading: Triton's has no year and no time zone."""
    if line.startswith("{") and line.endswith("}"):
        return line
    fields: dict[str, str] = {"time": datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")}
    prefix = _PREFIX.match(line)
    if prefix is None:
        return json.dumps({**fields, "level": "info", "message": line})
    message = line[prefix.end() :]
    if prefix[0].endswith('"'):
        # The string as JSON has it; a line that Triton broke has no end of it.
        with contextlib.suppress(ValueError):
            message = json.loads(f'"{message}')
    return json.dumps({**fields, "level": _LEVELS[prefix[1]], "source": prefix[2], "message": message})


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
            self._tell(line)

    def _tell(self, line: str) -> None:
        if self._sink is None:
            return
        try:
            self._sink(line)
        except (OSError, ValueError):
            # Whoever read our output is gone. The pipe must be read on, or the server would block on it.
            self._sink = None

    def join(self) -> None:
        """Waits until the process has closed its output."""
        self._thread.join(timeout=5)

    @property
    def lines(self) -> list[str]:
        """The latest lines, oldest first."""
        return list(self._lines)

    def says(self, words: str) -> bool:
        """Whether a line has these words."""
        return any(words in line for line in self.lines)

    def reason(self) -> str:
        """Why Triton gave up, in its own words: its error lines, or the last of any kind."""
        errors = [_PREFIX.sub("", line).rstrip('"') for line in self.lines if line.startswith("E")]
        # Other error lines stop nothing: a machine without a GPU causes some.
        loads = [line for line in errors if line.startswith("failed to load")]
        # "error:" is tritonserver's own last word.
        told = list(dict.fromkeys(loads)) or [x for x in self.lines if x.startswith("error:")] or self.lines[-5:]
        return "\n".join(told[:10]) or "it wrote nothing"
