"""What `make load` found out."""

from dataclasses import dataclass

from face_bench.machine import Machine
from face_bench.table import Table, errors_text, optional
from face_load.cells import percentile_cells
from face_load.server_use import ServerUse
from face_load.summary import Summary


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
