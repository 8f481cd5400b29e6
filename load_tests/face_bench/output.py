"""What a person sees of a run: progress on stderr; tables on stdout and in markdown; and its JSON form."""

import json
import math
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table as RichTable
from rich.text import Text

from face_bench import BenchError

FORMAT = 1
"""Of all JSON reports: grows when a field changes its meaning or goes."""

_FILE_COLUMNS = 160

_stderr = Console(stderr=True)


def say(text: str) -> None:
    """One line that stays, on stderr."""
    # Text, not markup: it may hold somebody's file name or error message.
    _stderr.print(Text(text), soft_wrap=True)


def teller(write: Callable[[str], object] | None = None) -> Callable[[str], None]:
    """Tells lines with the seconds since now, on stderr, and by `write`, with their ends, in a file."""
    started = time.monotonic()

    def tell(text: str) -> None:
        line = f"{time.monotonic() - started:6.1f} {text}"
        print(line, file=sys.stderr, flush=True)
        if write:
            write_line(write, line)

    return tell


def write_line(write: Callable[[str], object], line: str) -> None:
    """With one end, whether it has one or not."""
    write(line.rstrip("\n") + "\n")


@contextmanager
def bar(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar for as long as the block lasts, if a person looks on; gives a function to tell how many are done."""
    say(what)
    columns = (TextColumn("  "), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=_stderr, transient=True, disable=not _stderr.is_terminal) as progress:
        task = progress.add_task(what, total=total)
        yield lambda done: progress.update(task, completed=done)


@contextmanager
def activity(what: str) -> Iterator[Callable[[str], None]]:
    """For work of unknown length: gives a function that shows its latest line."""
    say(what)
    if not _stderr.is_terminal:
        yield lambda _line: None
        return
    with _stderr.status("") as status:
        yield lambda line: status.update(Text(line[: _stderr.width - 4], style="dim"))


@dataclass(frozen=True)
class Table:
    """Cells are text. The first `labels` columns are words, the others numbers. notes: what a reader must know."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    labels: int = 1
    notes: tuple[str, ...] = ()


def optional(value: float | None, spec: str) -> str:
    """A dash for a number that does not exist: None or NaN."""
    return "–" if value is None or math.isnan(value) else format(value, spec)


def all_keys(parts: Iterable[Mapping[str, float]]) -> list[str]:
    """All keys, each once, in the order of their first use."""
    return list(dict.fromkeys(key for part in parts for key in part))


def errors_text(errors: Mapping[str, int]) -> str:
    """How many of each kind; 0 for none."""
    return ", ".join(f"{count} {kind}" for kind, count in sorted(errors.items())) or "0"


def show(tables: Iterable[Table], before: str = "", after: Sequence[str] = ()) -> None:
    """On stdout: as wide as the terminal; in a file or a pipe, wide enough for every table."""
    terminal = Console()
    console = terminal if terminal.is_terminal else Console(width=_FILE_COLUMNS)
    if before:
        console.print(Text(before, style="dim"))
    for table in tables:
        console.print(_rich(table))
        for note in table.notes:
            console.print(Text(f"  {note}", style="dim"))
    for paragraph in after:
        console.print(paragraph, highlight=False, markup=False)


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


def markdown(paragraphs: Sequence[str], tables: Iterable[Table]) -> str:
    """Paragraphs, then tables, each below a title of the second level."""
    lines = ["\n\n".join(paragraphs)]
    for table in tables:
        lines += ["", f"## {table.title}", "", *_markdown_lines(table), *(f"\n{note}" for note in table.notes)]
    return "\n".join(lines) + "\n"


def _markdown_lines(table: Table) -> list[str]:
    """None where the table has no rows."""
    if not table.rows:
        return []
    rule = ["---" if n < table.labels else "---:" for n in range(len(table.header))]
    return [_markdown_line(row) for row in (table.header, rule, *table.rows)]


def _markdown_line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def to_json(report: Any) -> str:
    """Of a dataclass. Numbers that do not exist (nothing to take them of) are null."""
    return json.dumps({"format": FORMAT, **_finite(asdict(report))}, indent=1) + "\n"


def _finite(value: Any) -> Any:
    """What is no number becomes None, at any depth."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def save_report(folder: Path, report: Any, head: str, tables: Iterable[Table]) -> None:
    """As report.json and report.md."""
    (folder / "report.json").write_text(to_json(report))
    (folder / "report.md").write_text(markdown([head], tables))


def make_folder(folder: Path) -> None:
    """For --out, before a run: who would hear after twenty minutes that nothing can be written? Raises BenchError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BenchError(f"--out {folder}: {error.strerror}") from error
