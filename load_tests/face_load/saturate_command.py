"""`make saturate`: the highest sustainable rate, and what becomes of three times as much."""

from face_bench import progress
from face_bench.machine import Machine
from face_load import saturation
from face_load.arguments import Arguments
from face_load.documents import CHECKOUT, show, write_json, write_markdown
from face_load.load_command import SPAWN_RATE
from face_load.measure import measure
from face_load.overload import Overload, peak
from face_load.saturation_plot import plot
from face_load.saturation_report import SaturationReport, Step, better, tables
from face_server import EmbeddedTriton, Settings


def saturate(args: Arguments) -> bool:
    """Whether the server held under overload."""
    progress.say(f"starting the server, networks: {args.networks}")
    settings = Settings(networks=args.networks, bounded_queue=args.bounded_queue)
    with EmbeddedTriton(CHECKOUT / "model_repository", settings) as triton:
        report = _find(args, triton)
    write_json(report, args.out / "saturation.json")
    plot(report, args.out / "saturation.png")
    write_markdown(
        "Saturation", report.machine, report.text, tables(report), args.out / "saturation.md", "saturation.png"
    )
    show(report.text, tables(report))
    names = ("saturation.md", "saturation.png", "saturation.json")
    progress.say("written: " + ", ".join(str(args.out / name) for name in names))
    return report.overload.holds


def _find(args: Arguments, triton: EmbeddedTriton) -> SaturationReport:
    steps: dict[float, Step] = {}

    def sustained(rate: float) -> bool:
        step = _step(args, triton, rate)
        if not step.sustained:
            # Something else may have used the machine for a moment, and one wrong failure would cap the whole search.
            step = better(step, _step(args, triton, rate))
        steps[rate] = step
        return step.sustained

    sustainable = saturation.highest(sustained, args.start)
    rate = args.overload * sustainable
    over = _step(args, triton, rate)
    overload = Overload(
        rate=rate,
        summary=over.summary,
        peak=peak([step.summary for step in (*steps.values(), over)]),
        sustainable_p95_ms=steps[sustainable].summary.good.p95,
    )
    return SaturationReport(
        machine=Machine.here(CHECKOUT),
        models=triton.models,
        options=args.locust,
        p95_ms=args.p95,
        errors_percent=args.errors,
        sustainable=sustainable,
        steps=[*steps.values(), over],
        overload=overload,
    )


def _step(args: Arguments, triton: EmbeddedTriton, rate: float) -> Step:
    total = round(args.warm_up + args.seconds)
    options = ("--users", str(args.users), "--spawn-rate", SPAWN_RATE, "--run-time", f"{total}s")
    each = ("--rate", f"{rate / args.users:.6g}")
    prefix = args.out / f"rate_{rate:.1f}"
    measured = measure(triton, prefix, (*options, *each, *args.locust), args.warm_up, total - args.warm_up)
    summary = measured.summary
    step = Step(
        rate=rate,
        summary=summary,
        use=measured.use,
        generator_cores=measured.generator_cores,
        sustained=summary.good.p95 <= args.p95 and 100 * summary.error_share <= args.errors,
    )
    progress.say(
        f"{rate:6.1f} requests a second: {summary.goodput:5.1f} good, p95 {summary.good.p95:4.0f} ms, "
        f"errors {100 * summary.error_share:.1f} %{'' if step.sustained else ', too much'}"
    )
    return step
