"""What `load`, `saturate` and `soak` share: their server, and how they write what they found out."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from face_bench.machine import CHECKOUT
from face_bench.output import Table, markdown, optional, say, to_json
from face_load.samples import Percentiles
from face_server import EmbeddedTriton, Settings


def embedded(args: argparse.Namespace) -> EmbeddedTriton:
    """The server of a verb, for its `with` block to start."""
    say(f"starting the server, networks: {args.networks}")
    settings = Settings(networks=args.networks, bounded_queue=args.bounded_queue)
    return EmbeddedTriton(CHECKOUT / "model_repository", settings)


def write(
    title: str,
    report: Any,
    text: Sequence[str],
    tables: Sequence[Table],
    path: Path,
    draw: Callable[[Any, Path], None] | None = None,
    beside: Sequence[str] = (),
) -> None:
    """Files, and a line on stderr that names them.

    Args:
        report: a dataclass with a field `machine`; all of it becomes PATH.json.
        text: paragraphs before the tables in PATH.md.
        path: without its ending.
        draw: writes the report as a picture, PATH.png.
        beside: names of files that others have written there.
    """
    files = {ending: path.with_name(f"{path.name}.{ending}") for ending in ("md", *(["png"] if draw else []), "json")}
    paragraphs = [f"# {title}", report.machine.line, *text]
    if draw:
        draw(report, files["png"])
        paragraphs.append(f"![{title}]({files['png'].name})")
    files["json"].write_text(to_json(report))
    files["md"].write_text(markdown(paragraphs, tables))
    written = [*files.values(), *(path.with_name(name) for name in beside)]
    say("written: " + ", ".join(map(str, written)))


def percentile_cells(latency: Percentiles) -> tuple[str, str, str]:
    """p50, p95 and p99 in whole milliseconds; a dash for what was not seen."""
    return optional(latency.p50, ".0f"), optional(latency.p95, ".0f"), optional(latency.p99, ".0f")
