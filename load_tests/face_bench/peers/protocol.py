"""What a worker and the benchmark say to each other. Both sides import this: the standard library and NumPy only.

The worker opens with one JSON line about itself. A request is a JSON line {"shape": [H, W, 3]} and the pixels,
uint8, row by row. The answer is a JSON line with the seconds that detection took and what it found. The end of
its input ends the worker.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Detect = Callable[[NDArray[np.uint8]], Any]
ToLists = Callable[[Any], dict[str, Any]]


def serve(about: dict[str, Any], detect: Detect, to_lists: ToLists) -> None:
    """The worker's whole life. Only `detect` is on the clock.

    Args:
        about: versions and threads, for the report.
        detect: the peer's own call on an RGB array.
        to_lists: from what it returned to plain lists `boxes`, `probabilities` and `landmarks`.
    """
    answers = _claim_stdout()
    answers.write(json.dumps(about) + "\n")
    while header := sys.stdin.buffer.readline():
        shape = json.loads(header)["shape"]
        pixels = np.frombuffer(sys.stdin.buffer.read(int(np.prod(shape))), np.uint8).reshape(shape)
        # A copy: the buffer is read-only, and some libraries write to or warn about such arrays.
        pixels = pixels.copy()
        started = time.perf_counter()
        found = detect(pixels)
        seconds = time.perf_counter() - started
        answers.write(json.dumps({"seconds": seconds, **to_lists(found)}) + "\n")


def _claim_stdout() -> Any:
    """The pipe to the benchmark; whatever else the process prints goes to stderr from now on."""
    pipe = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    return pipe
