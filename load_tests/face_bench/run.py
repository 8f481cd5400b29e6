"""One run of the benchmark: everything is started, measured and stopped here."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from face_bench import latency
from face_bench.alternatives import ALTERNATIVES, alternatives
from face_bench.contenders import OURS, OURS_JPEG, OURS_RAW, Agreement, Contender, Ours, PeerError, compare
from face_bench.floor import MatrixRate, floors
from face_bench.latency import Measurements, measure, ratios
from face_bench.machine import Machine
from face_bench.many_clients import MEMORY_CLIENTS, WARM_UP_S, measure_memory, step, sweep
from face_bench.output import activity, bar, say
from face_bench.peer_rates import CALLERS, TURNS, peer_rate
from face_bench.peer_worker import FACENET_PYTORCH, IPAZC_MTCNN
from face_bench.peers import PEERS, PeerProcess, PeerStatus, environment, start_peers
from face_bench.pictures import JPEG_QUALITY, Picture, odd_crops
from face_bench.processes import OtherLoad
from face_bench.report import Report, RunSettings
from face_bench.stages import break_down
from face_bench.wire import MODEL, picture_requests
from face_client import FaceClient
from face_server import EmbeddedTriton, Settings

C = TypeVar("C", bound=Contender)

_ODD_CROPS = 20
# Of the crowds: facenet-pytorch takes many seconds for one.
_CROWD_ROUNDS = 3
# Of the pictures beside the walls, and of other detectors: at most so many, after one of warm-up.
_FEW_ROUNDS = 5


@dataclass(frozen=True)
class Plan:
    """What to run. more: pictures beside those that the headline is about. cache: folder of the peers' environments;
    None measures ours alone. others: other detectors as well. 0 rounds, seconds or requests leave that part out."""

    repository: Path
    pictures: list[Picture]
    crowds: list[Picture]
    more: list[Picture]
    cache: Path | None
    others: bool
    networks: str
    warm_up: int
    rounds: int
    clients: tuple[int, ...]
    sweep_seconds: float
    memory_requests: int


def run(plan: Plan) -> Report:
    """Raises BenchError, face_server.ServerError and face_client.FaceError where our own side fails; peers may fail."""
    settings = RunSettings(
        *(plan.warm_up, plan.rounds, plan.networks, JPEG_QUALITY, plan.sweep_seconds),
        crowd_rounds=_CROWD_ROUNDS,
        few_rounds=min(plan.rounds, _FEW_ROUNDS),
    )
    report = Report(Machine.here(), settings)
    with ExitStack() as stack:
        say(f"starting our server, networks: {plan.networks}")
        triton = stack.enter_context(EmbeddedTriton(plan.repository, Settings(networks=plan.networks)))
        if plan.rounds:
            _compare_with_peers(plan, triton, report)
            if plan.others and plan.cache is not None:
                _compare_with_others(plan, plan.cache, triton, report)
        if plan.sweep_seconds:
            _sweep(plan, triton, report)
            if plan.cache is not None:
                _fill_with_peers(plan, plan.cache, triton, report)
        if plan.memory_requests:
            _measure_memory(plan, triton, report)
    return report


def _compare_with_peers(plan: Plan, triton: EmbeddedTriton, report: Report) -> None:
    """Latency, agreement, floor and stages; the peers are gone afterwards."""
    with ExitStack() as stack:
        peers, report.peers = ([], []) if plan.cache is None else start_peers(PEERS, plan.cache, stack)
        client = stack.enter_context(FaceClient(triton.grpc_url, retries=0))
        contenders: list[Contender] = [Ours(name, client, triton.metrics_url) for name in OURS]
        contenders += peers
        rate = MatrixRate()
        others = OtherLoad()
        measurements = _measure_rounds(plan, contenders, rate)
        of_more = _measure_more(plan, _left(contenders, measurements))
        of_crowds = _measure_crowds(plan, _left(contenders, measurements, of_more))
        report.other_cores = others.cores()
        report.peers = [_with_failure(status, measurements, of_more, of_crowds) for status in report.peers]
        report.agreement = _agreements(plan.pictures, peers, measurements)
        report.agreement += _agreements(plan.more, _left(peers, measurements), of_more)
        report.agreement += _agreements(plan.crowds, _left(peers, measurements, of_more), of_crowds)
    names = [contender.name for contender in contenders]
    report.latency = latency.summarise(measurements, plan.pictures, names)
    report.more = latency.summarise(of_more, plan.more, names)
    report.crowds = latency.summarise(of_crowds, plan.crowds, names)
    report.ratios = ratios([*report.latency, *report.more, *report.crowds], OURS)
    report.stages = break_down(measurements, plan.pictures)
    report.matrix_gflops = rate.flops_per_second / 1e9
    report.floor = floors(report.latency, report.stages, rate.flops_per_second)


def _measure_rounds(plan: Plan, contenders: list[Contender], rate: MatrixRate) -> Measurements:
    what = f"{len(contenders)} contenders, {len(plan.pictures)} pictures, {plan.warm_up} + {plan.rounds} rounds"
    with bar(what, plan.warm_up + plan.rounds) as show:

        def after_round(done: int) -> None:
            rate.sample()
            show(done)

        return measure(contenders, plan.pictures, plan.warm_up, plan.rounds, after_round)


def _left(contenders: Sequence[C], *before: Measurements) -> list[C]:
    """Those that have not fallen out yet."""
    return [contender for contender in contenders if not any(contender.name in each.failures for each in before)]


def _measure_more(plan: Plan, contenders: list[Contender]) -> Measurements:
    return _measure_few(contenders, plan.more, 1, min(plan.rounds, _FEW_ROUNDS))


def _measure_crowds(plan: Plan, contenders: list[Contender]) -> Measurements:
    """Ours and facenet-pytorch, who find the same faces; everybody is warm by now."""
    return _measure_few([c for c in contenders if c.name != IPAZC_MTCNN], plan.crowds, 0, _CROWD_ROUNDS)


def _measure_few(contenders: list[Contender], pictures: list[Picture], warm_up: int, rounds: int) -> Measurements:
    if not pictures:
        return Measurements()
    what = f"{len(contenders)} contenders, {pictures[0].name} to {pictures[-1].name}, {warm_up} + {rounds} rounds"
    with bar(what, warm_up + rounds) as show:
        return measure(contenders, pictures, warm_up, rounds, show)


def _with_failure(status: PeerStatus, *measurements: Measurements) -> PeerStatus:
    failures = [each.failures[status.name] for each in measurements if status.name in each.failures]
    return PeerStatus(status.name, status.about, status.problem or next(iter(failures), ""))


def _compare_with_others(plan: Plan, cache: Path, triton: EmbeddedTriton, report: Report) -> None:
    """Ours beside detectors that are not MTCNN, on every picture."""
    pictures = [*plan.pictures, *plan.more, *plan.crowds]
    with ExitStack() as stack:
        detectors, statuses = start_peers(ALTERNATIVES, cache, stack)
        client = stack.enter_context(FaceClient(triton.grpc_url, retries=0))
        contenders: list[Contender] = [Ours(OURS_RAW, client, triton.metrics_url), *detectors]
        measurements = _measure_few(contenders, pictures, 1, min(plan.rounds, _FEW_ROUNDS))
    report.other_detectors = [_with_failure(status, measurements) for status in statuses]
    report.alternatives = alternatives(measurements, pictures, OURS_RAW, [d.name for d in detectors])


def _fill_with_peers(plan: Plan, cache: Path, triton: EmbeddedTriton, report: Report) -> None:
    """facenet-pytorch in as many processes as cores, in turns with ours."""
    peer, cores = next(peer for peer in PEERS if peer.name == FACENET_PYTORCH), report.machine.cores
    requests, seconds = picture_requests(triton.grpc_url, MODEL, plan.pictures), plan.sweep_seconds

    def ours() -> float:
        return step(triton, requests, CALLERS, seconds).images_per_second

    try:
        with activity(f"{peer.name}: its environment") as show:
            python = environment(peer, cache, show)
        what = f"{CALLERS} clients of ours, {cores} processes of {peer.name}: {TURNS} turns of {seconds:g} s each"
        with bar(what, TURNS) as show_turns:
            rate = peer_rate(peer, python, plan.pictures, cores, seconds, ours, show_turns)
    except PeerError as error:
        say(f"going on without the throughput of {peer.name}: {error}")
        return
    report.peer_rates.append(rate)


def _agreements(pictures: list[Picture], peers: list[PeerProcess], measurements: Measurements) -> list[Agreement]:
    """Everybody against facenet-pytorch on the very same pixels; nobody where it is not there."""
    reference = next((p for p in _left(peers, measurements) if p.name == FACENET_PYTORCH), None)
    if reference is None:
        return []
    others = [OURS_RAW, OURS_JPEG, *(peer.name for peer in peers if peer is not reference)]
    agreements = []
    for picture in pictures:
        of_pixels = measurements.of(picture, reference.name)[-1].faces
        for name in others:
            if measured := measurements.of(picture, name):
                # What it finds in the pixels of the JPEG file, where that file is what we were sent.
                expected = reference.find(picture.decoded)[1] if name == OURS_JPEG else of_pixels
                agreements.append(compare(picture.name, name, measured[-1].faces, reference.name, expected))
    return agreements


def _sweep(plan: Plan, triton: EmbeddedTriton, report: Report) -> None:
    requests = picture_requests(triton.grpc_url, MODEL, plan.pictures)
    each = WARM_UP_S + plan.sweep_seconds
    with bar(f"clients {', '.join(map(str, plan.clients))}: {each:g} s each", len(plan.clients)) as show:
        report.sweep = sweep(triton, requests, plan.clients, plan.sweep_seconds, show)


def _measure_memory(plan: Plan, triton: EmbeddedTriton, report: Report) -> None:
    requests = picture_requests(triton.grpc_url, MODEL, [*plan.pictures, *odd_crops(plan.pictures, _ODD_CROPS)])
    what = f"memory over {plan.memory_requests} requests, {MEMORY_CLIENTS} clients"
    with bar(what, plan.memory_requests) as show:
        report.memory = measure_memory(triton, requests, plan.memory_requests, show)
