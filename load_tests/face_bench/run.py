"""One run of the benchmark: everything is started, measured and stopped here."""

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from face_bench import latency, progress
from face_bench.agreement import Agreement, compare
from face_bench.contenders import JPEG, OURS, RAW, Contender, InProcess, Ours
from face_bench.floor import MatrixRate, floors
from face_bench.latency import Measurements, measure, ratios
from face_bench.load import faces_alone
from face_bench.machine import Machine
from face_bench.memory import CLIENTS, measure_memory
from face_bench.peers.catalogue import FACENET_PYTORCH
from face_bench.peers.start import start_peers
from face_bench.pictures import JPEG_QUALITY, Picture, odd_crops
from face_bench.process_tree import OtherLoad
from face_bench.report import PeerStatus, Report, RunSettings
from face_bench.stages import break_down
from face_bench.sweep import WARM_UP_S, sweep
from face_bench.wire import mix
from face_client import FaceClient
from face_server import EmbeddedTriton, Settings

_ODD_CROPS = 20


@dataclass(frozen=True)
class Plan:
    """What to run. cache: folder of the peers' environments; None measures ours alone. 0 rounds, seconds or
    requests leave that part out."""

    checkout: Path
    repository: Path
    pictures: list[Picture]
    cache: Path | None
    networks: str
    warm_up: int
    rounds: int
    clients: tuple[int, ...]
    sweep_seconds: float
    memory_requests: int


def run(plan: Plan) -> Report:
    """Raises face_server.ServerError and face_client.FaceError where our own side fails; peers may fail."""
    settings = RunSettings(plan.warm_up, plan.rounds, plan.networks, JPEG_QUALITY, plan.sweep_seconds)
    report = Report(Machine.here(plan.checkout), settings)
    with ExitStack() as stack:
        progress.say(f"starting our server, networks: {plan.networks}")
        triton = stack.enter_context(EmbeddedTriton(plan.repository, Settings(networks=plan.networks)))
        if plan.rounds:
            _compare_with_peers(plan, triton, report)
        if plan.sweep_seconds:
            _sweep(plan, triton, report)
        if plan.memory_requests:
            _measure_memory(plan, triton, report)
    return report


def _compare_with_peers(plan: Plan, triton: EmbeddedTriton, report: Report) -> None:
    """Latency, agreement, floor and stages; the peers are gone afterwards."""
    with ExitStack() as stack:
        peers, report.peers = ([], []) if plan.cache is None else start_peers(plan.cache, stack)
        client = stack.enter_context(FaceClient(triton.grpc_url, retries=0))
        contenders: list[Contender] = [Ours(name, client, triton.metrics_url) for name in OURS]
        contenders += peers
        rate = MatrixRate()
        others = OtherLoad()
        measurements = _measure_rounds(plan, contenders, rate)
        report.other_cores = others.cores()
        report.peers = [_with_failure(status, measurements) for status in report.peers]
        report.agreement = _agreements(plan.pictures, peers, measurements)
    report.latency = latency.summarise(measurements, plan.pictures, [c.name for c in contenders])
    report.ratios = ratios(report.latency, OURS)
    report.stages = break_down(measurements, plan.pictures)
    report.matrix_gflops = rate.flops_per_second / 1e9
    report.floor = floors(report.latency, report.stages, rate.flops_per_second)


def _measure_rounds(plan: Plan, contenders: list[Contender], rate: MatrixRate) -> Measurements:
    what = f"{len(contenders)} contenders, {len(plan.pictures)} pictures, {plan.warm_up} + {plan.rounds} rounds"
    done = 0
    with progress.bar(what, plan.warm_up + plan.rounds) as show:

        def after_round() -> None:
            nonlocal done
            done += 1
            rate.sample()
            show(done)

        return measure(contenders, plan.pictures, plan.warm_up, plan.rounds, after_round)


def _with_failure(status: PeerStatus, measurements: Measurements) -> PeerStatus:
    return PeerStatus(status.name, status.about, status.problem or measurements.failures.get(status.name, ""))


def _agreements(pictures: list[Picture], peers: list[InProcess], measurements: Measurements) -> list[Agreement]:
    """Everybody against facenet-pytorch on the very same pixels; nobody where it is not there."""
    reference = next((p for p in peers if p.name == FACENET_PYTORCH and p.name not in measurements.failures), None)
    if reference is None:
        return []
    others = [RAW, JPEG, *(peer.name for peer in peers if peer is not reference)]
    agreements = []
    for picture in pictures:
        expected = measurements.of(picture, reference.name)[-1].faces
        for name in others:
            if measured := measurements.of(picture, name):
                wanted = reference.detect_decoded(picture) if name == JPEG else expected
                agreements.append(compare(picture.name, name, measured[-1].faces, reference.name, wanted))
    return agreements


def _sweep(plan: Plan, triton: EmbeddedTriton, report: Report) -> None:
    requests = mix(plan.pictures)
    expected = faces_alone(triton.grpc_url, requests)
    each = WARM_UP_S + plan.sweep_seconds
    with progress.bar(f"clients {', '.join(map(str, plan.clients))}: {each:g} s each", len(plan.clients)) as show:
        report.sweep = sweep(
            triton, requests, expected, plan.clients, plan.sweep_seconds, lambda n: show(plan.clients.index(n))
        )


def _measure_memory(plan: Plan, triton: EmbeddedTriton, report: Report) -> None:
    requests = mix([*plan.pictures, *odd_crops(plan.pictures, _ODD_CROPS)])
    expected = faces_alone(triton.grpc_url, requests)
    with progress.bar(f"memory over {plan.memory_requests} requests, {CLIENTS} clients", plan.memory_requests) as show:
        report.memory = measure_memory(triton, requests, expected, plan.memory_requests, show)
