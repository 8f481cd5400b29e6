"""What the simulation stands on, measured on the real embedded server of this machine.

Closed loops say what a server can do with so many requests at once; open loops, which the model is not fitted to, say
whether the simulated server does the same. All loads are measured in rounds. A shared machine is seldom quiet, so a
load waits for a quiet moment, though not for ever; of its runs those count in which everything else used least.
"""

import json
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from face_bench.machine import CHECKOUT, Machine
from face_bench.many_clients import WARM_UP_S, ClosedLoop
from face_bench.output import say
from face_bench.pictures import walls
from face_bench.processes import QUIET_CORES, OtherLoad, Watcher, use_between
from face_bench.spread import percentiles
from face_bench.wire import GOOD, MODEL, Request, WireClient, picture_requests
from face_load.options import DEFAULT_SIZES, parse_sizes
from face_load.run import users, watched
from face_scaling.points import Measurement, Point
from face_server import EmbeddedTriton, Settings

CLIENTS = (1, 2, 4, 8, 16, 32)
RATES = (5.0, 10.0, 15.0)

_INTERVAL_S = 0.2
_CONNECTIONS = 8
_ALONE_ROUNDS = 9


def measure(out: Path, rounds: int, seconds: float, patience_s: float) -> Measurement:
    """Of a server whose queue has no bound, and of one whose queue is bounded, in turns. Raises BenchError.

    Adds every run to out/runs.jsonl as it comes, and sums up all that are there.
    """
    log = out / "runs.jsonl"
    for turn in range(rounds):
        for bounded in (False, True):
            with log.open("a") as file:
                for kind, run in _turn(out, bounded, seconds, patience_s):
                    file.write(json.dumps({kind: asdict(run) if isinstance(run, Point) else run}) + "\n")
                    file.flush()
                    if isinstance(run, Point):
                        say(f"round {turn + 1}: {run.line}")
    return _summed_up(log, seconds)


def _turn(out: Path, bounded: bool, seconds: float, patience_s: float) -> Iterator[tuple[str, Point | object]]:
    began = time.perf_counter()
    with EmbeddedTriton(CHECKOUT / "model_repository", Settings(bounded_queue=bounded)) as triton:
        yield "start_s", time.perf_counter() - began
        requests = picture_requests(triton.grpc_url, MODEL, walls(parse_sizes(DEFAULT_SIZES), prefix=""))
        _wait_for_quiet(patience_s)
        yield "kinds_ms", _alone(triton, requests)
        for count in CLIENTS:
            _wait_for_quiet(patience_s)
            yield "point", _closed(triton, requests, bounded, count, seconds)
        for rate in RATES:
            _wait_for_quiet(patience_s)
            yield "point", _open(triton, out / f"open_{rate:g}", bounded, rate, 2 * seconds)


def _wait_for_quiet(patience_s: float) -> None:
    end = time.perf_counter() + patience_s
    while time.perf_counter() < end:
        others = OtherLoad()
        time.sleep(0.5)
        if others.cores() < 2 * QUIET_CORES:
            return


def _summed_up(log: Path, seconds: float) -> Measurement:
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    loads: dict[tuple[bool, int | None, float | None], list[Point]] = {}
    for line in lines:
        if "point" in line:
            point = Point(**line["point"])
            loads.setdefault((point.bounded, point.clients, point.offered), []).append(point)
    kinds = [line["kinds_ms"] for line in lines if "kinds_ms" in line]
    return Measurement(
        source=f"{Machine.here().line}; {max(map(len, loads.values()))} runs of {seconds:g} s, open ones twice as long",
        start_s=round(statistics.median(line["start_s"] for line in lines if "start_s" in line), 1),
        # What others take only ever lengthens it.
        kinds_ms={name: round(min(each[name] for each in kinds), 1) for name in kinds[0]},
        points=[Point.quietest(each) for each in loads.values()],
    )


def _alone(triton: EmbeddedTriton, requests: Sequence[Request]) -> dict[str, float]:
    """Milliseconds of each kind of request, asked one after the other by one client."""
    client = WireClient(triton.grpc_url)
    took: dict[str, list[float]] = {request.name: [] for request in requests}
    for _ in range(_ALONE_ROUNDS):
        for request in requests:
            began = time.perf_counter()
            client.faces(request)
            took[request.name].append(1e3 * (time.perf_counter() - began))
    client.close()
    return {name: statistics.median(ms) for name, ms in took.items()}


def _closed(triton: EmbeddedTriton, requests: Sequence[Request], bounded: bool, clients: int, seconds: float) -> Point:
    watcher = Watcher(triton)
    with ClosedLoop(triton.grpc_url, requests, clients) as loop:
        time.sleep(WARM_UP_S)
        start = watcher.read().at
        while watcher.readings[-1].at < start + seconds:
            time.sleep(_INTERVAL_S)
            watcher.read()
        end = watcher.readings[-1].at
    took, errors = loop.between(start, end)
    milliseconds = [1e3 * each for each in took]
    return _point(watcher, (start, end), milliseconds, sum(errors.values()), bounded=bounded, clients=clients)


def _open(triton: EmbeddedTriton, prefix: Path, bounded: bool, rate: float, seconds: float) -> Point:
    total = round(WARM_UP_S + seconds)
    seed = str(time.time_ns() % 2**31)
    options = (*users(_CONNECTIONS, total), "--rate", f"{rate / _CONNECTIONS:.6g}", "--seed", seed)
    watcher, run = watched(triton, prefix, options, _INTERVAL_S)
    due = [sample for sample in run.samples if WARM_UP_S <= sample.due_s < total]
    good = [sample.latency_ms for sample in due if sample.outcome == GOOD]
    times = run.generator.started + WARM_UP_S, run.generator.started + total
    return _point(watcher, times, good, len(due) - len(good), bounded=bounded, offered=rate)


def _point(
    watcher: Watcher,
    times: tuple[float, float],
    milliseconds: Sequence[float],
    errors: int,
    *,
    bounded: bool,
    clients: int | None = None,
    offered: float | None = None,
) -> Point:
    """From the answers and what the server told between two times. Errors of this load are refusals."""
    start, end = times
    within = [reading for reading in watcher.readings if start <= reading.at <= end]
    use = use_between(watcher.readings, start, end)
    grown = within[-1].metrics.since(within[0].metrics)
    waited = grown.total("nv_inference_queue_duration_us", model=MODEL) or 0.0
    executed = grown.total("nv_inference_request_success", model=MODEL) or float("nan")
    p50, p95, p99 = percentiles(milliseconds, (50, 95, 99))
    return Point(
        bounded=bounded,
        clients=clients,
        offered=offered,
        goodput=len(milliseconds) / (end - start),
        p50_ms=p50,
        p95_ms=p95,
        p99_ms=p99,
        queue_ms=waited / executed / 1e3,
        pending=statistics.fmean(
            reading.metrics.total("nv_inference_pending_request_count", model=MODEL) or 0.0 for reading in within
        ),
        batch=use.batch.get(MODEL, float("nan")),
        refused=errors / (len(milliseconds) + errors),
        server_cores=use.server_cores,
        other_cores=use.other_cores,
    )
