"""Tables for a terminal and for a markdown file."""

from pathlib import Path

from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from face_bench.machine import Machine
from face_bench.report import Report
from face_bench.table import Table, markdown_lines
from face_bench.tables import tables

_FILE_COLUMNS = 160


def print_tables(report: Report, console: Console) -> None:
    console.print(Text(machine_line(report.machine), style="dim"))
    for table in tables(report):
        print_table(table, console)


def console() -> Console:
    """As wide as the terminal; in a file or a pipe, wide enough for every table."""
    made = Console()
    return made if made.is_terminal else Console(width=_FILE_COLUMNS)


def print_table(table: Table, console: Console) -> None:
    console.print(_rich(table))
    for note in table.notes:
        console.print(Text(f"  {note}", style="dim"))


def _rich(table: Table) -> RichTable:
    shown = RichTable(title=table.title, title_justify="left", title_style="bold")
    for n, name in enumerate(table.header):
        is_label = n < table.labels
        shown.add_column(name, justify="left" if is_label else "right", no_wrap=is_label)
    group = ""
    for row in table.rows:
        # A line between pictures, where the first column groups several rows.
        if group and table.labels > 1 and row[0] != group:
            shown.add_section()
        group = row[0]
        shown.add_row(*(Text(cell) for cell in row))
    return shown


def machine_line(machine: Machine) -> str:
    parts = (
        machine.processor,
        f"{machine.cores} cores",
        f"{machine.memory_gb:g} GB",
        f"Python {machine.python}",
        f"torch {machine.packages.get('torch', '?')}",
        machine.date,
        f"commit {machine.commit or 'unknown'}",
    )
    return " · ".join(parts)


def markdown(report: Report) -> str:
    """The whole report; sections of one level below the document that it is pasted into."""
    settings = report.settings
    peers = [f"{peer.name} {_about(peer.about)}" for peer in report.peers if not peer.problem]
    lines = [
        machine_line(report.machine),
        "",
        f"{settings.rounds} rounds after {settings.warm_up} of warm-up, interleaved. Networks: {settings.networks}. "
        f"JPEG quality {settings.jpeg_quality}. Peers, in their own processes: {'; '.join(peers) or 'none'}.",
    ]
    for table in tables(report):
        lines += ["", f"## {table.title}", "", *markdown_lines(table)]
        lines += [f"\n{note}" for note in table.notes]
    return "\n".join(lines) + "\n"


def _about(about: dict[str, object]) -> str:
    return "(" + ", ".join(f"{name} {value}" for name, value in about.items()) + ")"


def write_markdown(report: Report, path: Path) -> None:
    path.write_text(markdown(report))
