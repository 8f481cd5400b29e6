"""Cells that several tables share."""

from face_bench.table import optional
from face_load.summary import Latency


def percentile_cells(latency: Latency) -> tuple[str, str, str]:
    """p50, p95 and p99 in whole milliseconds; a dash for what was not seen."""
    return optional(latency.p50, ".0f"), optional(latency.p95, ".0f"), optional(latency.p99, ".0f")
