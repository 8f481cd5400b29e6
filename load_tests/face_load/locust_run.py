"""One headless run of locust in a process of its own."""

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from face_load.errors import LoadError
from face_load.samples import Generator, Sample, read

_LOAD_TESTS = Path(__file__).parents[1]
_LINES_OF_LOG = 15


@dataclass(frozen=True)
class LocustRun:
    """What came of it."""

    samples: list[Sample]
    generator: Generator


def start_locust(url: str, prefix: Path, arguments: Sequence[str]) -> "subprocess.Popen[bytes]":
    """Starts locust on our locust file; it writes PREFIX_requests.csv, PREFIX_generator.json and PREFIX.log."""
    prefix.parent.mkdir(parents=True, exist_ok=True)
    command = [
        *(sys.executable, "-m", "locust", "--locustfile", str(_LOAD_TESTS / "locustfile.py"), "--headless"),
        *("--only-summary", "--host", url, "--samples", str(prefix)),
        *("--exit-code-on-error", "0", *arguments),
    ]
    with _log(prefix).open("wb") as log:
        return subprocess.Popen(
            command,
            env={**os.environ, "PYTHONPATH": str(_LOAD_TESTS)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )


def finish_locust(process: "subprocess.Popen[bytes]", prefix: Path) -> LocustRun:
    """Waits for the end of a run. Raises LoadError where it failed, with the end of its log."""
    status = process.wait()
    try:
        if status == 0:
            return LocustRun(*read(prefix))
    except OSError:
        pass
    raise LoadError(f"locust ended with status {status}:\n{_what_went_wrong(_log(prefix))}")


def run_locust(url: str, prefix: Path, arguments: Sequence[str]) -> LocustRun:
    """Starts locust and waits for its end; ends it if this is interrupted. Raises LoadError."""
    process = start_locust(url, prefix, arguments)
    try:
        return finish_locust(process, prefix)
    finally:
        stop_locust(process)


def stop_locust(process: "subprocess.Popen[bytes]") -> None:
    """Ends a run that has not ended."""
    if process.poll() is None:
        process.terminate()
        process.wait()


def _log(prefix: Path) -> Path:
    return prefix.with_name(f"{prefix.name}.log")


def _what_went_wrong(log: Path) -> str:
    """The errors in a log, each once; where it names none, its last lines."""
    lines = log.read_text(errors="replace").splitlines()
    errors = dict.fromkeys(line.partition("/ERROR/")[2] for line in lines if "/ERROR/" in line)
    return "\n".join(list(errors)[:_LINES_OF_LOG] or lines[-_LINES_OF_LOG:])
