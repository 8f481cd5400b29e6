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

_LOAD = re.compile(r"failed to load '(?P<model>[^']+)' version \d+: (?P<cause>.*?)\"?$")

# Of tritonserver, of the C library and of C++ when they end a process.
_LAST_WORDS = ("error:", "Signal (", "terminate called", "  what():", "double free", "malloc", "free()", "corrupted")

# Triton's name for the status, and Python's for the exception.
_KINDS = re.compile(r"^(?:[A-Z][a-z ]+: )?(?:\w+(?:Error|Exception): )?")

# Each request of a batch that fails says so, for the same reason.
_REPEATED = re.compile(r"(.{20,}?;)(?: \1)+")

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


def _cause(text: str) -> str:
    """What a Python model raised, without its traceback."""
    with contextlib.suppress(ValueError):
        text = json.loads(f'"{text}"')
    text = _KINDS.sub("", text.partition("\n\nAt:")[0].strip().partition("\n")[0])
    return _REPEATED.sub(r"\1", text).rstrip(";")


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
        """Why Triton gave up, in its own words, a line for each cause: models that did not load, or what it says when
        it ends. Others are not its reason, not even errors: a machine without a GPU causes some, callers others."""
        loads: dict[str, str] = {}
        for line in self.lines:
            if found := _LOAD.search(line):
                loads.setdefault(_cause(found["cause"]), found["model"])
        told = [f"model '{model}' cannot be loaded: {cause}" for cause, model in loads.items()]
        told = told or [line for line in self.lines if line.startswith(_LAST_WORDS)]
        return "\n".join(told[:10]) or "its log does not say why"
