"""Everything that a run found out: as data (JSON), as tables, and as markdown."""

from collections import Counter
from dataclasses import dataclass, field

from face_bench import alternatives, peer_rates
from face_bench.alternatives import Alternative
from face_bench.contenders import MATCH_IOU, OURS, Agreement, Unmatched
from face_bench.floor import Floor
from face_bench.latency import Latency, Ratio
from face_bench.machine import Machine
from face_bench.many_clients import MemoryUse, SweepStep
from face_bench.output import Table, all_keys, errors_text, markdown, optional
from face_bench.peer_rates import PeerRate
from face_bench.peers import PeerStatus
from face_bench.processes import QUIET_CORES
from face_bench.stages import STAGE_SECONDS, Breakdown
from face_bench.wire import WRONG_ANSWER


@dataclass(frozen=True)
class RunSettings:
    warm_up: int
    rounds: int
    networks: str
    jpeg_quality: int
    sweep_seconds: float
    crowd_rounds: int
    few_rounds: int
    """Of the pictures beside those of the headline, and of other detectors."""


@dataclass
class Report:
    """Filled part by part; a part that was not run stays empty."""

    machine: Machine
    settings: RunSettings
    peers: list[PeerStatus] = field(default_factory=list)
    latency: list[Latency] = field(default_factory=list)
    more: list[Latency] = field(default_factory=list)
    crowds: list[Latency] = field(default_factory=list)
    ratios: list[Ratio] = field(default_factory=list)
    """Of all three."""
    agreement: list[Agreement] = field(default_factory=list)
    other_cores: float | None = None
    """What everything else on the machine used while latency was measured; it should be next to nothing."""
    matrix_gflops: float | None = None
    floor: list[Floor] = field(default_factory=list)
    stages: list[Breakdown] = field(default_factory=list)
    other_detectors: list[PeerStatus] = field(default_factory=list)
    alternatives: list[Alternative] = field(default_factory=list)
    sweep: list[SweepStep] = field(default_factory=list)
    peer_rates: list[PeerRate] = field(default_factory=list)
    memory: MemoryUse | None = None


def in_markdown(report: Report) -> str:
    """The whole report; sections of one level below the document that it is pasted into."""
    settings = report.settings
    peers = [f"{peer.name} {_about(peer)}" for peer in [*report.peers, *report.other_detectors] if not peer.problem]
    more = f"; {settings.few_rounds} of other pictures and detectors" if report.more or report.alternatives else ""
    crowds = f"; {settings.crowd_rounds} of the crowds" if report.crowds else ""
    how = (
        f"{settings.rounds} rounds after {settings.warm_up} of warm-up{more}{crowds}; interleaved. "
        f"Networks: {settings.networks}. JPEG quality {settings.jpeg_quality}. "
        f"Peers, in their own processes: {'; '.join(peers) or 'none'}."
    )
    return markdown([report.machine.line, how], tables(report))


def _about(peer: PeerStatus) -> str:
    return "(" + ", ".join(f"{name} {value}" for name, value in peer.about.items()) + ")"


def tables(report: Report) -> list[Table]:
    """Those that have something in them."""
    made = (_latency, _more, _crowds, _agreement, _floor, _stages, _work, _others, _sweep, _peer_rates, _memory)
    return [table for make in made if (table := make(report)).rows or table.notes]


def _latency(report: Report) -> Table:
    problems = [_problem(peer, report) for peer in report.peers if peer.problem]
    return _milliseconds("Latency of one client", report.latency, report.ratios, (*problems, *_noise(report)))


def _problem(peer: PeerStatus, report: Report) -> str:
    began = any(latency.contender == peer.name for latency in report.latency)
    return f"{peer.name} {'fell out later' if began else 'was not measured'}: {peer.problem}"


def _more(report: Report) -> Table:
    return _milliseconds("Other pictures", report.more, report.ratios)


def _milliseconds(title: str, latencies: list[Latency], ratios: list[Ratio], notes: tuple[str, ...] = ()) -> Table:
    ratio = {(r.picture, r.ours, r.peer): f"{r.ratio:.2f}" for r in ratios}
    rows = tuple(
        (
            latency.picture,
            latency.contender,
            f"{latency.milliseconds.median:.1f}",
            f"{latency.iqr_ms:.1f}",
            f"{latency.fps:.1f}",
            str(latency.faces),
            *(ratio.get((latency.picture, ours, latency.contender), "") for ours in OURS),
        )
        for latency in latencies
    )
    header = ("picture", "who", "median ms", "IQR ms", "FPS", "faces", *(f"× {ours}" for ours in OURS))
    return Table(title, header, rows, labels=2, notes=notes)


def _crowds(report: Report) -> Table:
    """In seconds: it is the faces that take the time."""
    ratio = {(r.picture, r.ours, r.peer): f"{r.ratio:.1f}" for r in report.ratios}
    rows = tuple(
        (
            latency.picture,
            latency.contender,
            str(latency.faces),
            f"{latency.milliseconds.median / 1e3:.2f}",
            f"{latency.iqr_ms / 1e3:.2f}",
            *(ratio.get((latency.picture, ours, latency.contender), "") for ours in OURS),
        )
        for latency in report.crowds
    )
    header = ("picture", "who", "faces", "median s", "IQR s", *(f"× {ours}" for ours in OURS))
    return Table("Crowds", header, rows, labels=2)


def _noise(report: Report) -> list[str]:
    if report.other_cores is None:
        return []
    note = f"everything else on the machine used {report.other_cores:.2f} cores meanwhile"
    return [f"{note}: measure again when it is quiet" if report.other_cores > QUIET_CORES else note]


