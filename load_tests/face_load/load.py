"""`make load`: a short load, summed up."""

import argparse
from dataclasses import dataclass

from face_bench.machine import Machine
from face_bench.output import Table, errors_text, optional, say, show
from face_bench.processes import ServerUse
from face_bench.wire import REJECTED
from face_load.report import embedded, percentile_cells, write
from face_load.run import measure, users
from face_load.samples import Summary, by_request


@dataclass(frozen=True)
class LoadReport:
    """load: in words. models: those loaded. by_request: of each kind of request, by name."""

    machine: Machine
    load: str
    models: tuple[str, ...]
    summary: Summary
    by_request: dict[str, Summary]
    use: ServerUse
    generator_cores: float


def load(args: argparse.Namespace) -> bool:
    """Whether all went well: errors other than rejections of a full queue are none."""
    with embedded(args) as triton:
        what, options, warm_up, seconds = _load(args)
        say(what)
        files = ("--html", str(args.out / "report.html"), "--csv", str(args.out / "locust"))
        measured = measure(triton, args.out / "load", (*options, *files, *args.locust), warm_up, seconds)
    end = measured.summary.seconds + warm_up
    report = LoadReport(
        machine=Machine.here(),
        load=" ".join((what, *args.locust)),
        models=triton.models,
        summary=measured.summary,
        by_request=by_request(measured.run.samples, warm_up, end),
        use=measured.use,
        generator_cores=measured.generator_cores,
    )
    show(tables(report))
    beside = ("report.html", "locust_stats.csv", "load_requests.csv")
    write("Load test", report, [report.load], tables(report), args.out / "summary", beside=beside)
    return not set(report.summary.errors) - {REJECTED}


def _load(args: argparse.Namespace) -> tuple[str, tuple[str, ...], float, float | None]:
    """In words, as options of locust, seconds to leave out, seconds to measure (None: to the end)."""
    rate = ("--rate", f"{args.rate:g}")
    each = f"{args.rate:g} requests a second each" if args.rate else "one request after the other"
    if args.stages:
        return f"users as {args.stages}, {each}", ("--stages", args.stages, *rate), 0.0, None
    total = round(args.warm_up + args.seconds)
    options = (*users(args.users, total), *rate)
    return f"{args.users} users, {each}, {total} s", options, args.warm_up, total - args.warm_up


def tables(report: LoadReport) -> list[Table]:
    return [_summary_table(report), _request_table(report)]


def _summary_table(report: LoadReport) -> Table:
    summary, use = report.summary, report.use
    rows = (
        ("requests", str(summary.requests)),
        ("good answers a second", f"{summary.goodput:.1f}"),
        ("p50, p95, p99, ms", ", ".join(percentile_cells(summary.good))),
        ("errors", errors_text(summary.errors)),
        ("bad requests refused", str(summary.refused)),
        *((f"images an execution, {model}", f"{size:.2f}") for model, size in use.batch.items()),
        ("server, cores", f"{use.server_cores:.2f}"),
        ("load generator, cores", f"{report.generator_cores:.2f}"),
        ("everything else, cores", f"{use.other_cores:.2f}"),
        ("load generator late by, p99, ms", optional(summary.late_p99_ms, ".1f")),
    )
    return Table("Load", ("", ""), rows)


def _request_table(report: LoadReport) -> Table:
    rows = tuple(
        (
            name,
            str(summary.requests),
            *percentile_cells(summary.good),
            errors_text(summary.errors),
        )
        for name, summary in report.by_request.items()
    )
    return Table("By kind of request", ("request", "count", "p50 ms", "p95 ms", "p99 ms", "errors"), rows)
