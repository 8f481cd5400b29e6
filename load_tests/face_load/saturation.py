"""`make saturate`: the highest rate that the server sustains, and what becomes of three times as much."""

import argparse
import math
from collections.abc import Callable

from face_bench import BenchError
from face_bench.machine import Machine
from face_bench.output import say, show
from face_load.plots import draw_saturation
from face_load.report import embedded, write
from face_load.run import measure, users
from face_load.saturation_report import Overload, SaturationReport, Step, better, peak, tables
from face_server import EmbeddedTriton

GROWTH = 1.5
"""Between two rates while all is well."""

PRECISION = 1.05
"""The search ends when a rate that fails is at most so many times one that passes."""

_LOWEST, _HIGHEST = 0.05, 100_000.0


def saturate(args: argparse.Namespace) -> bool:
    """Whether the server held under overload."""
    with embedded(args) as triton:
        report = _find(args, triton)
    show(tables(report), after=report.text)
    write("Saturation", report, report.text, tables(report), args.out / "saturation", draw_saturation)
    return report.overload.holds


def _find(args: argparse.Namespace, triton: EmbeddedTriton) -> SaturationReport:
    steps: dict[float, Step] = {}

    def sustained(rate: float) -> bool:
        step = _step(args, triton, rate)
        if not step.sustained:
            # Something else may have used the machine for a moment, and one wrong failure would cap the whole search.
            step = better(step, _step(args, triton, rate))
        steps[rate] = step
        return step.sustained

    sustainable = highest(sustained, args.start)
    rate = args.overload * sustainable
    over = _step(args, triton, rate)
    overload = Overload(
        rate=rate,
        summary=over.summary,
        peak=peak([step.summary for step in (*steps.values(), over)]),
        sustainable_p95_ms=steps[sustainable].summary.good.p95,
    )
    return SaturationReport(
        machine=Machine.here(),
        models=triton.models,
        options=args.locust,
        p95_ms=args.p95,
        errors_percent=args.errors,
        sustainable=sustainable,
        steps=[*steps.values(), over],
        overload=overload,
    )


def _step(args: argparse.Namespace, triton: EmbeddedTriton, rate: float) -> Step:
    total = round(args.warm_up + args.seconds)
    options = (*users(args.users, total), "--rate", f"{rate / args.users:.6g}", *args.locust)
    measured = measure(triton, args.out / f"rate_{rate:.1f}", options, args.warm_up, total - args.warm_up)
    summary = measured.summary
    step = Step(
        rate=rate,
        summary=summary,
        use=measured.use,
        generator_cores=measured.generator_cores,
        sustained=summary.good.p95 <= args.p95 and 100 * summary.error_share <= args.errors,
    )
    say(
        f"{rate:6.1f} requests a second: {summary.goodput:5.1f} good, p95 {summary.good.p95:4.0f} ms, "
        f"errors {100 * summary.error_share:.1f} %{'' if step.sustained else ', too much'}"
    )
    return step


def highest(passes: Callable[[float], bool], start: float) -> float:
    """The highest rate tried that passes: raised from `start` until one fails, then narrowed down in between.

    Where `start` itself fails, lower ones are tried. Raises BenchError where none passes, or none fails.
    """
    low, high = _bracket(passes, start)
    while high > PRECISION * low:
        middle = math.sqrt(low * high)
        if passes(middle):
            low = middle
        else:
            high = middle
    return low


def _bracket(passes: Callable[[float], bool], start: float) -> tuple[float, float]:
    """A rate that passes, and the next one up, which fails."""
    if passes(start):
        low = start
        while passes(low * GROWTH):
            low *= GROWTH
            if low > _HIGHEST:
                raise BenchError(f"{low:g} requests a second are sustained: the search ends there")
        return low, low * GROWTH
    high = start
    while not passes(high / GROWTH):
        high /= GROWTH
        if high < _LOWEST:
            raise BenchError(f"not even {high:.2g} requests a second are sustained; raise --p95, or look for errors")
    return high / GROWTH, high
