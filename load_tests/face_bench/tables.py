"""The report as tables: the same for terminal and markdown."""

from face_bench.load_tables import memory_table, sweep_table
from face_bench.report import Report
from face_bench.single_tables import agreement_table, floor_table, latency_table, stage_table, work_table
from face_bench.table import Table


def tables(report: Report) -> list[Table]:
    """Those that have something in them."""
    made = (latency_table, agreement_table, floor_table, stage_table, work_table, sweep_table, memory_table)
    return [table for make in made if (table := make(report)).rows or table.notes]
