"""Lines that our models write to the server's log: an event with its fields, the ids of the requests among them.

`text` goes through Triton's logger: `mtcnn: executed requests=2 faces=3 ids=a,b`. `json` is one object a line on the
standard error that this process has from the server: Triton's logger would quote it, behind a prefix of its own.
"""

import datetime
import json
import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

import triton_python_backend_utils as pb_utils

from face_runtime.answers import CALLERS, CANCELLED, Outcome
from face_runtime.settings import LOG_FORMAT_VARIABLE

_PLAIN = re.compile(r"[\w.:/@+-]+")


class Log:
    """The log of one instance. `worker` is Triton's name of it, such as `mtcnn_0_1`."""

    def __init__(self, model: str, worker: str) -> None:
        self._model = model
        self._worker = worker
        self._json = os.environ.get(LOG_FORMAT_VARIABLE) == "json"

    def info(self, event: str, **fields: Any) -> None:
        self._write("info", event, fields)

    def warning(self, event: str, **fields: Any) -> None:
        self._write("warning", event, fields)

    def error(self, event: str, **fields: Any) -> None:
        self._write("error", event, fields)

    def refused(self, outcome: Outcome) -> None:
        """A request that got an error: the server's fault is an error, the caller's a warning, a caller who is gone
        neither."""
        refusal = outcome.refusal
        assert refusal is not None
        write = self.info if refusal.reason == CANCELLED else self.warning if refusal.reason in CALLERS else self.error
        # The sentence that the caller got: it shows values of parameters, never pixels.
        write("refused", reason=refusal.reason, message=str(refusal), id=outcome.id)

    def _write(self, level: str, event: str, fields: Mapping[str, Any]) -> None:
        if self._json:
            now = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
            line = {"time": now, "level": level, "model": self._model, "worker": self._worker, "event": event, **fields}
            # One write: lines of several processes must not mix.
            os.write(2, f"{json.dumps(line)}\n".encode())
            return
        text = f"{self._model}: {event} {' '.join(_words(fields))}"
        logger = pb_utils.Logger
        {"info": logger.log_info, "warning": logger.log_warn, "error": logger.log_error}[level](text)


def _words(fields: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """logfmt: name=value, strings in quotes where they need them, the names of nested fields joined by dots."""
    for name, value in fields.items():
        if isinstance(value, Mapping):
            yield from _words(value, f"{prefix}{name}.")
        elif isinstance(value, list):
            yield f"{prefix}{name}={','.join(map(_word, value))}"
        else:
            yield f"{prefix}{name}={_word(value)}"


def _word(value: Any) -> str:
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return text if _PLAIN.fullmatch(text) else json.dumps(text)
