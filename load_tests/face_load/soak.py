"""`make soak`: a mixed load for a long time on a supervised server, and what the server holds meanwhile."""

import argparse
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from face_bench import BenchError
from face_bench.machine import Machine
from face_bench.output import bar, say, show
from face_bench.processes import server_state
from face_load.plots import draw_soak
from face_load.report import embedded, write
from face_load.run import Locust, LocustRun, users
from face_load.samples import Summary, summarise
from face_load.soak_report import SoakReport, SoakSample, Supervised, tables, trends
from face_server import EmbeddedTriton
from face_server.supervision.health import Health
from face_server.supervision.supervisor import Supervisor
from face_server.supervision.watch import Patience

_FEWEST_SAMPLES = 8
_PARTS = 20
_SHORTEST_PART_S = 15.0


def soak(args: argparse.Namespace) -> bool:
    """Whether there was no error, no restart and no slope."""
    if args.interval * _FEWEST_SAMPLES > 60 * args.minutes:
        raise BenchError(f"--interval {args.interval:g} leaves fewer than {_FEWEST_SAMPLES} samples; make it shorter")
    triton = embedded(args)
    health = Health(good_for=Patience().answer_counts)
    with _supervised(triton, health):
        run, samples = _soak(args, triton)
    seconds = 60 * args.minutes
    report = SoakReport(
        machine=Machine.here(),
        models=triton.models,
        load=_in_words(args),
        summary=summarise(run.samples, 0.0, seconds),
        over_time=_over_time(run, seconds),
        supervised=Supervised(health.canaries_failed, health.renewals, health.restarts),
        samples=samples,
        trends=trends(samples),
    )
    show(tables(report), after=report.text)
    beside = ("soak_requests.csv",)
    write("Soak", report, report.text, tables(report), args.out / "soak", draw_soak, beside)
    return report.is_well


@contextmanager
def _supervised(triton: EmbeddedTriton, health: Health) -> Iterator[None]:
    """The server as `faces serve` keeps it, for as long as the block lasts. Raises ServerError."""
    over = threading.Event()
    with Supervisor(triton, health, say) as supervisor, ThreadPoolExecutor(1, "supervisor") as pool:
        watching = pool.submit(supervisor.run, over.is_set)
        try:
            yield
        finally:
            over.set()
        watching.result()


def _soak(args: argparse.Namespace, triton: EmbeddedTriton) -> tuple[LocustRun, list[SoakSample]]:
    seconds = 60 * args.minutes
    options = (*users(args.users, seconds), "--bad-share", f"{args.bad_share:g}", *args.locust)
    with Locust(triton.grpc_url, args.out / "soak", options) as locust:
        readings = list(_watch(locust, triton, args.interval, _in_words(args), seconds))
        run = locust.finish()
    since = run.generator.started
    # What came before the load and after it is not a soak.
    samples = [SoakSample(s.at - since, s.state) for s in readings if 0 <= s.at - since <= seconds]
    if not samples:
        raise BenchError("the server ran at no time of the soak; the lines above say why")
    return run, samples


def _watch(locust: Locust, triton: EmbeddedTriton, interval: float, what: str, seconds: float) -> Iterator[SoakSample]:
    """A sample every `interval` seconds until the load ends; times are those of `time.perf_counter`."""
    start = time.perf_counter()
    with bar(what, round(seconds)) as show_done:
        while locust.is_running:
            at = time.perf_counter()
            # While the server is started again it has no process.
            if triton.is_running:
                yield SoakSample(at, server_state(triton.pid))
            show_done(round(at - start))
            time.sleep(max(0.0, interval - (time.perf_counter() - at)))


def _over_time(run: LocustRun, seconds: float) -> list[Summary]:
    parts = max(1, min(_PARTS, int(seconds / _SHORTEST_PART_S)))
    return [summarise(run.samples, n * seconds / parts, (n + 1) * seconds / parts) for n in range(parts)]


def _in_words(args: argparse.Namespace) -> str:
    return " ".join(
        (
            f"{args.users} users for {args.minutes:g} minutes, one request after the other,",
            f"{100 * args.bad_share:g} % of them wrong on purpose",
            *args.locust,
        )
    )
