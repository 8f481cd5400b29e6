"""The command: `simulate` replays a day and tries other numbers, `measure` takes the service times it stands on."""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from face_bench import BenchError
from face_bench.machine import Machine
from face_bench.output import bar, make_folder, show
from face_command.arguments import number, whole
from face_command.parser import Help
from face_load.report import write
from face_scaling.chart import HPA, KEDA, PROFILES, scaling
from face_scaling.day import Cluster
from face_scaling.fit import closed_loop, open_loop, server
from face_scaling.measure import measure
from face_scaling.plots import draw
from face_scaling.points import CPU, GPU, Measurement, load, save
from face_scaling.report import Compared, Minutes, ScalingReport, tables
from face_scaling.sweep import Setting, best, row, sweep
from face_scaling.sweep import plan as planned
from face_scaling.traffic import day
from face_server import ServerError

_TARGETS = {"cpu": (1.0, 2.0, 4.0, 8.0), "gpu": (6.0, 12.0, 24.0, 48.0)}
_WINDOWS_S = (300.0, 900.0, 1800.0, 3600.0)
_PULL_S = {"cpu": 15.0, "gpu": 180.0}
_SECONDS_ALONE = {"cpu": 1200, "gpu": 120}

_SIMULATE_HELP = """\
Replays a day of arrivals against the chart's own rule for scaling, tries other numbers in its place, and compares with
what hindsight would have done. Service times are measured ones: see docs/scaling.md.

examples:
  make scaling                                    the CPU profile
  make scaling ARGS="--profile gpu"               the GPU profile, with what docs/gpu.md measured
  make scaling ARGS="--by keda --pull 90 --bounded-queue"
  make scaling ARGS="--targets 1,2 --windows 300,600"
"""

