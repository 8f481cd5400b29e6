"""One headless run of locust in a process of its own, with everything that is to be known of it."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from face_bench import BenchError
from face_bench.processes import INTERVAL_S, ServerUse, Watcher, use_between
from face_load.samples import Generator, Sample, Summary, read, summarise
from face_server import EmbeddedTriton

_LOAD_TESTS = Path(__file__).parents[1]
_LINES_OF_LOG = 15


def users(count: int, seconds: float) -> tuple[str, ...]:
    """Options of locust for so many users and whole seconds."""
    # A hundred start a second; more makes locust complain.
    return ("--users", str(count), "--spawn-rate", "100", "--run-time", f"{seconds:.0f}s")


@dataclass(frozen=True)
class LocustRun:
    """What came of it."""

    samples: list[Sample]
    generator: Generator


class Locust:
    """Runs our locust file from entering the block until the run is over, or the block is left.

    Args:
        url: the server's, host:port.
        prefix: it writes PREFIX_requests.csv, PREFIX_generator.json and PREFIX.log.
        arguments: options of locust and of our locust file.
    """

    def __init__(self, url: str, prefix: Path, arguments: Sequence[str]) -> None:
        self._prefix = prefix
        self._log = prefix.with_name(f"{prefix.name}.log")
        self._command = [
            *(sys.executable, "-m", "locust", "--locustfile", str(_LOAD_TESTS / "locustfile.py"), "--headless"),
            *("--only-summary", "--host", url, "--samples", str(prefix)),
            *("--exit-code-on-error", "0", *arguments),
        ]

    def __enter__(self) -> "Locust":
        self._prefix.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                self._command,
                env={**os.environ, "PYTHONPATH": str(_LOAD_TESTS)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        return self

    def __exit__(self, *_exception: object) -> None:
        if self.is_running:
            self._process.terminate()
            self._process.wait()

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def finish(self) -> LocustRun:
        """Waits for the end. Raises BenchError where the run failed, with the end of its log."""
        status = self._process.wait()
        try:
            if status == 0:
                return LocustRun(*read(self._prefix))
        except OSError:
            pass
        raise BenchError(f"locust ended with status {status}:\n{self._what_went_wrong()}")

    def _what_went_wrong(self) -> str:
        """The errors in the log, each once; where it names none, its last lines."""
        lines = self._log.read_text(errors="replace").splitlines()
        errors = dict.fromkeys(line.partition("/ERROR/")[2] for line in lines if "/ERROR/" in line)
        return "\n".join(list(errors)[:_LINES_OF_LOG] or lines[-_LINES_OF_LOG:])


@dataclass(frozen=True)
class Measured:
    """generator_cores: processor time a second that the load generator itself used."""

    summary: Summary
    use: ServerUse
    generator_cores: float
    run: LocustRun


def watched(
    triton: EmbeddedTriton, prefix: Path, arguments: Sequence[str], interval_s: float
) -> tuple[Watcher, LocustRun]:
    """Runs locust, and reads what the server tells every so many seconds. Raises BenchError."""
    watcher = Watcher(triton)
    with Locust(triton.grpc_url, prefix, arguments) as locust:
        # Once it is gone its processor time counts as others': the last reading must come before.
        while locust.is_running:
            watcher.read()
            time.sleep(interval_s)
        return watcher, locust.finish()


def measure(
    triton: EmbeddedTriton, prefix: Path, arguments: Sequence[str], warm_up_s: float, seconds: float | None = None
) -> Measured:
    """Runs locust, and sums up what was due from the end of the warm-up on, for so many seconds or until the end.

    Raises BenchError.
    """
    watcher, run = watched(triton, prefix, arguments, INTERVAL_S)
    started = run.generator.started
    end = seconds + warm_up_s if seconds is not None else max((s.due_s for s in run.samples), default=0.0) + 1e-6
    return Measured(
        summary=summarise(run.samples, warm_up_s, end),
        use=use_between(watcher.readings, started + warm_up_s, started + end),
        generator_cores=run.generator.cores,
        run=run,
    )
