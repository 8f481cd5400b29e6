"""Reports as files: markdown for people, JSON for programs."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from face_bench.machine import Machine
from face_bench.render import console, machine_line, print_table
from face_bench.report import finite
from face_bench.table import Table, markdown_lines

CHECKOUT = Path(__file__).parents[2]

FORMAT = 1
"""Grows when a field of the JSON changes its meaning or goes."""


def write_json(report: Any, path: Path) -> None:
    """A dataclass. Numbers that do not exist (nothing to take them of) are null."""
    path.write_text(json.dumps({"format": FORMAT, **finite(asdict(report))}, indent=1) + "\n")


def write_markdown(
    title: str, machine: Machine, text: Sequence[str], tables: Sequence[Table], path: Path, picture: str = ""
) -> None:
    """text: paragraphs before the tables. picture: file beside the document."""
    lines = [f"# {title}", "", machine_line(machine)]
    for paragraph in (*text, *([f"![{title}]({picture})"] if picture else [])):
        lines += ["", paragraph]
    for table in tables:
        lines += ["", f"## {table.title}", "", *markdown_lines(table), *(f"\n{note}" for note in table.notes)]
    path.write_text("\n".join(lines) + "\n")


def show(text: Sequence[str], tables: Sequence[Table]) -> None:
    """On stdout."""
    out = console()
    for table in tables:
        print_table(table, out)
    for paragraph in text:
        out.print(paragraph, highlight=False, markup=False)
