"""One load on a server, with everything that is to be known of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from face_load.locust_run import LocustRun, finish_locust, start_locust, stop_locust
from face_load.server_use import ServerUse, Watcher, use_between
from face_load.summary import Summary, summarise
from face_server import EmbeddedTriton


@dataclass(frozen=True)
class Measured:
    """generator_cores: processor time a second that the load generator itself used."""

    summary: Summary
    use: ServerUse
    generator_cores: float
    run: LocustRun


def measure(
    triton: EmbeddedTriton, prefix: Path, arguments: Sequence[str], warm_up_s: float, seconds: float | None = None
) -> Measured:
    """Runs locust, and sums up what was due from the end of the warm-up on, for so many seconds or until the end.

    Raises LoadError, BenchError.
    """
    watcher = Watcher(triton)
    process = start_locust(triton.grpc_url, prefix, arguments)
    try:
        watcher.until_end_of(process)
        run = finish_locust(process, prefix)
    finally:
        stop_locust(process)
    started = run.generator.started
    end = seconds + warm_up_s if seconds is not None else max((s.due_s for s in run.samples), default=0.0) + 1e-6
    return Measured(
        summary=summarise(run.samples, warm_up_s, end),
        use=use_between(watcher.readings, started + warm_up_s, started + end),
        generator_cores=run.generator.cores,
        run=run,
    )
