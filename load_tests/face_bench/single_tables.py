"""Tables of one client: latency, agreement, floor, stages."""

from collections import Counter

from face_bench.agreement import MATCH_IOU, Agreement, Unmatched
from face_bench.contenders import OURS
from face_bench.report import Report
from face_bench.stages import STAGE_SECONDS, Breakdown
from face_bench.table import Table, all_keys, optional

_QUIET_CORES = 0.1


def latency_table(report: Report) -> Table:
    ratio = {(r.picture, r.ours, r.peer): f"{r.ratio:.2f}" for r in report.ratios}
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
        for latency in report.latency
    )
    header = ("picture", "who", "median ms", "IQR ms", "FPS", "faces", *(f"× {ours}" for ours in OURS))
    problems = [f"{peer.name} was not measured: {peer.problem}" for peer in report.peers if peer.problem]
    return Table("Latency of one client", header, rows, labels=2, notes=(*problems, *_noise(report)))


def _noise(report: Report) -> list[str]:
    if report.other_cores is None:
        return []
    note = f"everything else on the machine used {report.other_cores:.2f} cores meanwhile"
    return [f"{note}: measure again when it is quiet" if report.other_cores > _QUIET_CORES else note]


def agreement_table(report: Report) -> Table:
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


def floor_table(report: Report) -> Table:
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


def stage_table(report: Report) -> Table:
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


def work_table(report: Report) -> Table:
    names = all_keys(breakdown.work for breakdown in report.stages)
    rows = tuple(
        (b.picture, b.contender, *(f"{b.work.get(name, 0):.1f}" for name in names)) for b in report.stages if b.work
    )
    return Table("Work summed over the server's threads, ms", ("picture", "who", *names), rows, labels=2)
