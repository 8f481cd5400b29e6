"""Tables of many clients: throughput, latency under load, memory."""

from face_bench.load import WRONG_ANSWER
from face_bench.report import Report
from face_bench.table import Table, all_keys, errors_text, optional


def sweep_table(report: Report) -> Table:
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


def memory_table(report: Report) -> Table:
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
