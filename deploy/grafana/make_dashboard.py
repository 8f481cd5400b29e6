"""Writes the dashboard dashboards/faces.json, with Grafana's own builders:

    python deploy/grafana/make_dashboard.py

Grafana reads the JSON; this is where to change it. A test compares the two, and evaluates every query.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from grafana_foundation_sdk.builders.common import VizLegendOptions
from grafana_foundation_sdk.builders.dashboard import Dashboard, DatasourceVariable, QueryVariable, Row
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.builders.timeseries import Panel as TimeSeries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import LegendDisplayMode, LegendPlacement
from grafana_foundation_sdk.models.dashboard import DataSourceRef

sys.path.insert(0, str(Path(__file__).parent))

from panels import CLOSED_ROWS, ROWS, Panel

TARGET = Path(__file__).parent / "dashboards" / "faces.json"

_PROMETHEUS = DataSourceRef(type_val="prometheus", uid="$datasource")


class Size(NamedTuple):
    """Of a panel, on Grafana's grid of 24 columns."""

    width: int
    height: int


_SIZE = Size(8, 8)


def dashboard_json() -> str:
    """The dashboard as Grafana reads it."""
    board = (
        Dashboard("Faces")
        .uid("triton-faces")
        .description("Face detection and recognition on Triton. Metrics: docs/observability.md")
        .tags(["triton", "faces"])
        .refresh("15s")
        .time("now-1h", "now")
        .with_variable(DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
        .with_variable(
            QueryVariable("instance")
            .label("Server")
            .datasource(_PROMETHEUS)
            .query('label_values(up{job="triton"}, instance)')
            .multi(True)
            .include_all(True)
            .all_value(".*")
        )
    )
    numbers = itertools.count(1)
    for title, panels in ROWS:
        board.with_row(Row(title).id(next(numbers)))
        for panel in panels:
            board.with_panel(_time_series(panel).id(next(numbers)))
    for title, panels in CLOSED_ROWS:
        closed = Row(title).id(next(numbers)).collapsed(True)
        for panel in panels:
            closed.with_panel(_time_series(panel).id(next(numbers)))
        board.with_row(closed)
    return JSONEncoder(sort_keys=True, indent=2).encode(board.build()) + "\n"


def _time_series(panel: Panel) -> TimeSeries:
    series = (
        TimeSeries()
        .title(panel.title)
        .description(panel.description)
        .unit(panel.unit)
        .min(0)
        .span(_SIZE.width)
        .height(_SIZE.height)
        .fill_opacity(10)
        .no_value(panel.no_value)
        .datasource(_PROMETHEUS)
        .legend(
            VizLegendOptions().display_mode(LegendDisplayMode.LIST).placement(LegendPlacement.BOTTOM).show_legend(True)
        )
    )
    for letter, (expression, legend) in zip("ABCDEF", panel.queries, strict=False):
        series.with_target(_query(letter, expression, legend))
    return series


def _query(letter: str, expression: str, legend: str) -> Dataquery:
    return Dataquery().ref_id(letter).expr(expression).legend_format(legend).datasource(_PROMETHEUS)


def main(arguments: Sequence[str]) -> int:
    if arguments:
        print(__doc__, file=sys.stderr)
        return 2
    TARGET.write_text(dashboard_json())
    print(TARGET)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