def _agreement(report: Report) -> Table:
    rows = tuple(
        (
            agreement.picture,
            agreement.contender,
            str(agreement.matched),
            optional(agreement.largest_landmark_distance, ".4f"),
            _one_sided(agreement),
        )
        for agreement in report.agreement
    )
    references = sorted({agreement.reference for agreement in report.agreement})
    title = f"Same faces as {', '.join(references) or 'the reference'} (IoU ≥ {MATCH_IOU})"
    header = ("picture", "who", "matched", "largest landmark distance, px", "found by one side only")
    return Table(title, header, rows, labels=2)


def _one_sided(agreement: Agreement) -> str:
    """Each face for ours; for a peer how many, the rest being in the JSON report."""
    faces = agreement.unmatched
    if agreement.contender in OURS:
        return "; ".join(map(_unmatched, faces)) or "none"
    counts = Counter(face.found_by for face in faces)
    return ", ".join(f"{count} by {who}" for who, count in counts.items()) or "none"


def _unmatched(face: Unmatched) -> str:
    x1, y1, x2, y2 = face.box
    return f"{face.found_by}: {x2 - x1:.0f}x{y2 - y1:.0f} at {x1:.0f},{y1:.0f}, p {face.probability:.3f}"


def _floor(report: Report) -> Table:
    rows = tuple(
        (
            floor.picture,
            floor.contender,
            f"{floor.pnet_gflop:.2f}",
            f"{floor.rnet_gflop:.2f}",
            f"{floor.onet_gflop:.2f}",
            optional(floor.rnet_candidates, ".0f"),
            optional(floor.onet_candidates, ".0f"),
            f"{floor.floor_ms:.1f}",
            f"{floor.ours_ms:.1f}",
            f"{floor.ours_over_floor:.2f}",
        )
        for floor in report.floor
    )
    header = (
        *("picture", "who", "PNet GFLOP", "RNet GFLOP", "ONet GFLOP"),
        *("RNet candidates", "ONet candidates", "floor ms", "ours ms", "ours ÷ floor"),
    )
    notes = [f"float32 matrix product, measured between the rounds: {report.matrix_gflops or 0:.0f} GFLOP/s"]
    if any(floor.rnet_candidates is None for floor in report.floor):
        notes.append("the server does not count candidates: the floor is PNet's alone, so too low")
    return Table("The floor", header, rows, labels=2, notes=tuple(notes) if rows else ())


def _stages(report: Report) -> Table:
    names = all_keys(breakdown.stages for breakdown in report.stages)
    rows = tuple(
        (b.picture, b.contender, f"{b.total_ms:.1f}", *(_share(b, name) for name in names))
        for b in report.stages
        if b.stages
    )
    absent = bool(report.stages) and not rows
    notes = (f"the server has no counters {STAGE_SECONDS}: no breakdown",) if absent else ()
    return Table("Where our time goes, ms (%)", ("picture", "who", "total", *names), rows, labels=2, notes=notes)


def _share(breakdown: Breakdown, stage: str) -> str:
    milliseconds = breakdown.stages.get(stage, 0.0)
    return f"{milliseconds:.1f} ({100 * milliseconds / breakdown.total_ms:.0f})"


def _work(report: Report) -> Table:
    names = all_keys(breakdown.work for breakdown in report.stages)
    rows = tuple(
        (b.picture, b.contender, *(f"{b.work.get(name, 0):.1f}" for name in names)) for b in report.stages if b.work
    )
    return Table("Work summed over the server's threads, ms", ("picture", "who", *names), rows, labels=2)


def _sweep(report: Report) -> Table:
    models = all_keys(step.batch for step in report.sweep)
    rows = tuple(
        (
            str(step.clients),
            f"{step.images_per_second:.1f}",
            *(f"{value:.0f}" for value in (step.p50_ms, step.p95_ms, step.p99_ms)),
            errors_text(step.errors),
            *(optional(step.batch.get(model), ".2f") for model in models),
            f"{step.server_cores:.2f}",
            f"{step.client_cores:.2f}",
            f"{step.other_cores:.2f}",
        )
        for step in report.sweep
    )
    header = (
        *("clients", "images/s", "p50 ms", "p95 ms", "p99 ms", "errors"),
        *(f"batch {model}" for model in models),
        *("server cores", "load generator", "others"),
    )
    notes = (f"an answer with another number of faces than alone is an error, “{WRONG_ANSWER}”",)
    return Table("Concurrent clients, mixed sizes, raw and JPEG in turns", header, rows, notes=notes if rows else ())


def _others(report: Report) -> Table:
    return alternatives.table(report.alternatives, report.other_detectors)


def _peer_rates(report: Report) -> Table:
    return peer_rates.table(report.peer_rates)


def _memory(report: Report) -> Table:
    memory = report.memory
    title = "Memory of the whole server"
    if memory is None:
        return Table(title, (), ())
    rows = (
        ("requests", str(memory.requests)),
        ("clients", str(memory.clients)),
        ("errors", errors_text(memory.errors)),
        ("processes", str(memory.processes)),
        ("largest PSS, MB (shared pages once)", f"{memory.max_pss_mb:.0f}"),
        ("largest RSS, MB (shared pages in each process)", f"{memory.max_rss_mb:.0f}"),
        ("slope over the second half, MB in 1000 requests", f"{memory.slope_mb_per_1000_requests:+.2f}"),
    )
    return Table(title, ("", ""), rows)
