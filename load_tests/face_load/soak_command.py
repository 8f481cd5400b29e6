"""`make soak`: a mixed load for a long time on a supervised server, and what the server holds meanwhile."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from subprocess import Popen

from face_bench import progress
from face_bench.machine import Machine
from face_load.arguments import Arguments
from face_load.documents import CHECKOUT, show, write_json, write_markdown
from face_load.errors import LoadError
from face_load.load_command import SPAWN_RATE
from face_load.locust_run import LocustRun, finish_locust, start_locust, stop_locust
from face_load.server_processes import server_state
from face_load.soak_plot import plot
from face_load.soak_report import SoakReport, SoakSample, Supervised, tables, trends
from face_load.summary import Summary, summarise
from face_server import EmbeddedTriton, Settings
from face_server.supervision.health import Health
from face_server.supervision.supervisor import Supervisor
from face_server.supervision.watch import Patience

_FEWEST_SAMPLES = 8
_PARTS = 20
_SHORTEST_PART_S = 15.0


def soak(args: Arguments) -> bool:
    """Whether there was no error, no restart and no slope."""
    if args.interval * _FEWEST_SAMPLES > 60 * args.minutes:
        raise LoadError(f"--interval {args.interval:g} leaves fewer than {_FEWEST_SAMPLES} samples; make it shorter")
    progress.say(f"starting the server, networks: {args.networks}")
    settings = Settings(networks=args.networks, bounded_queue=args.bounded_queue)
    triton = EmbeddedTriton(CHECKOUT / "model_repository", settings)
    health = Health(good_for=Patience().answer_counts)
    with _supervised(triton, health):
        run, samples = _soak(args, triton)
    seconds = 60 * args.minutes
    report = SoakReport(
        machine=Machine.here(CHECKOUT),
        models=triton.models,
        load=_in_words(args),
        summary=summarise(run.samples, 0.0, seconds),
        over_time=_over_time(run, seconds),
        supervised=Supervised(health.canaries_failed, health.renewals, health.restarts),
        samples=samples,
        trends=trends(samples),
    )
    write_json(report, args.out / "soak.json")
    plot(report, args.out / "soak.png")
    write_markdown("Soak", report.machine, report.text, tables(report), args.out / "soak.md", "soak.png")
    show(report.text, tables(report))
    names = ("soak.md", "soak.png", "soak.json", "soak_requests.csv")
    progress.say("written: " + ", ".join(str(args.out / name) for name in names))
    return report.is_well


@contextmanager
def _supervised(triton: EmbeddedTriton, health: Health) -> Iterator[None]:
    """The server as `faces serve` keeps it, for as long as the block lasts. Raises ServerError."""
    over = threading.Event()
    with Supervisor(triton, health, progress.say) as supervisor, ThreadPoolExecutor(1, "supervisor") as pool:
        watching = pool.submit(supervisor.run, over.is_set)
        try:
            yield
        finally:
            over.set()
        watching.result()


def _soak(args: Arguments, triton: EmbeddedTriton) -> tuple[LocustRun, list[SoakSample]]:
    seconds = 60 * args.minutes
    prefix = args.out / "soak"
    users = ("--users", str(args.users), "--spawn-rate", SPAWN_RATE, "--run-time", f"{seconds:.0f}s")
    options = (*users, "--bad-share", f"{args.bad_share:g}", *args.locust)
    process = start_locust(triton.grpc_url, prefix, options)
    try:
        readings = list(_watch(process, triton, args.interval, _in_words(args), seconds))
        run = finish_locust(process, prefix)
    finally:
        stop_locust(process)
    since = run.generator.started
    # What came before the load and after it is not a soak.
    samples = [SoakSample(s.at - since, s.state) for s in readings if 0 <= s.at - since <= seconds]
    if not samples:
        raise LoadError("the server ran at no time of the soak; the lines above say why")
    return run, samples


def _watch(
    process: "Popen[bytes]", triton: EmbeddedTriton, interval: float, what: str, seconds: float
) -> Iterator[SoakSample]:
    """A sample every `interval` seconds until the process ends; times are those of `time.perf_counter`."""
    start = time.perf_counter()
    with progress.bar(what, round(seconds)) as show_done:
        while process.poll() is None:
            at = time.perf_counter()
            # While the server is started again it has no process.
            if triton.is_running:
                yield SoakSample(at, server_state(triton.pid))
            show_done(round(at - start))
            time.sleep(max(0.0, interval - (time.perf_counter() - at)))


def _over_time(run: LocustRun, seconds: float) -> list[Summary]:
    parts = max(1, min(_PARTS, int(seconds / _SHORTEST_PART_S)))
    return [summarise(run.samples, n * seconds / parts, (n + 1) * seconds / parts) for n in range(parts)]


def _in_words(args: Arguments) -> str:
    return " ".join(
        (
            f"{args.users} users for {args.minutes:g} minutes, one request after the other,",
            f"{100 * args.bad_share:g} % of them wrong on purpose",
            *args.locust,
        )
    )