_MEASURE_HELP = """\
Measures the embedded server of this machine under closed and open loops, and writes what `simulate` takes by
--measured. Runs add up in OUT/runs.jsonl, and of each load those count in which everything else used least.

  PYTHONPATH=load_tests .venv/bin/python -m face_scaling measure
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0; 1 with a message; 130 after Ctrl-C."""
    args = _parser().parse_args(arguments)
    try:
        make_folder(args.out)
        args.run(args)
    except (BenchError, ServerError) as error:
        print(f"{args.verb}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser("face_scaling", description="Autoscaling, simulated.", formatter_class=Help)
    verbs = made.add_subparsers(dest="verb", required=True, metavar="simulate | measure")
    for name, text, add, run in (
        ("simulate", _SIMULATE_HELP, _add_simulate, _simulate),
        ("measure", _MEASURE_HELP, _add_measure, _measure),
    ):
        verb = verbs.add_parser(name, description=text, formatter_class=Help, allow_abbrev=False)
        verb.set_defaults(run=run)
        verb.add_argument("--out", type=Path, default=Path("scaling"), metavar="DIR", help="(default: %(default)s)")
        add(verb.add_argument)
    return made


def _add_simulate(add: Callable[..., Any]) -> None:
    add("--profile", choices=PROFILES, default="cpu", help="of the chart (default: %(default)s)")
    add("--by", choices=(HPA, KEDA), default=HPA, help="who counts replicas (default: %(default)s)")
    add("--measured", type=Path, metavar="FILE", help="service times (default: those of the profile)")
    add("--bounded-queue", action="store_true", help="a CPU's servers with --bounded-queue; a GPU's always are bounded")
    add(
        "--retries",
        action="store_true",
        help="callers ask another replica when one refuses, within FaceClient's budget",
    )
    add(
        "--callers",
        type=whole(1, 1000),
        default=8,
        metavar="N",
        help="clients that choose replicas (default: %(default)s)",
    )
    add(
        "--pull",
        type=number(0, 3600),
        metavar="S",
        help="from a pod's creation to its server's start (default: 15 on a CPU, 180 on a GPU)",
    )
    add("--targets", type=_numbers, metavar="N,N,…", help="to try (default: four of the profile)")
    add("--windows", type=_numbers, default=_WINDOWS_S, metavar="S,S,…", help="to try (default: 300 to 3600)")
    add("--hours", type=_hours, default=(0, 24), metavar="A-B", help="of the day (default: all)")
    add("--seed", type=whole(0, 2**31), default=1, metavar="N", help="of arrivals and choices (default: %(default)s)")


def _add_measure(add: Callable[..., Any]) -> None:
    add("--rounds", type=whole(1, 100), default=3, metavar="N", help="default: %(default)s")
    add("--seconds", type=number(2, 600), default=6.0, metavar="S", help="of a closed loop (default: %(default)g)")
    add("--patience", type=number(0, 600), default=20.0, metavar="S", help="for a quiet moment (default: %(default)g)")


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(number(above=0)(part) for part in text.split(","))


def _hours(text: str) -> tuple[int, int]:
    first, _, last = text.partition("-")
    hours = whole(0, 23)(first), whole(1, 24)(last)
    if hours[0] >= hours[1]:
        raise argparse.ArgumentTypeError(f"{text} is no part of a day")
    return hours


def _measure(args: argparse.Namespace) -> None:
    save(measure(args.out, args.rounds, args.seconds, args.patience), args.out / "measured.json")


def _simulate(args: argparse.Namespace) -> None:
    measurement = load(args.measured or {"cpu": CPU, "gpu": GPU}[args.profile])
    setting = _setting(args, measurement)
    rule = setting.scaling
    targets, windows = args.targets or _TARGETS[args.profile], args.windows
    with bar(f"{len(targets) * len(windows)} days", len(targets) * len(windows)) as done:
        rows, ideal = sweep(setting, targets, windows, done)
    outcome = setting.run()
    assert ideal.load is not None
    report = ScalingReport(
        machine=Machine.here(),
        profile=args.profile,
        source=measurement.source,
        assumed=_assumed(setting),
        scaling=rule,
        hours=args.hours,
        capacity=setting.server.capacity,
        compared=_compared(args, measurement),
        chart=row(outcome, rule.target, rule.down.window_s),
        rows=rows,
        hindsight=ideal,
        suggested=best(rows),
        day=Minutes.of(outcome),
        day_in_hindsight=Minutes.of(setting.run(planned(setting, ideal.load))),
    )
    show(tables(report), after=report.text)
    write("Scaling", report, report.text, tables(report), args.out / f"scaling-{args.profile}", draw)


def _setting(args: argparse.Namespace, measurement: Measurement) -> Setting:
    made = server(measurement, args.profile, args.bounded_queue)
    return Setting(
        server=made,
        scaling=scaling(args.profile, args.by),
        cluster=Cluster(_PULL_S[args.profile] if args.pull is None else args.pull),
        rates=day(made.capacity, args.seed)[3600 * args.hours[0] : 3600 * args.hours[1]],
        callers=args.callers,
        retries=args.retries,
        seed=args.seed,
    )


def _assumed(setting: Setting) -> str:
    server, cluster = setting.server, setting.cluster
    queue = "no bound" if server.queue is None else f"room for {server.queue}"
    after = cluster.pull_s + server.start_s + cluster.notice_s
    return (
        f"Its queue has {queue}; it serves {after:.0f} s after its creation (assumed: {cluster.pull_s:.0f} s until its "
        f"process starts, {cluster.notice_s:.0f} s until callers see it; measured: {server.start_s:.0f} s). "
        f"{setting.callers} callers, {'with' if setting.retries else 'without'} retries, who give up after 30 s. "
        f"Scaled by {setting.scaling.by}."
    )


def _compared(args: argparse.Namespace, measurement: Measurement) -> list[Compared]:
    """Every load that was measured; on a GPU the queue of the measured server had no bound."""
    servers = {
        bounded: server(measurement, args.profile, bounded) for bounded in {p.bounded for p in measurement.points}
    }
    compared = []
    for point in measurement.points:
        made = servers[point.bounded]
        if args.profile == "gpu":
            made = replace(made, queue=None)
        if point.clients and not point.bounded:
            compared.append(Compared(point, closed_loop(made, point.clients)))
        elif point.offered:
            compared.append(Compared(point, open_loop(made, point.offered, _SECONDS_ALONE[args.profile])))
    return compared
